{{ same_rows('daily', 'provider, meter_key, local_date, delivered_kwh, chosen_kwh, chosen_channel, expected_seconds, received_seconds') }}
