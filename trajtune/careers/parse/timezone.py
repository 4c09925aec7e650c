"""Convert timestamps of Arrow columns to a time zone, so that their text begins with the local day."""

import pyarrow as pa


def in_timezone(rows: pa.Table, timezone: str | None) -> pa.Table:
    """Convert all timestamps with a time zone to ``timezone``, also in lists and structs.

    Timestamps without a zone do not change. None leaves every timestamp in the zone of its column.
    """
    if timezone is None:
        return rows
    fields = [field.with_type(_in_timezone(field.type, timezone)) for field in rows.schema]
    schema = pa.schema(fields)
    return rows if schema.types == rows.schema.types else rows.cast(schema)


def _in_timezone(kind: pa.DataType, timezone: str) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, timezone)
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _in_timezone(kind.value_type, timezone), kind.ordered)
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_in_timezone(kind.value_type, timezone)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_in_timezone(kind.value_type, timezone)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_in_timezone(field.type, timezone)) for field in kind])
    return kind
