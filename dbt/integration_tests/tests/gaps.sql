{{ same_rows('gaps', 'provider, meter_key, channel, gap_start, gap_end, missing_readings, reason') }}
