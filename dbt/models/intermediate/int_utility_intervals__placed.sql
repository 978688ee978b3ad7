select
    r.provider, r.meter_key, split_part(r.channel, '#', 1) as channel,
    split_part(r.channel, '/', 1) as point,  -- fwd, rev, net, max, usage
    r.interval_start + coalesce(m.seconds, 0) * interval '1 second' as interval_start,
    r.interval_end + coalesce(m.seconds, 0) * interval '1 second' as interval_end,
    r.interval_seconds,
    r.utc_offset_seconds - coalesce(m.seconds, 0) as utc_offset_seconds,
    r.local_start, r.quantity, r.unit, r.quantity_normalized, r.unit_normalized,
    r.measure, r.commodity, r.quality
from {{ ref('utility_intervals__local') }} r
left join {{ ref('int_utility_intervals__second_hours') }} m
    on m.provider = r.provider and m.meter_key = r.meter_key and m.channel = r.channel
    and m.interval_start = r.interval_start and m.interval_end = r.interval_end
where r.channel not like '%#%' or m.seconds is not null
