{{ same_rows('hourly', 'provider, meter_key, local_hour, delivered_kwh, chosen_kwh, chosen_channel, expected_seconds, received_seconds') }}
