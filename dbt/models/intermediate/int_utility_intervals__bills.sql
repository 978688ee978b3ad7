-- Bills that are current: what UtilityAPI no longer lists of a meter was withdrawn. Periods
-- are instants; dates become midnights of the meter's zone.
with listed as (
    select *, max(listed_at) over (partition by provider, meter_key) as newest
    from {{ ref('stg_utility_intervals__usage') }}
)
select
    b.provider, b.usage_id, b.meter_key, b.bill_id,
    coalesce(b.period_start_at, {{ utility_intervals_from_zone(
        'cast(b.period_start_date as timestamp)', 'z.time_zone') }}) as period_start,
    coalesce(b.period_end_at, {{ utility_intervals_from_zone(
        'cast(b.period_end_date as timestamp)', 'z.time_zone') }}) as period_end,
    b.period_start_date, b.period_end_date, b.quantity, b.unit, b.measure, b.flow,
    b.commodity, b.cost, b.currency,
    coalesce(b.is_estimated, false) as is_estimated,
    coalesce(b.is_superseded, false) as is_superseded
from listed b
left join {{ ref('stg_utility_intervals__time_zones') }} z
    on z.provider = b.provider and z.meter_key = b.meter_key
where b.provider <> 'utilityapi' or b.listed_at is null or b.listed_at = b.newest
