{{ utility_intervals_sums('local_date', utility_intervals_date_of, 90000, 'overlaps_in_day') }}
