"""Propose a table that holds a row for each role."""

from collections.abc import Mapping, Sequence

from trajtune.careers.init.proposal import Proposal, name_score, person_column, role_fields
from trajtune.careers.init.shapes import shape_of
from trajtune.careers.init.tables import Table
from trajtune.experiment.sources import PostgresSource, RoleRows


def propose_rows(table: Table, samples: Sequence[Mapping[str, str | None]]) -> Proposal | str:
    """A proposal for a table, or what it lacks.

    Args:
        table: The table.
        samples: A few of its rows, as text.
    """
    columns = list(table.types)
    shapes = {name: shape_of([row[name] for row in samples], table.types[name]) for name in columns}
    person = person_column(table, is_row_a_person=False)
    chosen = role_fields([name for name in columns if name != person], shapes)
    words = {"title": "title", "start": "start date", "end": "end date"}
    missing = [word for field, word in words.items() if field not in chosen]
    if person is None:
        missing.insert(0, "column that names the person")
    if missing or person is None:
        return "no " + ", no ".join(missing)
    settings = {
        "id_column": person,
        "title_column": chosen["title"],
        "start_column": chosen["start"],
        "end_column": chosen["end"],
        "current_column": chosen.get("current"),
    }
    return Proposal(
        source=PostgresSource(table=table.name, layout=RoleRows(**settings)),  # type: ignore[arg-type]
        shapes={
            setting: f"{table.types[column]}, of {len(samples)} rows {shapes[column].description}"
            for setting, column in settings.items()
            if column is not None
        },
        choices=dict.fromkeys(settings, columns),
        num_rows=table.num_rows,
        has_ambiguous_dates=any(shapes[chosen[field]].is_ambiguous for field in ("start", "end")),
        score=name_score(table, chosen),
    )
