select
    r.*,
    coalesce(b.overlaps_in_hour, false) as overlaps_in_hour,
    coalesce(b.overlaps_in_day, false) as overlaps_in_day
from {{ ref('int_utility_intervals__placed') }} r
left join {{ ref('int_utility_intervals__breaks') }} b
    on b.provider = r.provider and b.meter_key = r.meter_key and b.channel = r.channel
    and b.interval_start = r.interval_start and b.interval_end = r.interval_end
    and (b.overlaps_in_hour or b.overlaps_in_day)
