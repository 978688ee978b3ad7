{{ same_rows('current', 'provider, meter_key, channel, interval_start, interval_seconds, quantity') }}
