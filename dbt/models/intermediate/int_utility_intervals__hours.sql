-- Every hour from the first to the last reading of a meter's chosen channel, local where
-- local time is known. The offset of an hour is that of the next reading; without any, the
-- zone's. Readings dated before 1990 or more than a year ahead make no hours. Readings count
-- where they begin, and so do these: days of readings from six to six are days from six to six.
with chosen as (
    select
        provider, meter_key, channel,
        greatest(first_start, timestamp '1990-01-01 00:00:00') as first_start,
        least(last_end, {{ utility_intervals_now() }} + interval '1 year') as last_end,
        usual_start,
        case when usual_seconds > 43200 then 86400
            when 86400 % nullif(usual_seconds, 0) = 0 then usual_seconds end as step_seconds
    from {{ ref('int_utility_intervals__channels') }}
    where is_chosen and usual_seconds <= 90000
),
sent as (  -- by day, since an offset holds for months
    select
        provider, meter_key, utc_offset_seconds, first_start,
        lag(utc_offset_seconds) over latest as earlier_offset,
        -- The latest of all before: where offsets waver, no hour has two.
        max(last_start) over (
            partition by provider, meter_key order by first_start, utc_offset_seconds
            rows between unbounded preceding and 1 preceding
        ) as earlier_start
    from (
        select
            r.provider, r.meter_key, r.utc_offset_seconds,
            min(r.interval_start) as first_start, max(r.interval_start) as last_start
        from {{ ref('int_utility_intervals__readings') }} r
        join chosen c
            on c.provider = r.provider and c.meter_key = r.meter_key and c.channel = r.channel
        where r.utc_offset_seconds is not null
        group by r.provider, r.meter_key, r.utc_offset_seconds,
            date_trunc('day', r.interval_start)
    ) days
    window latest as (
        partition by provider, meter_key order by first_start, utc_offset_seconds
    )
),
offsets as (
    select
        provider, meter_key, utc_offset_seconds, earlier_start as after,
        lead(earlier_start) over (
            partition by provider, meter_key order by first_start, utc_offset_seconds
        ) as upto
    from sent
    where earlier_offset is null or earlier_offset <> utc_offset_seconds
),
begun as (
    select c.*, z.time_zone, cast(coalesce(
        o.utc_offset_seconds,
        {{ utility_intervals_seconds('c.first_start',
            utility_intervals_in_zone('c.first_start', 'z.time_zone')) }},
        0
    ) as bigint) as first_offset
    from chosen c
    left join {{ ref('stg_utility_intervals__time_zones') }} z
        on z.provider = c.provider and z.meter_key = c.meter_key
    left join offsets o
        on o.provider = c.provider and o.meter_key = c.meter_key and o.after is null
),
aligned as (
    select
        *, (first_offset - begins_beside) % 3600 * interval '1 second' as beside_the_hour
    from (
        select *, coalesce((first_offset + cast({{ utility_intervals_seconds(
            "timestamp '1900-01-01 00:00:00'", 'usual_start') }} as bigint)) % step_seconds, 0)
            as begins_beside
        from begun
    ) b
),
hours as (
    select
        a.*, o.utc_offset_seconds, {{ utility_intervals_series(
            "greatest(a.first_hour, date_trunc('hour', o.after + a.beside_the_hour)
                - a.beside_the_hour + interval '1 hour')",
            "least(o.upto, a.last_end - interval '1 microsecond')", '1 hour') }} as hour_start
    from (
        select *, date_trunc('hour', first_start + beside_the_hour) - beside_the_hour as first_hour
        from aligned
    ) a
    left join offsets o on o.provider = a.provider and o.meter_key = a.meter_key
),
placed as (
    select *, coalesce(
        hour_start + utc_offset_seconds * interval '1 second',
        {{ utility_intervals_in_zone('hour_start', 'time_zone') }}
    ) as local_start
    from hours
)
select
    provider, meter_key, channel, hour_start,
    date_trunc('hour', coalesce(local_start, hour_start) + case
        when hour_start >= usual_start then begins_beside * interval '-1 second'
        else greatest(hour_start, first_start) - hour_start
    end) as local_hour,
    local_start is not null as has_local_time,
    cast({{ utility_intervals_seconds('greatest(hour_start, first_start)',
        "least(hour_start + interval '1 hour', last_end)") }} as bigint) as expected_seconds
from placed
