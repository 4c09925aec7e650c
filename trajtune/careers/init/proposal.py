"""A proposal for where careers lie, and what every layout's proposal is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trajtune.careers.init.shapes import Shape, ShapeKind
from trajtune.careers.init.table import ARRAY_TYPES, JSON_TYPES, Row, Table
from trajtune.careers.init.usual_names import (
    NOT_A_WORD,
    Field,
    best_name,
    is_contact_name,
    is_history_name,
    name_rank,
)
from trajtune.experiment.sources import FileSource, Layout, PostgresSource

_FITTING_SHAPES: Final[dict[Field, set[ShapeKind]]] = {
    "title": {"text"},
    "start": {"dates"},
    "end": {"dates", "nothing"},
    "current": {"flags"},
    "range": {"ranges"},
}
_LEAST_COVERAGE: Final[dict[Field, float]] = {"title": 0.8, "start": 0.8, "range": 0.8}
"""Share of the best-filled name's values that a name must have too, to be chosen for what it says."""


@dataclass(frozen=True)
class Proposal:
    """Where careers may lie.

    Attributes:
        source: As an experiment names it; every name in it exists in the database or the files.
        shapes: For each setting of the layout, what the sample rows hold there; never a value.
        choices: For each setting of the layout, all names that the table, or its JSON, offers.
        num_rows: The table's rows, as the database estimates them; None if it does not know.
        has_ambiguous_dates: A sampled date can be read in two ways.
        score: Higher fits better; compares the proposals of one database.
        samples: The rows that it was made of, to try it on.
        notes: What the user should know, a sentence each.
    """

    source: PostgresSource | FileSource
    shapes: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    num_rows: int | None
    has_ambiguous_dates: bool
    score: float
    samples: Sequence[Row] = ()
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The table, or the path of the files."""
        return self.source.table if isinstance(self.source, PostgresSource) else self.source.path


def source_of(table: Table, layout: Layout) -> PostgresSource | FileSource:
    """The source that reads a table in a layout."""
    kind = PostgresSource if table.base["kind"] == "postgres" else FileSource
    return kind.model_validate({**table.base, "layout": layout})


def role_fields(names: Sequence[str], shapes: Mapping[str, Shape]) -> dict[Field, str]:
    """The best name for each field of a role, among columns or keys whose values have the field's shape.

    Of names that fit, those that few rows fill are left out; then the name that says it best counts. A range
    of dates in one field is its start and its end.
    """
    chosen: dict[Field, str] = {}
    for field, fitting in _FITTING_SHAPES.items():
        left = [
            name
            for name in names
            if name not in chosen.values()
            and shapes[name].kind in fitting
            and name_rank(field, name) < NOT_A_WORD
        ]
        most = max((shapes[name].share for name in left), default=0.0)
        filled = [name for name in left if shapes[name].share >= _LEAST_COVERAGE.get(field, 0.3) * most]
        if (name := best_name(field, filled)) is not None:
            chosen[field] = name
    if "range" in chosen and not {"start", "end"} <= set(chosen):
        chosen["start"] = chosen["end"] = chosen["range"]
    chosen.pop("range", None)
    return chosen


def person_column(table: Table, samples: Sequence[Row], *, is_row_a_person: bool) -> str | None:
    """The column that names the person of a row; the key of a role does not."""
    scalar = [
        name
        for name, kind in table.types.items()
        if kind not in (*JSON_TYPES, *ARRAY_TYPES) and any(row[name] for row in samples)
    ]
    if not is_row_a_person:
        shared = [name for name in scalar if name not in table.unique]
        candidates = [best_name("id", shared), *(name for name in shared if name in table.foreign)]
        return next((name for name in candidates if name is not None), None)
    named = [name for name in scalar if name.lower() in {"id", "uuid", "_id"}]
    keys = [name for name in scalar if name in table.unique]
    # An address is unique too, but people change it.
    lasting = [name for name in keys if not is_contact_name(name)]
    candidates = [
        *(name for name in named if name in keys),
        best_name("id", lasting),
        *(name for name in named if _is_distinct(name, samples)),
        *lasting,
        *named,
        best_name("id", scalar),
        *keys,
    ]
    return next((name for name in candidates if name is not None), None)


def _is_distinct(name: str, samples: Sequence[Row]) -> bool:
    values = [row[name] for row in samples]
    return None not in values and len(set(values)) == len(values)


def name_score(table: Table, chosen: Mapping[Field, str]) -> float:
    """Score for well-known names, a table that is named for people or roles, and rows in it."""
    names = sum(1.0 - name_rank(field, name) / NOT_A_WORD for field, name in chosen.items())
    return names + 2.0 * is_history_name(table.name) + (0.5 if table.num_rows else 0.0)
