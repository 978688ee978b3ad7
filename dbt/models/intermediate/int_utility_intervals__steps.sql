-- For each day of a source with readings the newest instant of a whole read, from each start
-- on: by the day, readings find theirs among a few.
with complete as (
    select *, min(range_start) over (
        partition by provider, source, range_end order by read_at desc
        rows between unbounded preceding and 1 preceding
    ) as later_start
    from {{ ref('stg_utility_intervals__coverage') }}
    where is_complete
),
open as (  -- what no later row has covered as a whole
    select * from complete where later_start is null or later_start > range_start
),
edges as (
    select provider, source, range_start as starts from open
    union
    select provider, source, range_end from open
),
steps as (
    select e.provider, e.source, e.starts, max(o.read_at) as read_at
    from edges e
    left join open o
        on o.provider = e.provider and o.source = e.source
        and o.range_start <= e.starts and o.range_end > e.starts
    group by e.provider, e.source, e.starts
),
pieces as (
    select
        provider, source, starts,
        max(max(step)) over (partition by provider, source order by starts) as step
    from (
        select distinct
            provider, source, date_trunc('day', interval_start) as starts,
            cast(null as timestamp) as step
        from {{ ref('stg_utility_intervals__intervals') }}
        union all
        select provider, source, starts, starts from steps
    ) together
    group by provider, source, starts
)
select
    p.provider, p.source, date_trunc('day', p.starts) as utc_day, p.starts,
    lead(p.starts, 1, timestamp 'infinity') over (
        partition by p.provider, p.source, date_trunc('day', p.starts) order by p.starts
    ) as ends,
    s.read_at
from pieces p
left join steps s on s.provider = p.provider and s.source = p.source and s.starts = p.step
