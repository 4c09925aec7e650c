"""A proposal for the location of careers, and the parts that the proposals of all layouts share."""

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
"""Minimum number of values of a name, as a share of the best-filled name's, for its words to count."""


@dataclass(frozen=True)
class Proposal:
    """A possible location of careers.

    Attributes:
        source: The source for an experiment; every name in it exists in the database or the files.
        shapes: For each setting of the layout, the shape of the sampled values; never a value.
        choices: For each setting of the layout, all names in the table or its JSON.
        num_rows: Number of rows, as the database estimates it; None if unknown.
        has_ambiguous_dates: Whether a sampled date is ambiguous.
        score: A higher score is a better fit; comparable within one database.
        samples: The sampled rows, for testing the proposal.
        notes: Sentences for the user.
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
    """Return the source that reads a table in a layout."""
    kind = PostgresSource if table.base["kind"] == "postgres" else FileSource
    return kind.model_validate({**table.base, "layout": layout})


def role_fields(names: Sequence[str], shapes: Mapping[str, Shape]) -> dict[Field, str]:
    """Return the best name for each field of a role, among columns or keys whose values have its shape.

    Names that few rows fill are left out. Among the others, the words of the name decide. A range of dates in
    one field is both start and end.
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
    """Return the column with the person of a row, not the key of a role."""
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
    # An address is also unique, but people change it.
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
    """Score known names, a table named for people or roles, and the number of rows."""
    names = sum(1.0 - name_rank(field, name) / NOT_A_WORD for field, name in chosen.items())
    return names + 2.0 * is_history_name(table.name) + (0.5 if table.num_rows else 0.0)
