{#- What DuckDB and PostgreSQL word differently. Branches are on `target.type` alone, so
    that anything which knows Jinja can render the models: see docs/models.md. -#}

{#- A loader's table, or the files of `utility-intervals load --into lake/`. Of a row that
    is in several commits staging and `current` take the newest, as from any loader that
    appends. -#}
{%- macro utility_intervals_table(name) -%}
{%- if var('utility_intervals_parquet') -%}
read_parquet('{{ var('utility_intervals_parquet') }}/data/*/{{ name }}.parquet', union_by_name = true)
{%- else -%}
{{ source('utility_intervals', name) }}
{%- endif -%}
{%- endmacro -%}

{#- A column of a loader as a timestamp in UTC without zone, whether the loader made it
    `timestamptz` or `timestamp`: both have the same epoch, whatever the session's zone. -#}
{%- macro utility_intervals_instant(column) -%}
{%- if target.type == 'postgres' -%}
timestamp 'epoch' + interval '1 microsecond' * (extract(epoch from {{ column }}) * 1000000)
{%- else -%}
make_timestamp(epoch_us({{ column }}))
{%- endif -%}
{%- endmacro -%}

{#- A column of a loader as a decimal; a double by its shortest digits. -#}
{%- macro utility_intervals_decimal(column) -%}
{%- if target.type == 'postgres' -%}
cast({{ column }} as numeric)
{%- else -%}
case
        when typeof({{ column }}) in ('DOUBLE', 'FLOAT')
            then try_cast(cast({{ column }} as varchar) as decimal(38, 18))
        else try_cast({{ column }} as decimal(38, 18))
    end
{%- endif -%}
{%- endmacro -%}

{#- In a select list: one row for each step from `first` to `last`. -#}
{%- macro utility_intervals_series(first, last, step) -%}
{%- if target.type == 'postgres' -%}
generate_series({{ first }}, {{ last }}, interval '{{ step }}')
{%- else -%}
unnest(generate_series({{ first }}, {{ last }}, interval '{{ step }}'))
{%- endif -%}
{%- endmacro -%}

{#- Local time of an instant in a zone; null for a zone that is null. -#}
{%- macro utility_intervals_in_zone(instant, zone) -%}
{{ instant }} at time zone 'UTC' at time zone {{ zone }}
{%- endmacro -%}

{#- The instant of a local time in a zone. -#}
{%- macro utility_intervals_from_zone(local, zone) -%}
{{ local }} at time zone {{ zone }} at time zone 'UTC'
{%- endmacro -%}

{#- Seconds from one timestamp to another. -#}
{%- macro utility_intervals_seconds(first, last) -%}
extract(epoch from {{ last }} - {{ first }})
{%- endmacro -%}

{#- Microseconds of a timestamp since 1970. -#}
{%- macro utility_intervals_micros(instant) -%}
{%- if target.type == 'postgres' -%}
cast(extract(epoch from {{ instant }}) * 1000000 as bigint)
{%- else -%}
epoch_us({{ instant }})
{%- endif -%}
{%- endmacro -%}

{#- An aggregate: `what` of the row with the highest value, of several the earliest. -#}
{%- macro utility_intervals_of_highest(what, value, starts) -%}
{%- if target.type == 'postgres' -%}
(array_agg({{ what }} order by {{ value }} desc, {{ starts }}))[1]
{%- else -%}
max({'value': {{ value }}, 'earlier': -epoch_us({{ starts }}), 'what': {{ what }}})['what']
{%- endif -%}
{%- endmacro -%}

{#- Now, in UTC; or what `utility_intervals_as_of` says. -#}
{%- macro utility_intervals_now() -%}
{%- if var('utility_intervals_as_of') -%}
cast('{{ var('utility_intervals_as_of') }}' as timestamp)
{%- else -%}
{{ utility_intervals_instant('now()') }}
{%- endif -%}
{%- endmacro -%}
