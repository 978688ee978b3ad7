-- Where readings of a channel overlap, the newest meter's are taken; an older one fills what
-- the newest has not.
with ranked as (
    select
        provider, meter_key, service_point_key,
        row_number() over (
            partition by provider, service_point_key
            order by listed_at desc, created_at desc nulls last, meter_key desc
        ) as age  -- 1 is the newest
    from {{ ref('stg_utility_intervals__meters') }}
    where service_point_key is not null
),
stretches as (  -- a channel begins, and again after each hole
    select provider, meter_key, channel, first_start as starts,
        cast(null as timestamp) as before_end, last_end
    from {{ ref('int_utility_intervals__channels') }}
    union all
    select b.provider, b.meter_key, b.channel, b.interval_start, b.so_far, c.last_end
    from {{ ref('int_utility_intervals__breaks') }} b
    join {{ ref('int_utility_intervals__channels') }} c
        on c.provider = b.provider and c.meter_key = b.meter_key and c.channel = b.channel
    where b.interval_start > b.so_far
),
covered as (
    select
        r.provider, r.service_point_key, r.age, s.channel, s.starts,
        coalesce(lead(s.before_end) over (
            partition by s.provider, s.meter_key, s.channel order by s.starts
        ), s.last_end) as ends
    from stretches s
    join ranked r on r.provider = s.provider and r.meter_key = s.meter_key
)
select r.service_point_key, i.*
from {{ ref('utility_intervals__local') }} i
join ranked r on r.provider = i.provider and r.meter_key = i.meter_key
where r.age = 1
union all
select r.service_point_key, i.*
from {{ ref('utility_intervals__local') }} i
join ranked r on r.provider = i.provider and r.meter_key = i.meter_key
where r.age > 1
    and not exists (
        select 1
        from covered newer
        where newer.provider = r.provider
            and newer.service_point_key = r.service_point_key
            and newer.age < r.age
            and newer.channel = split_part(i.channel, '#', 1)
            and newer.starts < i.interval_end
            and newer.ends > i.interval_start
    )
