with expected as (
    select
        provider, meter_key, channel, {{ utility_intervals_month_of('local_hour') }} as local_month,
        min(case when has_local_time then 1 else 0 end) = 1 as has_local_time,
        cast(sum(expected_seconds) as bigint) as expected_seconds
    from {{ ref('int_utility_intervals__hours') }}
    group by provider, meter_key, channel, {{ utility_intervals_month_of('local_hour') }}
),
received as (
    select
        provider, meter_key, channel,
        {{ utility_intervals_month_of('coalesce(local_start, interval_start)') }} as local_month,
        cast(sum(interval_seconds) as bigint) as received_seconds
    from {{ ref('int_utility_intervals__readings') }}
    where quantity is not null and interval_seconds <= 90000 and not overlaps_in_day
    group by provider, meter_key, channel,
        {{ utility_intervals_month_of('coalesce(local_start, interval_start)') }}
)
select
    e.provider, e.meter_key, e.channel, e.local_month, e.has_local_time,
    e.expected_seconds, coalesce(r.received_seconds, 0) as received_seconds,
    100 * cast(coalesce(r.received_seconds, 0) as double precision)
        / nullif(e.expected_seconds, 0) as percent
from expected e
left join received r
    on r.provider = e.provider and r.meter_key = e.meter_key and r.channel = e.channel
    and r.local_month = e.local_month
