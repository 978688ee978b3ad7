{{ same_rows('completeness', 'provider, meter_key, channel, local_month, expected_seconds, received_seconds') }}
