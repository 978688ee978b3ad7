{#- Rows of a model that are not expected, and expected ones that it lacks; none is well. -#}
{%- macro same_rows(name, columns) -%}
{%- set found = ref('utility_intervals__' ~ name) -%}
{%- set expected = ref('expected_' ~ name) -%}
select 'unexpected' as is_what, u.*
from (select {{ columns }} from {{ found }} except all select {{ columns }} from {{ expected }}) u
union all
select 'missing', m.*
from (select {{ columns }} from {{ expected }} except all select {{ columns }} from {{ found }}) m
{%- endmacro -%}
