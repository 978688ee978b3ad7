select
    provider,
    usage_id,
    meter_key,
    bill_id,
    cast(period_start_date as date) as period_start_date,
    cast(period_end_date as date) as period_end_date,
    {{ utility_intervals_instant('period_start_at') }} as period_start_at,
    {{ utility_intervals_instant('period_end_at') }} as period_end_at,
    {{ utility_intervals_decimal('quantity') }} as quantity,
    unit,
    measure,
    flow,
    commodity,
    {{ utility_intervals_decimal('cost') }} as cost,
    currency,
    cast(is_estimated as boolean) as is_estimated,
    cast(is_superseded as boolean) as is_superseded,
    {{ utility_intervals_instant('listed_at') }} as listed_at
from (
    -- A loader that appends has a row of each run.
    select *, row_number() over (
        partition by provider, usage_id order by listed_at desc nulls last, source_updated_at desc nulls last
    ) as place
    from {{ utility_intervals_table('usage') }}
) ranked
where place = 1
