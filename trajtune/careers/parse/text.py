"""Convert columns of any type to text, so that later steps read only one type."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.sources.read_file import decoded
from trajtune.errors import SourceError

MISSING_WORDS: Final = ("null", "(null)", "<na>", "none", "nan", "nat", "n/a", "#n/a", r"\n")
"""Words for missing ids and titles, in any case. `NA` is not one of them, because it is a real title."""


@contextmanager
def arrow_overflow_explained() -> Iterator[None]:
    """Turn Arrow's error for a column of more than 2 GB of text, the limit of an array, into one line.

    Raises:
        SourceError: If a column is too large.
    """
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
        if "offset overflow" not in str(error) and not isinstance(error, pa.ArrowCapacityError):
            raise
        raise SourceError(
            "The ids or the titles of a split must be less than 2 GB of text (about 20 million careers), but "
            "are more. Read fewer careers, for example a sample by `source.query`."
        ) from None


def as_text(column: pa.Array) -> pa.Array:
    """Return a column as strings. A value that cannot be converted does not affect the others.

    Integral floats and decimals lose their fraction, so that 2020.0 is the year 2020. NaN is null. A list, a
    struct or a map becomes JSON. Bytes that are not UTF-8 become escapes such as ``\\xe9``.
    """
    column = plain(column)
    kind = column.type
    if is_bytes_or_text(kind):
        return decoded(column)[0]
    if pa.types.is_floating(kind):
        return _digits(column)
    if pa.types.is_decimal(kind):
        return pa.array([value_text(value) for value in values_of(column)], pa.string())
    if not pa.types.is_nested(kind):
        try:
            return column.cast(pa.string())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            pass  # a type, or a value of it, that Arrow cannot convert
    return pa.array([value_text(value) for value in values_of(column)], pa.string())


def is_not_text(column: pa.Array) -> NDArray[np.bool_]:
    """Return bool ``[R]``: values that are not text: lists, structs, maps, and bytes that are not UTF-8."""
    column = plain(column)
    if is_bytes_or_text(column.type):
        return decoded(column)[1]
    if pa.types.is_nested(column.type):
        return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    return np.zeros(len(column), bool)


def plain(column: pa.Array) -> pa.Array:
    """Decode dictionaries, run lengths and extension types; convert 16 bytes to a UUID."""
    while True:
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        elif pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        elif pa.types.is_run_end_encoded(column.type):
            column = pc.run_end_decode(column)
        elif pa.types.is_fixed_size_binary(column.type) and column.type.byte_width == _UUID_BYTES:
            column = _uuids(column)
        else:
            return column


_UUID_BYTES: Final = 16


def is_bytes_or_text(kind: pa.DataType) -> bool:
    """Return whether values of a type are sequences of bytes, UTF-8 or not."""
    tests = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return pa.types.is_fixed_size_binary(kind) or any(getattr(pa.types, f"is_{name}")(kind) for name in tests)


def values_of(column: pa.Array) -> list[Any]:
    """Return the values as Python objects, and a value that Python cannot represent as Arrow's text."""
    try:
        return list(column.to_pylist(maps_as_pydicts="lossy"))
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
        return [_value_of(scalar) for scalar in column]


def value_text(value: Any) -> str | None:
    """Return a value as text, and whole numbers without a fraction, so that 2020.0 is the year 2020.

    NaN gives None. A lone half of a surrogate pair becomes an escape, as in JSON.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value if is_unicode(value) else json.dumps(value)
    if isinstance(value, float | Decimal):
        if value != value:
            return None
        is_small = -_LONGEST_INTEGER < value < _LONGEST_INTEGER
        return str(int(value)) if is_small and value == int(value) else str(value)
    if isinstance(value, date):  # from Parquet
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if not isinstance(value, dict | list | tuple | int):
        return str(value)
    try:
        return json.dumps(value, default=value_text)
    except TypeError:  # JSON does not allow these keys of a map
        return ascii(value)


_LONGEST_INTEGER: Final = 10**30


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can encode a text. It cannot encode half of a surrogate pair, as JSON can."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value_of(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
        # Arrow cannot print a nested value either.
        return str(scalar) if not pa.types.is_nested(scalar.type) else f"{scalar.type} that is out of range"


def _uuids(column: pa.Array) -> pa.Array:
    values = column.to_pylist()
    return pa.array([None if value is None else str(UUID(bytes=value)) for value in values], pa.string())


_BEYOND_INT64: Final = 2.0**63


def _digits(column: pa.Array) -> pa.Array:
    """Return floats as strings, and NaN as null."""
    values = column.cast(pa.float64())
    whole = pc.and_(
        pc.and_(pc.is_finite(values), pc.equal(pc.floor(values), values)),
        pc.less(pc.abs(values), _BEYOND_INT64),
    ).fill_null(False)
    integers = pc.if_else(whole, values, pa.scalar(0.0)).cast(pa.int64())
    narrow = column if pa.types.is_float32(column.type) else values
    texts = pc.if_else(whole, integers.cast(pa.string()), narrow.cast(pa.string()))
    return pc.if_else(pc.is_nan(values).fill_null(True), pa.scalar(None, pa.string()), texts)


def text_column(rows: pa.Table, name: str) -> pa.Array:
    """Return a table's column as strings, or nulls if it does not exist."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), pa.string())
    return as_text(rows[name].combine_chunks())


def id_column(rows: pa.Table) -> pa.Array:
    """Return the ids as stripped strings; null for blanks, words for a missing id, and non-text."""
    texts = missing_to_null(pc.utf8_trim_whitespace(text_column(rows, "id")))
    if "id" not in rows.column_names:
        return texts
    return pc.if_else(pa.array(is_not_text(rows["id"].combine_chunks())), pa.scalar(None, pa.string()), texts)


def blank_to_null(texts: pa.Array) -> pa.Array:
    """Replace blank texts by null."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts), ""), pa.scalar(None, pa.string()), texts)


def missing_to_null(texts: pa.Array) -> pa.Array:
    """Replace blank texts and `MISSING_WORDS` by null."""
    words = pa.array(["", *MISSING_WORDS])
    is_missing = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), value_set=words)
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), texts)
