-- Where readings of a channel overlap, the newest meter's are taken; an older one fills what
-- the newest has not.
with ranked as (
    select
        provider, meter_key, service_point_key,
        row_number() over (
            partition by provider, service_point_key
            order by
                is_listed desc, case when not is_listed then listed_at end desc,
                created_at desc nulls last, meter_key desc
        ) as age,  -- 1 is the newest
        count(*) over (partition by provider, service_point_key) as meters
    from {{ ref('stg_utility_intervals__meters') }}
    where service_point_key is not null
),
reached as (  -- how far the readings before this one reach
    select
        r.service_point_key, r.age, i.provider, i.meter_key, i.channel,
        i.interval_start, i.interval_end,
        max(i.interval_end) over (
            partition by i.provider, i.meter_key, i.channel
            order by i.interval_start, i.interval_end
            rows between unbounded preceding and 1 preceding
        ) as so_far
    from ranked r
    join {{ ref('utility_intervals__current') }} i
        on i.provider = r.provider and i.meter_key = r.meter_key
    where r.age < r.meters
),
numbered as (
    select *, sum(case when interval_start <= so_far then 0 else 1 end) over (
        partition by provider, meter_key, channel order by interval_start, interval_end
    ) as stretch
    from reached
),
covered as (  -- the stretches without a hole of each meter that replaces another
    select
        provider, service_point_key, age, channel,
        min(interval_start) as starts, max(interval_end) as ends
    from numbered
    group by provider, service_point_key, age, meter_key, channel, stretch
)
select r.service_point_key, i.*
from {{ ref('utility_intervals__local') }} i
join ranked r on r.provider = i.provider and r.meter_key = i.meter_key
where not exists (
    select 1
    from covered newer
    where newer.provider = r.provider
        and newer.service_point_key = r.service_point_key
        and newer.age < r.age
        and newer.channel = i.channel
        and newer.starts < i.interval_end
        and newer.ends > i.interval_start
)
