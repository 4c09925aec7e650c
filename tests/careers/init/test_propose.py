"""The best table is proposed first; without one, the error names what was found."""

from pathlib import Path

import pytest

from tests.careers.init.databases import VALUE, Database, json_table, rows_table, source, written
from tests.cli.running import PASSWORD, Trajtune


def test_the_most_likely_table_is_proposed_and_the_others_are_named(
    trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    rows_table(database, "projects", ("user_id", "label_title", "start_date", "end_date"))
    json_table(database, "candidates", ("title", "start_date", "end_date"), ("id", "work_history"))
    database("create table invoices (id bigint primary key, amount numeric)")
    database("insert into invoices values (1, 2.5)")
    experiment = written(trajtune("init", "--yes"))
    assert source(experiment).table == "candidates"
    text = Path("experiment.yaml").read_text("utf-8")
    assert "may also contain careers: projects" in text
    assert "invoices" not in text

    chosen = written(trajtune("init", "other.yaml", "--yes", "--table", "projects"), "other.yaml")
    assert source(chosen).table == "projects"
    outcome = trajtune("init", "third.yaml", "--yes", "--table", "candidate")
    assert outcome.code == 2
    assert "Did you mean `candidates`?" in outcome.err
    assert not Path("third.yaml").exists()


@pytest.mark.parametrize("filled", [True, False])
def test_a_database_without_work_histories_is_one_line_with_what_was_found(
    trajtune: Trajtune, database: Database, tmp_path: Path, filled: bool
) -> None:
    if filled:
        database("create table invoices (id bigint primary key, amount numeric, customer text)")
        database("insert into invoices values (1, 2.5, %s)", [(VALUE,)])
    outcome = trajtune("init", "--yes")
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("SourceError: ")
    assert ("invoices (columns id, amount, customer" if filled else "no table") in line
    assert VALUE not in line
    assert list(tmp_path.iterdir()) == []


def test_a_missing_database_is_one_line_without_the_url(
    trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:9/nowhere")
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert "Connection refused. Start the server, or fix host and port in POSTGRES_URL" in line
    assert PASSWORD not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 / (id - id)", "division by zero"),
        (f"('{VALUE}' || id)::int", 'invalid input syntax for type integer: "…"'),
    ],
)
def test_an_unreadable_view_has_its_error_without_a_value(
    trajtune: Trajtune, database: Database, expression: str, reason: str
) -> None:
    database("create table numbers (id int)")
    database("insert into numbers values (1)")
    database(f"create view candidates as select id, {expression} as work_history from numbers")
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert f"candidates ({reason})" in line
    assert VALUE not in line
