-- A day is regular whose readings are of one length, on one grid and as many as there is room
-- for: none of them overlaps another, and there is no hole. Only the rows of other days, and of
-- those that do not begin where the day before has ended, are put in order.
with days as (
    select
        provider, meter_key, channel, date_trunc('day', interval_start) as utc_day,
        min(interval_start) as first_start, max(interval_end) as last_end,
        max(case when interval_seconds <= 3600 then interval_end end) as hour_end,
        max(case when interval_seconds <= 90000 then interval_end end) as day_end,
        min({{ utility_intervals_micros('interval_end') }}
            - {{ utility_intervals_micros('interval_start') }}) as shortest,
        max({{ utility_intervals_micros('interval_end') }}
            - {{ utility_intervals_micros('interval_start') }}) as longest,
        min({{ utility_intervals_micros('interval_start') }} % nullif(
            {{ utility_intervals_micros('interval_end') }}
            - {{ utility_intervals_micros('interval_start') }}, 0)) as least_offset,
        max({{ utility_intervals_micros('interval_start') }} % nullif(
            {{ utility_intervals_micros('interval_end') }}
            - {{ utility_intervals_micros('interval_start') }}, 0)) as most_offset,
        count(*) as readings
    from {{ ref('int_utility_intervals__placed') }}
    group by provider, meter_key, channel, date_trunc('day', interval_start)
),
reached as (
    select
        *,
        max(last_end) over before as before_end,
        max(hour_end) over before as before_hour_end,
        max(day_end) over before as before_day_end
    from days
    window before as (
        partition by provider, meter_key, channel order by utc_day
        rows between unbounded preceding and 1 preceding
    )
),
irregular as (
    select *
    from reached
    where not coalesce(
        shortest > 0 and shortest = longest and least_offset = most_offset
        and readings * shortest = {{ utility_intervals_micros('last_end') }}
            - {{ utility_intervals_micros('first_start') }}
        and (before_end is null or before_end = first_start), false)
),
ordered as (
    select
        r.provider, r.meter_key, r.channel, r.interval_start, r.interval_end,
        greatest(d.before_end, max(r.interval_end) over earlier) as so_far,
        greatest(d.before_hour_end, max(case when r.interval_seconds <= 3600
            then r.interval_end end) over earlier) as hour_so_far,
        greatest(d.before_day_end, max(case when r.interval_seconds <= 90000
            then r.interval_end end) over earlier) as day_so_far
    from {{ ref('int_utility_intervals__placed') }} r
    join irregular d
        on d.provider = r.provider and d.meter_key = r.meter_key and d.channel = r.channel
        and d.utc_day = date_trunc('day', r.interval_start)
    window earlier as (
        partition by r.provider, r.meter_key, r.channel, d.utc_day
        order by r.interval_start, r.interval_end desc
        rows between unbounded preceding and 1 preceding
    )
)
select
    provider, meter_key, channel, interval_start, interval_end, so_far,
    -- The longer of two that overlap is whole, so it counts: up to an hour, up to a day.
    coalesce(hour_so_far > interval_start, false) as overlaps_in_hour,
    coalesce(day_so_far > interval_start, false) as overlaps_in_day
from ordered
where interval_start > so_far or hour_so_far > interval_start or day_so_far > interval_start
