{#- Sums of kWh by local hour or day, with a row for each that is wholly missing.
    `of_local` makes the hour or day of a local time; readings longer than `longest`
    seconds, and those that a longer one overlaps, are left out. -#}
{%- macro utility_intervals_sums(period, of_local, longest, overlaps) -%}
with chosen as (
    select provider, meter_key, channel
    from {{ ref('int_utility_intervals__channels') }}
    where is_chosen and unit_normalized = 'kWh' and point in ('fwd', 'usage', 'net')
        and usual_seconds <= {{ longest }}
),
expected as (
    select
        h.provider, h.meter_key, {{ of_local('h.local_hour') }} as {{ period }},
        cast(sum(h.expected_seconds) as bigint) as expected_seconds
    from {{ ref('int_utility_intervals__hours') }} h
    join chosen c on c.provider = h.provider and c.meter_key = h.meter_key
    where h.has_local_time
    group by h.provider, h.meter_key, {{ of_local('h.local_hour') }}
),
received as (
    select
        r.provider, r.meter_key, {{ of_local('r.local_start') }} as {{ period }},
        sum(case when c.point = 'fwd' and c.is_of_point then r.quantity_normalized end)
            as delivered_kwh,
        sum(case when c.point = 'rev' and c.is_of_point then r.quantity_normalized end)
            as received_kwh,
        sum(case when c.point = 'net' and c.is_of_point then r.quantity_normalized end)
            as net_kwh,
        sum(case when c.is_chosen then r.quantity_normalized end) as chosen_kwh,
        cast(sum(case when c.is_chosen then r.interval_seconds else 0 end) as bigint)
            as received_seconds
    from {{ ref('int_utility_intervals__readings') }} r
    join {{ ref('int_utility_intervals__channels') }} c
        on c.provider = r.provider and c.meter_key = r.meter_key and c.channel = r.channel
    where c.unit_normalized = 'kWh'
        and r.quantity_normalized is not null
        and r.local_start is not null
        and r.interval_seconds <= {{ longest }}
        and not r.{{ overlaps }}
    group by r.provider, r.meter_key, {{ of_local('r.local_start') }}
)
select
    c.provider, c.meter_key, s.{{ period }},
    s.delivered_kwh, s.received_kwh, s.net_kwh, s.chosen_kwh,
    c.channel as chosen_channel, s.expected_seconds, s.received_seconds
from (
    select
        coalesce(e.provider, r.provider) as provider,
        coalesce(e.meter_key, r.meter_key) as meter_key,
        coalesce(e.{{ period }}, r.{{ period }}) as {{ period }},
        r.delivered_kwh, r.received_kwh, r.net_kwh, r.chosen_kwh,
        coalesce(e.expected_seconds, 0) as expected_seconds,
        coalesce(r.received_seconds, 0) as received_seconds
    from expected e
    full join received r
        on r.provider = e.provider and r.meter_key = e.meter_key
        and r.{{ period }} = e.{{ period }}
) s
join chosen c on c.provider = s.provider and c.meter_key = s.meter_key
{%- endmacro -%}

{%- macro utility_intervals_hour_of(local) -%}
date_trunc('hour', {{ local }})
{%- endmacro -%}

{%- macro utility_intervals_date_of(local) -%}
cast({{ local }} as date)
{%- endmacro -%}

{%- macro utility_intervals_month_of(local) -%}
cast(date_trunc('month', {{ local }}) as date)
{%- endmacro -%}
