{% if var('utility_intervals_time_zones') -%}
-- A meter that is named twice is still one.
select provider, meter_key, min(time_zone) as time_zone
from {{ var('utility_intervals_time_zones') }}
group by provider, meter_key
{%- else -%}
select
    cast(null as varchar) as provider,
    cast(null as varchar) as meter_key,
    cast(null as varchar) as time_zone
where false
{%- endif %}
