{{ same_rows('checks', 'provider, meter_key, check_name, local_date, period_start, period_end, channel, observed, limit_value, severity') }}
