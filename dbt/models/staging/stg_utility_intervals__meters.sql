-- Whether a meter is listed still is judged by a later list of all of its credential, or by
-- a later one that was filtered alike: a run over others says nothing of it.
with newest as (
    select *,
        max(case when listing = 'all' then listed_at end)
            over (partition by provider, credential_name) as all_listed_at,
        max(listed_at) over (partition by provider, credential_name, listing) as alike_listed_at
    from {{ utility_intervals_table('meters') }}
)
select
    provider,
    meter_key,
    service_point_key,
    credential_name,
    commodity,
    cast(is_archived as boolean) as is_archived,
    {{ utility_intervals_instant('created_at') }} as created_at,
    {{ utility_intervals_instant('listed_at') }} as listed_at,
    listed_at >= coalesce(all_listed_at, listed_at)
        and (listing is null or listed_at = alike_listed_at) as is_listed
from (
    -- A loader that appends has a row of each run.
    select *, row_number() over (
        partition by provider, meter_key order by listed_at desc nulls last
    ) as place
    from newest
) ranked
where place = 1
