"""Columns of any type as text, value by value, so that everything after this reads one type."""

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
"""Ids and titles that are missing, in any case; not `NA`, which is a title that people have."""


@contextmanager
def arrow_overflow_explained() -> Iterator[None]:
    """Explain in one line that a column of text is larger than 2 GB, the most that an array's offsets reach.

    Raises:
        SourceError: If one is.
    """
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
        if "offset overflow" not in str(error) and not isinstance(error, pa.ArrowCapacityError):
            raise
        raise SourceError(
            "The ids or the titles of a split must be less than 2 GB of text (some 20 million careers), but "
            "are more. Read fewer careers, for example a sample by `source.query`."
        ) from None


def as_text(column: pa.Array) -> pa.Array:
    """A column as strings; one value that has no text changes no other.

    Integral floats and decimals lose their fraction, so that 2020.0 is the year 2020. NaN is null. A list, a
    struct or a map is written as JSON. Bytes that are not UTF-8 are written with escapes, as in ``\\xe9``.
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
            pass  # a kind, or one value of it, that Arrow cannot write
    return pa.array([value_text(value) for value in values_of(column)], pa.string())


def is_not_text(column: pa.Array) -> NDArray[np.bool_]:
    """bool ``[R]``: values that cannot be a text: lists, structs, maps, and bytes that are not UTF-8."""
    column = plain(column)
    if is_bytes_or_text(column.type):
        return decoded(column)[1]
    if pa.types.is_nested(column.type):
        return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    return np.zeros(len(column), bool)


def plain(column: pa.Array) -> pa.Array:
    """The column without a dictionary, run lengths or an extension type; 16 bytes are a UUID."""
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
    """Whether values of a type are sequences of bytes, UTF-8 or not."""
    tests = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return pa.types.is_fixed_size_binary(kind) or any(getattr(pa.types, f"is_{name}")(kind) for name in tests)


def values_of(column: pa.Array) -> list[Any]:
    """The values as Python objects, maps as dicts; one that Python cannot hold is its text in Arrow."""
    try:
        return list(column.to_pylist(maps_as_pydicts="lossy"))
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
        return [_value_of(scalar) for scalar in column]


def value_text(value: Any) -> str | None:
    """A value as text; whole numbers without a fraction, so that 2020.0 is the year 2020.

    NaN is None. A lone half of a surrogate pair is written with its escape, as JSON does.
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
    except TypeError:  # keys of a map that JSON cannot have
        return ascii(value)


_LONGEST_INTEGER: Final = 10**30


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold a text: not if it has half of a surrogate pair, which JSON allows."""
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
        # Arrow cannot print it either if it is nested.
        return str(scalar) if not pa.types.is_nested(scalar.type) else f"{scalar.type} that is out of range"


def _uuids(column: pa.Array) -> pa.Array:
    values = column.to_pylist()
    return pa.array([None if value is None else str(UUID(bytes=value)) for value in values], pa.string())


_BEYOND_INT64: Final = 2.0**63


def _digits(column: pa.Array) -> pa.Array:
    """Floats as strings; NaN is null."""
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
    """A table's column as strings; nulls if there is no such column."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), pa.string())
    return as_text(rows[name].combine_chunks())


def id_column(rows: pa.Table) -> pa.Array:
    """The ids as strings, stripped; null where there is nothing, a word for it, or no text."""
    texts = missing_to_null(pc.utf8_trim_whitespace(text_column(rows, "id")))
    if "id" not in rows.column_names:
        return texts
    return pc.if_else(pa.array(is_not_text(rows["id"].combine_chunks())), pa.scalar(None, pa.string()), texts)


def blank_to_null(texts: pa.Array) -> pa.Array:
    """Null where there is nothing but white space."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts), ""), pa.scalar(None, pa.string()), texts)


def missing_to_null(texts: pa.Array) -> pa.Array:
    """Null where there is nothing but white space, or one of `MISSING_WORDS`."""
    words = pa.array(["", *MISSING_WORDS])
    is_missing = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), value_set=words)
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), texts)
