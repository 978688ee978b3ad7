select
    provider,
    meter_key,
    service_point_key,
    commodity,
    cast(is_archived as boolean) as is_archived,
    {{ utility_intervals_instant('created_at') }} as created_at,
    {{ utility_intervals_instant('listed_at') }} as listed_at,
    listed_at = max(listed_at) over (partition by provider) as is_listed
from (
    -- A loader that appends has a row of each run.
    select *, row_number() over (
        partition by provider, meter_key order by listed_at desc nulls last
    ) as place
    from {{ source('utility_intervals', 'meters') }}
) ranked
where place = 1
