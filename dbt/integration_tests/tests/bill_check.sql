{{ same_rows('bill_check', 'provider, usage_id, channel, interval_quantity, difference_percent, covered_share, cause') }}
