"""Propose a table with one row per role."""

from collections.abc import Mapping, Sequence
from typing import Final

from trajtune.careers.init.proposal import Proposal, name_score, person_column, role_fields, source_of
from trajtune.careers.init.shapes import Shape, shape_of
from trajtune.careers.init.table import Row, Table
from trajtune.careers.init.usual_names import Field, names_month, names_other_list
from trajtune.experiment.sources import RoleRows

_WORDS: Final = {"title": "title", "start": "start date", "end": "end date"}


def propose_rows(table: Table, samples: Sequence[Row]) -> Proposal | str:
    """Propose a table, or return what it lacks.

    Args:
        table: The table.
        samples: Sampled rows, as text.
    """
    columns = list(table.types)
    shapes = {name: shape_of([row[name] for row in samples], table.types[name]) for name in columns}
    person = person_column(table, samples, is_row_a_person=False)
    chosen = role_fields([name for name in columns if name != person], shapes)
    missing = [word for field, word in _WORDS.items() if field not in chosen]
    if person is None and not table.is_one_person_a_file:
        missing.insert(0, "column that names the person")
    if missing:
        return "no " + ", no ".join(missing)
    settings = {
        "id_column": person,
        "title_column": chosen["title"],
        "start_column": chosen["start"],
        "end_column": chosen["end"],
        "current_column": chosen.get("current"),
    }
    return Proposal(
        source=source_of(table, RoleRows.model_validate(settings)),
        shapes={
            setting: f"{table.types[column]}, of {len(samples)} rows {shapes[column].description}"
            for setting, column in settings.items()
            if column is not None
        },
        choices=dict.fromkeys(settings, columns),
        num_rows=table.num_rows,
        has_ambiguous_dates=any(shapes[chosen[field]].is_ambiguous for field in ("start", "end")),
        score=name_score(table, chosen)
        - 2.0 * names_other_list([table.name.rpartition("/")[2].split(".")[0]]),
        samples=samples,
        notes=_lost_months(columns, chosen, shapes),
    )


def _lost_months(
    columns: Sequence[str], chosen: Mapping[Field, str], shapes: Mapping[str, Shape]
) -> tuple[str, ...]:
    """Return a note for years whose months are in a separate column."""
    pairs = [
        (chosen[field], column)
        for field in ("start", "end")
        for column in columns
        if shapes[chosen[field]].is_by_year
        and shapes[column].kind == "other"
        and names_month(column, chosen[field])
    ]
    if not pairs:
        return ()
    years, months = " and ".join(year for year, _ in pairs), " and ".join(month for _, month in pairs)
    return (
        f"The months in {months} are lost, because a date is read from one column: {years}. To keep them, "
        "join year and month to one date, for example with `source.query` or in a view.",
    )
