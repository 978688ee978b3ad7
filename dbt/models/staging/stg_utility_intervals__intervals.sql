select
    provider,
    meter_key,
    channel,
    {{ utility_intervals_instant('interval_start') }} as interval_start,
    {{ utility_intervals_instant('interval_end') }} as interval_end,
    cast(interval_seconds as bigint) as interval_seconds,
    cast(utc_offset_seconds as bigint) as utc_offset_seconds,
    {{ utility_intervals_decimal('quantity') }} as quantity,
    unit,
    {{ utility_intervals_decimal('quantity_normalized') }} as quantity_normalized,
    unit_normalized,
    measure,
    flow,
    commodity,
    quality,
    coalesce(connection_id, meter_key) as source,
    {{ utility_intervals_instant('read_at') }} as read_at
from {{ utility_intervals_table('intervals') }}
