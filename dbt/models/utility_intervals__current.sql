{% set key = 'provider, meter_key, channel, interval_start, interval_end' -%}
{%- if target.type == 'postgres' -%}
with rows_once as (
    select *, row_number() over (partition by {{ key }} order by read_at desc nulls last) as place
    from {{ ref('stg_utility_intervals__intervals') }}
)
{%- else -%}
-- Rows of a key that comes once need no order; only the others are compared. And each day of a
-- source has the few instants of whole reads that count in it, so that readings find theirs by
-- the day: both ten times as fast as to sort years of rows.
with repeated as (
    select hash({{ key }}) as hashed
    from {{ ref('stg_utility_intervals__intervals') }}
    group by all
    having count(*) > 1
),
rows_once as not materialized (
    select *, 1 as place
    from {{ ref('stg_utility_intervals__intervals') }}
    where hash({{ key }}) not in (select hashed from repeated)
    union all
    select *, row_number() over (partition by {{ key }} order by read_at desc nulls last) as place
    from {{ ref('stg_utility_intervals__intervals') }}
    where hash({{ key }}) in (select hashed from repeated)
),
days as (
    select distinct provider, source, date_trunc('day', interval_start) as utc_day
    from {{ ref('stg_utility_intervals__intervals') }}
),
pieces as (
    select d.*, d.utc_day as starts, s.read_at
    from days d
    asof left join {{ ref('int_utility_intervals__steps') }} s
        on s.provider = d.provider and s.source = d.source and s.starts <= d.utc_day
    union all
    select d.*, s.starts, s.read_at
    from days d
    join {{ ref('int_utility_intervals__steps') }} s
        on s.provider = d.provider and s.source = d.source
        and date_trunc('day', s.starts) = d.utc_day and s.starts > d.utc_day
),
steps as (
    select *, lead(starts, 1, timestamp 'infinity') over (
        partition by provider, source, utc_day order by starts
    ) as ends
    from pieces
)
{%- endif %}
select
    r.provider, r.meter_key, r.channel, r.interval_start, r.interval_end,
    r.interval_seconds, r.utc_offset_seconds, r.quantity, r.unit,
    r.quantity_normalized, r.unit_normalized, r.measure, r.flow, r.commodity,
    r.quality, r.source, r.read_at
from rows_once r
{%- if target.type == 'postgres' %}
left join lateral (
    select s.read_at
    from {{ ref('int_utility_intervals__steps') }} s
    where s.provider = r.provider and s.source = r.source and s.starts <= r.interval_start
    order by s.starts desc
    limit 1
) step on true
{%- else %}
join steps step
    on step.provider = r.provider and step.source = r.source
    and step.utc_day = date_trunc('day', r.interval_start)
    and step.starts <= r.interval_start and step.ends > r.interval_start
{%- endif %}
where r.place = 1
    and (step.read_at is null or r.read_at is null or r.read_at >= step.read_at)
