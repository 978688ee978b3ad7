with promises as (  -- stretches that a provider lists and that brought no reading
    select provider, source as meter_key, range_start, range_end
    from {{ ref('stg_utility_intervals__coverage') }} p
    where not is_complete and readings = 0 and range_end < timestamp '9000-01-01 00:00:00'
        and not exists (  -- later read whole: they came, or are promised no more
            select 1
            from {{ ref('stg_utility_intervals__coverage') }} c
            where c.is_complete and c.provider = p.provider and c.source = p.source
                and c.read_at > p.read_at
                and c.range_start <= p.range_start and c.range_end >= p.range_end
        )
),
reached as (
    select *, max(range_end) over (
        partition by provider, meter_key order by range_start, range_end
        rows between unbounded preceding and 1 preceding
    ) as so_far
    from promises
),
numbered as (
    select *, sum(case when range_start <= so_far then 0 else 1 end) over (
        partition by provider, meter_key order by range_start, range_end
    ) as stretch
    from reached
),
promised as (
    select provider, meter_key, min(range_start) as range_start, max(range_end) as range_end
    from numbered
    group by provider, meter_key, stretch
),
channels as (
    select
        *,
        min(first_start) over (partition by provider, meter_key) as meter_start,
        max(last_end) over (partition by provider, meter_key) as meter_end
    from {{ ref('int_utility_intervals__channels') }}
),
gaps as (
    select
        r.provider, r.meter_key, r.channel, r.so_far as gap_start, r.interval_start as gap_end,
        case
            when exists (
                select 1 from promised p
                where p.provider = r.provider and p.meter_key = r.meter_key
                    and p.range_start < r.interval_start and p.range_end > r.so_far
            ) then 'promised, did not come'
            else 'never promised'
        end as reason
    from {{ ref('int_utility_intervals__breaks') }} r
    -- Some utilities end a reading at 14:59 or 14:59:59: that is no hole.
    where r.interval_start > r.so_far + interval '1 minute'
    union all
    select
        c.provider, c.meter_key, c.channel, p.range_start, least(p.range_end, c.first_start),
        'before first'
    from promised p
    join channels c on c.provider = p.provider and c.meter_key = p.meter_key
    where c.first_start = c.meter_start and p.range_start < c.first_start
    union all
    select
        c.provider, c.meter_key, c.channel, greatest(p.range_start, c.last_end), p.range_end,
        'meter stopped'
    from promised p
    join channels c on c.provider = p.provider and c.meter_key = p.meter_key
    where c.last_end = c.meter_end and p.range_end > c.last_end
    union all
    select
        p.provider, p.meter_key, null, p.range_start, p.range_end, 'promised, did not come'
    from promised p
    left join channels c on c.provider = p.provider and c.meter_key = p.meter_key
    where c.meter_key is null
)
select
    g.provider, g.meter_key, g.channel, g.gap_start, g.gap_end,
    case when c.usual_seconds > 0 then cast(greatest(1, round(
        {{ utility_intervals_seconds('g.gap_start', 'g.gap_end') }} / c.usual_seconds
    )) as bigint) end as missing_readings,
    g.reason
from gaps g
left join channels c
    on c.provider = g.provider and c.meter_key = g.meter_key and c.channel = g.channel
where g.gap_end > g.gap_start + interval '1 minute'
