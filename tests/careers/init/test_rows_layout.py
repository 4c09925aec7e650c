"""A table with one row per role is found, whatever its names."""

import pytest

from tests.careers.init.databases import Database, reads_every_person, rows_table, source, written
from tests.cli.running import Trajtune


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("employment", ("candidate_id", "job_title", "start_date", "end_date")),
        ("experiencias", ("id_candidato", "cargo", "data_início", "data_fim")),
        ("Stationen", ("Person-ID", "Berufsbezeichnung", "Von", "Bis")),
    ],
)
def test_one_row_per_role_is_found_in_any_language(
    trajtune: Trajtune,
    database: Database,
    ray_local: None,
    table: str,
    columns: tuple[str, str, str, str],
) -> None:
    rows_table(database, table, columns)
    layout = source(written(trajtune("init", "--yes"))).layout
    assert layout.layout == "roles"
    found = (layout.id_column, layout.title_column, layout.start_column, layout.end_column)
    assert found == columns
    assert reads_every_person(trajtune)
