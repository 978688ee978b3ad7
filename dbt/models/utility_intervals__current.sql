with ranked as (
    select *, row_number() over (
        partition by provider, meter_key, channel, interval_start, interval_end
        order by read_at desc nulls last
    ) as place
    from {{ ref('stg_utility_intervals__intervals') }}
)
select
    r.provider, r.meter_key, r.channel, r.interval_start, r.interval_end,
    r.interval_seconds, r.utc_offset_seconds, r.quantity, r.unit,
    r.quantity_normalized, r.unit_normalized, r.measure, r.flow, r.commodity,
    r.quality, r.source, r.read_at
from ranked r
{%- if target.type == 'postgres' %}
left join lateral (
    select s.read_at
    from {{ ref('int_utility_intervals__steps') }} s
    where s.provider = r.provider and s.source = r.source and s.starts <= r.interval_start
    order by s.starts desc
    limit 1
) step on true
{%- else %}
asof left join {{ ref('int_utility_intervals__steps') }} step
    on step.provider = r.provider and step.source = r.source
    and step.starts <= r.interval_start
{%- endif %}
where r.place = 1
    and (step.read_at is null or r.read_at is null or r.read_at >= step.read_at)
