select
    c.*,
    coalesce(
        c.interval_start + c.utc_offset_seconds * interval '1 second',
        {{ utility_intervals_in_zone('c.interval_start', 'z.time_zone') }}
    ) as local_start
from {{ ref('utility_intervals__current') }} c
left join {{ ref('stg_utility_intervals__time_zones') }} z
    on z.provider = c.provider and z.meter_key = c.meter_key
