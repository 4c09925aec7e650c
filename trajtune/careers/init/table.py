"""A table, a view, or rows of files, with its columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

JSON_TYPES: Final = ("json", "jsonb")
TEXT_TYPES: Final = ("text", "character varying", "character", "citext", "name")
ARRAY_TYPES: Final = ("json[]", "jsonb[]", "text[]", "character varying[]")
MAX_ROWS: Final = 1_000
"""Maximum number of sampled rows."""

Row = Mapping[str, str | None]
"""A sampled row, each value as text."""


@dataclass(frozen=True)
class Table:
    """A table or view that this user may read, or the rows of files.

    Attributes:
        base: The settings of an experiment's ``source`` without its layout.
        name: Value for `source.table` or `source.path`.
        num_rows: Number of rows, as the database estimates it; None if unknown.
        types: The type of each column, in the table's order.
        unique: Columns that are a primary or unique key by themselves.
        foreign: Columns that are a foreign key by themselves.
        is_one_person_a_file: Whether there are several files, each possibly of one person.
    """

    base: Mapping[str, str]
    name: str
    num_rows: int | None
    types: dict[str, str]
    unique: frozenset[str]
    foreign: frozenset[str]
    is_one_person_a_file: bool = False
