{#- In `utility_intervals__checks`: readings of the chosen channel that are alike and follow one
    another without a hole, however many. Only those are put in order. -#}
{%- macro utility_intervals_runs(alike) -%}
select
        provider, meter_key, channel, min(local_date) as local_date,
        min(interval_start) as period_start, max(interval_end) as period_end,
        sum(interval_seconds) / 3600.0 as hours
    from (
        select *, sum(case when interval_start <= before_end + interval '1 minute' then 0 else 1 end)
            over (partition by provider, meter_key, channel order by interval_start) as run
        from (
            select
                provider, meter_key, channel, local_date, interval_start, interval_end,
                interval_seconds,
                lag(interval_end) over (
                    partition by provider, meter_key, channel order by interval_start
                ) as before_end
            from readings
            where is_chosen and not overlaps_in_day and {{ alike }}
        ) neighbours
    ) numbered
    group by provider, meter_key, channel, run
{%- endmacro -%}
