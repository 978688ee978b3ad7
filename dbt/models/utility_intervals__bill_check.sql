with bills as (
    select * from {{ ref('int_utility_intervals__bills') }}
),
days as (  -- so that a bill meets the readings of its days and no others
    select provider, usage_id, {{ utility_intervals_series(
        "date_trunc('day', period_start)", "period_end - interval '1 microsecond'",
        '1 day') }} as utc_day
    from bills
    where period_start < period_end
),
long as (  -- within a bill the longer of two counts, however long
    select b.provider, b.usage_id, r.channel, r.interval_start, r.interval_end
    from bills b
    join {{ ref('int_utility_intervals__readings') }} r
        on r.provider = b.provider and r.meter_key = b.meter_key
        and r.interval_start >= b.period_start and r.interval_end <= b.period_end
    where r.interval_seconds > 90000 and r.quantity is not null
),
counted as (
    select
        b.provider, b.usage_id, r.channel, r.point, 1 as readings,
        case when r.unit = b.unit then r.quantity else r.quantity_normalized end as quantity,
        r.interval_seconds as seconds, case when r.quality = 'estimated' then 1 else 0 end as estimated
    from bills b
    join days d on d.provider = b.provider and d.usage_id = b.usage_id
    join {{ ref('int_utility_intervals__readings') }} r
        on r.provider = b.provider and r.meter_key = b.meter_key
        and date_trunc('day', r.interval_start) = d.utc_day
        and r.interval_start >= b.period_start and r.interval_end <= b.period_end
    where coalesce(r.measure, '') <> 'power'  -- kW is no amount
        and (r.unit = b.unit or r.unit_normalized = b.unit)  -- Wh beside a bill in kWh
        and r.quantity is not null
        and not r.overlaps_in_day
    union all  -- taken off again, since all the others need no look at the long ones
    select provider, usage_id, channel, point, -1, -quantity, -interval_seconds, -estimated
    from (
        select distinct
            b.provider, b.usage_id, r.channel, r.point, r.interval_start, r.interval_end,
            case when r.unit = b.unit then r.quantity else r.quantity_normalized end as quantity,
            r.interval_seconds, case when r.quality = 'estimated' then 1 else 0 end as estimated
        from bills b
        join long l on l.provider = b.provider and l.usage_id = b.usage_id
        join {{ ref('int_utility_intervals__readings') }} r
            on r.provider = b.provider and r.meter_key = b.meter_key and r.channel = l.channel
            and r.interval_start < l.interval_end and r.interval_end > l.interval_start
            and r.interval_start >= b.period_start and r.interval_end <= b.period_end
        where coalesce(r.measure, '') <> 'power'
            and (r.unit = b.unit or r.unit_normalized = b.unit)
            and r.quantity is not null
            and not r.overlaps_in_day
            and r.interval_seconds <= 90000
    ) within
),
sums as (
    select
        provider, usage_id, channel, point, sum(quantity) as quantity, sum(seconds) as seconds,
        sum(estimated) as estimated
    from counted
    group by provider, usage_id, channel, point
    having sum(readings) > 0
),
ranked as (
    select s.*, row_number() over (
        partition by s.provider, s.usage_id
        order by
            case
                when b.flow = 'delivered' and s.point = 'fwd' then 0
                when b.flow = 'received' and s.point = 'rev' then 0
                when s.point = 'net' then 1
                when s.point = 'usage' then 2
                when s.point = 'fwd' then 3
                else 4
            end,
            s.seconds desc, s.channel
    ) as place
    from sums s
    join bills b on b.provider = s.provider and b.usage_id = s.usage_id
),
compared as (
    select
        b.*, s.channel, s.quantity as interval_quantity, s.quantity - b.quantity as difference,
        100 * cast(s.quantity - b.quantity as double precision)
            / nullif(cast(b.quantity as double precision), 0) as difference_percent,
        case
            when b.period_start < b.period_end
                then cast(coalesce(s.seconds, 0) as double precision)
                    / {{ utility_intervals_seconds('b.period_start', 'b.period_end') }}
        end as covered_share,
        coalesce(s.estimated, 0) as estimated
    from bills b
    left join ranked s on s.provider = b.provider and s.usage_id = b.usage_id and s.place = 1
),
units as (  -- a bill whose meter is read in other units cannot be compared
    select b.provider, b.usage_id, max(case
        when c.unit = b.unit or c.unit_normalized = b.unit then 1 else 0 end) as is_known
    from bills b
    join {{ ref('int_utility_intervals__channels') }} c
        on c.provider = b.provider and c.meter_key = b.meter_key
    where coalesce(c.measure, '') <> 'power'
    group by b.provider, b.usage_id
),
agreeing as (  -- another channel would agree with the bill
    select distinct s.provider, s.usage_id
    from ranked s
    join bills b on b.provider = s.provider and b.usage_id = s.usage_id
    where s.place > 1
        and abs(s.quantity - b.quantity) * 100
            <= abs(b.quantity) * {{ var('utility_intervals_sum_check_percent') }}
)
select
    c.provider, c.usage_id, c.meter_key, c.bill_id, c.period_start, c.period_end,
    c.period_start_date, c.period_end_date, c.unit, c.quantity as billed_quantity, c.channel,
    c.interval_quantity, c.difference, c.difference_percent, c.covered_share,
    c.cost, c.currency, c.is_estimated, c.is_superseded,
    case
        when c.is_superseded then 'superseded bill'
        when c.period_start is null or c.period_end is null then 'zone unknown'
        when c.quantity is null or c.measure = 'power' then null  -- nothing to compare
        when abs(c.difference) * 100
            <= abs(c.quantity) * {{ var('utility_intervals_sum_check_percent') }} then null
        when u.is_known = 0 then 'other unit'
        when coalesce(c.covered_share, 0) < {{ var('utility_intervals_bill_covered_share') }}
            then 'missing readings'
        when c.is_estimated or c.estimated > 0 then 'estimated'
        when a.usage_id is not null then 'other channel'
        else 'unexplained'
    end as cause
from compared c
left join units u on u.provider = c.provider and u.usage_id = c.usage_id
left join agreeing a on a.provider = c.provider and a.usage_id = c.usage_id
