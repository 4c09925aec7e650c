"""A proposal for where careers lie, and what every layout's proposal is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trajtune.careers.init.shapes import Shape, ShapeKind
from trajtune.careers.init.tables import JSON_TYPES, Table
from trajtune.careers.init.usual_names import NOT_A_WORD, Field, best_name, is_history_name, name_rank
from trajtune.experiment.sources import PostgresSource

_FITTING_SHAPES: Final[dict[Field, set[ShapeKind]]] = {
    "title": {"text"},
    "start": {"dates"},
    "end": {"dates", "nothing"},
    "current": {"flags"},
}


@dataclass(frozen=True)
class Proposal:
    """Where careers may lie.

    Attributes:
        source: As an experiment names it; every name in it exists in the database.
        shapes: For each setting of the layout, what the sample rows hold there; never a value.
        choices: For each setting of the layout, all names that the table, or its JSON, offers.
        num_rows: The table's rows, as the database estimates them; None if it does not know.
        has_ambiguous_dates: A sampled date can be read in two ways.
        score: Higher fits better; compares the proposals of one database.
    """

    source: PostgresSource
    shapes: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    num_rows: int | None
    has_ambiguous_dates: bool
    score: float


def role_fields(names: Sequence[str], shapes: Mapping[str, Shape]) -> dict[Field, str]:
    """The best name for each field of a role, among columns or keys whose values have the field's shape."""
    chosen: dict[Field, str] = {}
    for field, fitting in _FITTING_SHAPES.items():
        left = [name for name in names if name not in chosen.values() and shapes[name].kind in fitting]
        if (name := best_name(field, left)) is not None:
            chosen[field] = name
    return chosen


def person_column(table: Table, *, is_row_a_person: bool) -> str | None:
    """The column that names the person of a row; the key of a role does not."""
    scalar = [name for name, kind in table.types.items() if kind not in JSON_TYPES]
    if is_row_a_person:
        unique = [name for name in scalar if name in table.unique]
        named = [name for name in scalar if name.lower() in {"id", "uuid"}]
        candidates = [best_name("id", unique), *unique, *named, best_name("id", scalar)]
    else:
        shared = [name for name in scalar if name not in table.unique]
        candidates = [best_name("id", shared), *(name for name in shared if name in table.foreign)]
    return next((name for name in candidates if name is not None), None)


def name_score(table: Table, chosen: Mapping[Field, str]) -> float:
    """Score for well-known names, a table that is named for people or roles, and rows in it."""
    names = sum(1.0 - name_rank(field, name) / NOT_A_WORD for field, name in chosen.items())
    return names + 2.0 * is_history_name(table.name) + (0.5 if table.num_rows else 0.0)
