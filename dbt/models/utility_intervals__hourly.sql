{{ utility_intervals_sums('local_hour', utility_intervals_hour_of, 3600, 'overlaps_in_hour') }}
