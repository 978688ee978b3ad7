select
    provider,
    source,
    {{ utility_intervals_instant('range_start') }} as range_start,
    {{ utility_intervals_instant('range_end') }} as range_end,
    {{ utility_intervals_instant('read_at') }} as read_at,
    cast(readings as bigint) as readings,
    cast(is_complete as boolean) as is_complete
from {{ utility_intervals_table('coverage') }}
