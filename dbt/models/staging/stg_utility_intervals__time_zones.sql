{% if var('utility_intervals_time_zones') -%}
select provider, meter_key, time_zone
from {{ var('utility_intervals_time_zones') }}
{%- else -%}
select
    cast(null as varchar) as provider,
    cast(null as varchar) as meter_key,
    cast(null as varchar) as time_zone
where false
{%- endif %}
