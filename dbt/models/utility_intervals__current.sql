{% set key = 'provider, meter_key, channel, interval_start, interval_end' -%}
with
{%- if target.type == 'postgres' %} rows_once as (
    select *, row_number() over (partition by {{ key }} order by read_at desc nulls last) as place
    from {{ ref('stg_utility_intervals__intervals') }}
)
{%- else %} doubtful(block) as (  -- rows of a key that comes once need no order
    {{ utility_intervals_doubtful(ref('stg_utility_intervals__intervals')) }}
),
rows_once as not materialized (
    select *, 1 as place
    from {{ ref('stg_utility_intervals__intervals') }}
    where {{ utility_intervals_block() }} not in (select block from doubtful)
    union all
    select *, row_number() over (partition by {{ key }} order by read_at desc nulls last) as place
    from {{ ref('stg_utility_intervals__intervals') }}
    where {{ utility_intervals_block() }} in (select block from doubtful)
)
{%- endif %}
select
    r.provider, r.meter_key, r.channel, r.interval_start, r.interval_end,
    r.interval_seconds, r.utc_offset_seconds, r.quantity, r.unit,
    r.quantity_normalized, r.unit_normalized, r.measure, r.flow, r.commodity,
    r.quality, r.source, r.read_at
from rows_once r
left join {{ ref('int_utility_intervals__steps') }} s
    on s.provider = r.provider and s.source = r.source
    and s.utc_day = date_trunc('day', r.interval_start)
    and s.starts <= r.interval_start and s.ends > r.interval_start
where r.place = 1 and (s.read_at is null or r.read_at is null or r.read_at >= s.read_at)
