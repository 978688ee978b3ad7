with lengths as (
    select
        provider, meter_key, channel, point, interval_seconds,
        max(unit) as unit, max(unit_normalized) as unit_normalized, max(measure) as measure,
        max(commodity) as commodity, count(*) as readings,
        min(interval_start) as first_start, max(interval_end) as last_end
    from {{ ref('int_utility_intervals__readings') }}
    group by provider, meter_key, channel, point, interval_seconds
),
usual as (
    select *, row_number() over (
        partition by provider, meter_key, channel
        order by readings desc, interval_seconds
    ) as place
    from lengths
),
channels as (
    select
        provider, meter_key, channel, point,
        max(unit) as unit, max(unit_normalized) as unit_normalized, max(measure) as measure,
        max(commodity) as commodity, cast(sum(readings) as bigint) as readings,
        min(first_start) as first_start, max(last_end) as last_end,
        max(case when place = 1 then interval_seconds end) as usual_seconds,
        max(case when place = 1 then first_start end) as usual_start
    from usual
    group by provider, meter_key, channel, point
)
select
    *,
    row_number() over (
        partition by provider, meter_key
        order by
            case measure when 'energy' then 1 when 'volume' then 2 when 'power' then 4 else 3 end,
            case point when 'fwd' then 1 when 'usage' then 2 when 'net' then 3 else 4 end,
            readings desc, channel
    ) = 1 as is_chosen,
    row_number() over (
        partition by provider, meter_key, point, unit_normalized
        order by readings desc, channel
    ) = 1 as is_of_point
from channels
