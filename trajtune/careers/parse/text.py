"""Columns of any type as text, so that everything after this reads one type."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from trajtune.errors import SourceError


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
    """A column as strings; integral floats without their fraction, so that 2020.0 is the year 2020."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        as_integers = pc.cast(column, pa.int64(), safe=False)
        is_integer = pc.equal(pc.cast(as_integers, column.type), column)
        return pc.if_else(is_integer, as_integers.cast(pa.string()), column.cast(pa.string()))
    return column.cast(pa.string())


def text_column(rows: pa.Table, name: str) -> pa.Array:
    """A table's column as strings; nulls if there is no such column."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), pa.string())
    return as_text(rows[name].combine_chunks())


def id_column(rows: pa.Table) -> pa.Array:
    """The ids as strings, stripped; null where there is nothing."""
    return blank_to_null(pc.utf8_trim_whitespace(text_column(rows, "id")))


def blank_to_null(texts: pa.Array) -> pa.Array:
    """Null where there is nothing but white space."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts), ""), pa.scalar(None, pa.string()), texts)
