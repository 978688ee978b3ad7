-- Flags, never edits. Days are local, or in UTC where local time is not known.
with channels as (
    select * from {{ ref('int_utility_intervals__channels') }}
),
readings as not materialized (
    select
        r.*, c.is_chosen, c.usual_seconds,
        cast(coalesce(r.local_start, r.interval_start) as date) as local_date,
        abs(r.quantity) in ({{ var('utility_intervals_spike_check_sentinels') | join(', ') }})
            as is_sentinel,
        case when c.is_chosen and r.interval_seconds <= 3600 and not r.overlaps_in_hour
            then r.quantity_normalized end as peak_quantity
    from {{ ref('int_utility_intervals__readings') }} r
    join channels c
        on c.provider = r.provider and c.meter_key = r.meter_key and c.channel = r.channel
),
days as (
    select
        provider, meter_key, channel, local_date, min(interval_start) as period_start,
        max(interval_end) as period_end,
        max(case when abs(interval_seconds - usual_seconds)
            > {{ var('utility_intervals_interval_size_check_seconds') }}
            -- days of 23 and 25 hours
            and not (interval_seconds in (82800, 86400, 90000)
                and usual_seconds in (82800, 86400, 90000))
            then interval_seconds end) as odd_seconds,
        max(usual_seconds) as usual_seconds,
        count(case when overlaps_in_day then 1 end) as overlapping,
        min(case when point <> 'net' then quantity end) as lowest,
        count(case when is_sentinel then 1 end) as sentinels,
        max(case when is_sentinel then quantity end) as sentinel,
        count(case when quantity is not null and (unit_normalized is null
            or commodity = 'electricity' and measure not in ('energy', 'power'))
            then 1 end) as odd_units,
        max(peak_quantity) as highest, count(peak_quantity) as peaks,
        sum(cast(peak_quantity as double precision)) as peak_sum
    from readings
    group by provider, meter_key, channel, local_date
),
second as (  -- second ids or values for a reading, which no other model counts
    select
        l.provider, l.meter_key, split_part(l.channel, '#', 1) as channel,
        min(l.interval_start) as period_start, max(l.interval_end) as period_end,
        cast(coalesce(l.local_start, l.interval_start) as date) as local_date,
        count(*) as readings
    from {{ ref('utility_intervals__local') }} l
    left join {{ ref('int_utility_intervals__second_hours') }} m
        on m.provider = l.provider and m.meter_key = l.meter_key and m.channel = l.channel
        and m.interval_start = l.interval_start and m.interval_end = l.interval_end
    where l.channel like '%#%' and m.channel is null
    group by l.provider, l.meter_key, split_part(l.channel, '#', 1),
        cast(coalesce(l.local_start, l.interval_start) as date)
),
-- A spike stands out from the third highest, so all but two are far below it, and so is their
-- sum: on most days that alone tells that there is none.
ranked as (
    select
        r.provider, r.meter_key, r.channel, r.local_date, r.interval_start, r.interval_end,
        r.peak_quantity, row_number() over (
            partition by r.provider, r.meter_key, r.channel, r.local_date
            order by r.peak_quantity desc, r.interval_start, r.interval_end
        ) as place
    from days d
    join readings r
        on r.provider = d.provider and r.meter_key = d.meter_key and r.channel = d.channel
        and r.local_date = d.local_date
    where r.peak_quantity is not null and d.peaks > 2 and d.highest > 0
        and (d.peak_sum - 2 * cast(d.highest as double precision))
            * (100 + {{ var('utility_intervals_spike_check_percent') }})
            < 100.0001 * (d.peaks - 2) * cast(d.highest as double precision)
),
spikes as (
    select
        h.provider, h.meter_key, h.channel, h.local_date, h.interval_start as period_start,
        h.interval_end as period_end, h.peak_quantity as highest, t.peak_quantity as third
    from ranked h
    join ranked t
        on t.provider = h.provider and t.meter_key = h.meter_key and t.channel = h.channel
        and t.local_date = h.local_date and t.place = 3
    where h.place = 1 and t.peak_quantity > 0 and 100 * (h.peak_quantity - t.peak_quantity)
        > {{ var('utility_intervals_spike_check_percent') }} * t.peak_quantity
),
zeros as (
    {{ utility_intervals_runs("quantity = 0 and point <> 'rev'
                and coalesce(commodity, 'electricity') = 'electricity'") }}
),
estimates as (
    {{ utility_intervals_runs("quality = 'estimated'") }}
),
silent as (  -- without any reading since it was made, as far as that is known
    select
        m.provider, m.meter_key,
        coalesce(max(c.last_end), m.created_at, m.listed_at) as period_start,
        {{ utility_intervals_seconds('coalesce(max(c.last_end), m.created_at)',
            utility_intervals_now()) }} / 86400 as days
    from {{ ref('stg_utility_intervals__meters') }} m
    left join channels c on c.provider = m.provider and c.meter_key = m.meter_key
    where m.is_listed and not coalesce(m.is_archived, false)
    group by m.provider, m.meter_key, m.created_at, m.listed_at
),
found as (
    select
        provider, meter_key, 'gap_check' as check_name, channel, cast(null as date) as local_date,
        gap_start as period_start,
        gap_end as period_end, cast(coalesce(missing_readings, 1) as double precision) as observed,
        cast({{ var('utility_intervals_gap_check_readings') }} as double precision)
            as limit_value,
        'warning' as severity
    from {{ ref('utility_intervals__gaps') }}
    where coalesce(missing_readings, 1) > {{ var('utility_intervals_gap_check_readings') }}
    union all
    select
        provider, meter_key, 'interval_size_check', channel, local_date, period_start, period_end,
        odd_seconds, usual_seconds, 'warning'
    from days
    where odd_seconds is not null
    union all
    select
        provider, meter_key, 'duplicate_check', channel, local_date, period_start, period_end, readings,
        {{ var('utility_intervals_duplicate_check_readings') }}, 'warning'
    from second
    where readings > {{ var('utility_intervals_duplicate_check_readings') }}
    union all
    select
        provider, meter_key, 'overlap_check', channel, local_date, period_start, period_end, overlapping,
        {{ var('utility_intervals_overlap_check_readings') }}, 'warning'
    from days
    where overlapping > {{ var('utility_intervals_overlap_check_readings') }}
    union all
    select
        provider, meter_key, 'sum_check', channel, period_start_date, period_start, period_end,
        abs(difference_percent), {{ var('utility_intervals_sum_check_percent') }},
        case when cause = 'unexplained' then 'error' else 'warning' end
    from {{ ref('utility_intervals__bill_check') }}
    where cause not in ('superseded bill', 'zone unknown') and difference is not null
    union all
    select
        provider, meter_key, 'spike_check', channel, local_date, period_start, period_end,
        100 * cast(highest - third as double precision) / cast(third as double precision),
        {{ var('utility_intervals_spike_check_percent') }}, 'warning'
    from spikes
    union all
    select
        provider, meter_key, 'spike_check', channel, local_date, period_start, period_end, sentinel,
        null, 'error'
    from days
    where sentinels > 0
    union all
    select
        provider, meter_key, 'zero_consumption_check', channel, local_date, period_start, period_end, hours,
        {{ var('utility_intervals_zero_consumption_check_hours') }}, 'warning'
    from zeros
    where hours >= {{ var('utility_intervals_zero_consumption_check_hours') }}
    union all
    select
        provider, meter_key, 'negative_consumption_check', channel, local_date, period_start, period_end,
        lowest, {{ var('utility_intervals_negative_consumption_check_quantity') }}, 'warning'
    from days
    where lowest < {{ var('utility_intervals_negative_consumption_check_quantity') }}
    union all
    select
        provider, meter_key, 'prolonged_estimation_check', channel, local_date, period_start, period_end,
        hours, {{ var('utility_intervals_prolonged_estimation_check_hours') }}, 'warning'
    from estimates
    where hours >= {{ var('utility_intervals_prolonged_estimation_check_hours') }}
    union all
    select
        provider, meter_key, 'unit_of_measure_check', channel, local_date, period_start, period_end,
        odd_units, {{ var('utility_intervals_unit_of_measure_check_readings') }}, 'warning'
    from days
    where odd_units > {{ var('utility_intervals_unit_of_measure_check_readings') }}
    union all
    select
        provider, meter_key, 'staleness_check', null, null, period_start,
        {{ utility_intervals_now() }}, days,
        {{ var('utility_intervals_staleness_check_days') }}, 'warning'
    from silent
    where days is null or days > {{ var('utility_intervals_staleness_check_days') }}
),
worst as (  -- one row a meter, check and period: of several channels the worst
    select *, row_number() over (
        partition by provider, meter_key, check_name, period_start
        order by severity, abs(observed - coalesce(limit_value, 0)) desc nulls first,
            period_end, channel
    ) as place
    from found
),
ends as (  -- local time of what begins where a reading ends, or ends where one begins
    select
        f.provider, f.meter_key, f.period_start, f.period_end,
        f.period_start + (r.local_start - r.interval_start) as local_start
    from worst f
    join readings r
        on r.provider = f.provider and r.meter_key = f.meter_key
        and r.interval_end = f.period_start
    where f.place = 1 and f.local_date is null
    union all
    select
        f.provider, f.meter_key, f.period_start, f.period_end,
        f.period_start + (r.local_start - r.interval_start)
    from worst f
    join readings r
        on r.provider = f.provider and r.meter_key = f.meter_key
        and r.interval_start = f.period_end
    where f.place = 1 and f.local_date is null
),
local_ends as (
    select provider, meter_key, period_start, period_end, max(local_start) as local_start
    from ends
    group by provider, meter_key, period_start, period_end
)
select
    f.provider, f.meter_key, f.check_name,
    coalesce(f.local_date, cast(coalesce(e.local_start, f.period_start) as date)) as local_date,
    f.period_start, f.period_end, f.channel, f.observed, f.limit_value, f.severity
from worst f
left join local_ends e
    on e.provider = f.provider and e.meter_key = f.meter_key
    and e.period_start = f.period_start and e.period_end = f.period_end
    and f.local_date is null
where f.place = 1
