-- `#2` in a channel is a second id or value for a reading, unless it is the second hour of an
-- autumn night that a utility sent as if it were the first once more: then it belongs into the
-- hour that would be empty.
with nights as (  -- where clocks go back in the United States and Canada
    select
        provider, meter_key, channel, split_part(channel, '#', 1) as whole_channel,
        interval_start, interval_end, utc_offset_seconds, local_start
    from {{ ref('utility_intervals__local') }}
    where extract(month from local_start) = 11
        and extract(day from local_start) <= 7
        and extract(dow from local_start) = 0
),
firsts as (
    select * from nights where channel not like '%#%'
)
select
    s.provider, s.meter_key, s.channel, s.interval_start, s.interval_end,
    case when after.interval_start is null then 3600 else -3600 end as seconds
from nights s
left join firsts after
    on after.provider = s.provider and after.meter_key = s.meter_key
    and after.channel = s.whole_channel
    and after.interval_start = s.interval_start + interval '1 hour'
left join firsts before
    on before.provider = s.provider and before.meter_key = s.meter_key
    and before.channel = s.whole_channel
    and before.interval_start = s.interval_start - interval '1 hour'
where s.channel like '%#2'
    and s.utc_offset_seconds is not null
    and extract(hour from s.local_start) = 1
    -- else the other of the two hours was sent as such
    and coalesce(extract(hour from after.local_start), 0) <> 1
    and coalesce(extract(hour from before.local_start), 0) <> 1
