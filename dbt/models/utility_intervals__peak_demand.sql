with readings as not materialized (
    select
        r.provider, r.meter_key, r.channel, c.measure, c.is_chosen, r.interval_start,
        r.local_start, r.interval_seconds, r.quantity_normalized,
        cast(r.quantity_normalized as double precision) * 3600 / r.interval_seconds as kw,
        {{ utility_intervals_month_of('r.local_start') }} as local_month
    from {{ ref('int_utility_intervals__readings') }} r
    join {{ ref('int_utility_intervals__channels') }} c
        on c.provider = r.provider and c.meter_key = r.meter_key and c.channel = r.channel
    where r.local_start is not null and r.quantity_normalized is not null
        and r.interval_seconds between 1 and 3600 and not r.overlaps_in_hour
        and (c.is_chosen and c.unit_normalized = 'kWh' or c.unit_normalized = 'kW')
),
months as (
    select
        provider, meter_key, channel, local_month, max(kw) as peak_kw,
        {{ utility_intervals_of_highest('interval_start', 'kw', 'interval_start') }} as peak_start,
        {{ utility_intervals_of_highest('local_start', 'kw', 'interval_start') }}
            as peak_local_start,
        sum(quantity_normalized) as kwh,
        cast(sum(interval_seconds) as bigint) as received_seconds
    from readings
    where is_chosen and measure = 'energy'
    group by provider, meter_key, channel, local_month
),
power as (
    select provider, meter_key, local_month, max(quantity_normalized) as measured_kw
    from readings
    where measure = 'power'
    group by provider, meter_key, local_month
)
select
    m.provider, m.meter_key, m.local_month, m.channel, m.peak_kw, m.peak_start,
    m.peak_local_start, m.kwh, m.received_seconds,
    case when m.peak_kw > 0 then
        cast(m.kwh as double precision) * 3600 / m.received_seconds / m.peak_kw
    end as load_factor,
    p.measured_kw
from months m
left join power p
    on p.provider = m.provider and p.meter_key = m.meter_key and p.local_month = m.local_month
