-- Each reading of a channel once. `#2` in a channel is a second id or value for a reading,
-- and left out, unless it is the second hour of an autumn night that a utility sent as if it
-- were the first once more: that one is moved to the hour that would be empty.
with marked as (
    select
        *,
        split_part(channel, '#', 1) as whole_channel,
        channel like '%#%' as is_second,
        channel like '%#2'
            and utc_offset_seconds is not null
            -- from one to two o'clock, where clocks go back in the United States and Canada
            and extract(month from local_start) = 11
            and extract(day from local_start) <= 7
            and extract(dow from local_start) = 0
            and extract(hour from local_start) = 1 as may_be_second_hour
    from {{ ref('utility_intervals__local') }}
),
firsts as (  -- of the nights in question, to see which hour is there
    select provider, meter_key, whole_channel, interval_start, local_start
    from marked
    where not is_second
        and extract(month from local_start) = 11
        and extract(day from local_start) <= 7
        and extract(dow from local_start) = 0
),
moved as (
    select
        s.provider, s.meter_key, s.channel, s.interval_start, s.interval_end,
        case when after.interval_start is null then 3600 else -3600 end as seconds
    from marked s
    left join firsts after
        on after.provider = s.provider and after.meter_key = s.meter_key
        and after.whole_channel = s.whole_channel
        and after.interval_start = s.interval_start + interval '1 hour'
    left join firsts before
        on before.provider = s.provider and before.meter_key = s.meter_key
        and before.whole_channel = s.whole_channel
        and before.interval_start = s.interval_start - interval '1 hour'
    where s.may_be_second_hour
        -- else the other of the two hours was sent as such
        and coalesce(extract(hour from after.local_start), 0) <> 1
        and coalesce(extract(hour from before.local_start), 0) <> 1
),
readings as (
    select
        r.provider, r.meter_key, r.whole_channel as channel,
        split_part(r.channel, '/', 1) as point,  -- fwd, rev, net, max, usage
        r.interval_start + coalesce(m.seconds, 0) * interval '1 second' as interval_start,
        r.interval_end + coalesce(m.seconds, 0) * interval '1 second' as interval_end,
        r.interval_seconds,
        r.utc_offset_seconds - coalesce(m.seconds, 0) as utc_offset_seconds,
        r.local_start, r.quantity, r.unit, r.quantity_normalized, r.unit_normalized,
        r.measure, r.commodity, r.quality
    from marked r
    left join moved m
        on m.provider = r.provider and m.meter_key = r.meter_key and m.channel = r.channel
        and m.interval_start = r.interval_start and m.interval_end = r.interval_end
    where not r.is_second or m.seconds is not null
)
select
    *,
    -- The longer of two that overlap is whole, so it counts: up to an hour, up to a day.
    coalesce(max(case when interval_seconds <= 3600 then interval_end end) over earlier
        > interval_start, false) as overlaps_in_hour,
    coalesce(max(case when interval_seconds <= 90000 then interval_end end) over earlier
        > interval_start, false) as overlaps_in_day
from readings
window earlier as (
    partition by provider, meter_key, channel
    order by interval_start, interval_end desc
    rows between unbounded preceding and 1 preceding
)
