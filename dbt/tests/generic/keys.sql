{% test unique_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_of_key
from {{ model }}
{%- if target.type == 'duckdb' %}  {# numbers are grouped sooner than texts #}
where hash({{ columns | join(', ') }}) in (
    select hash({{ columns | join(', ') }})
    from {{ model }}
    group by all
    having count(*) > 1
)
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{% test unique_readings(model) %}
select provider, meter_key, channel, interval_start, interval_end, count(*) as rows_of_key
from {{ model }}
{%- if target.type == 'duckdb' %}
where {{ utility_intervals_block() }} in (
    {{ utility_intervals_doubtful(model) }}
)
{%- endif %}
group by provider, meter_key, channel, interval_start, interval_end
having count(*) > 1
{% endtest %}

{% test no_overlap(model, of, starts, ends) %}
select *
from (
    select *, max({{ ends }}) over (
        partition by {{ of | join(', ') }} order by {{ starts }}, {{ ends }}
        rows between unbounded preceding and 1 preceding
    ) as so_far
    from {{ model }}
) ordered
where so_far > {{ starts }} or {{ ends }} <= {{ starts }}
{% endtest %}
