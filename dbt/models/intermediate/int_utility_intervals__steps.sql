-- For each source the newest instant of a whole read, from each start on.
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
)
select e.provider, e.source, e.starts, max(o.read_at) as read_at
from edges e
left join open o
    on o.provider = e.provider and o.source = e.source
    and o.range_start <= e.starts and o.range_end > e.starts
group by e.provider, e.source, e.starts
