"""`trajtune init` on real databases: its files load, `prepare` reads them, and no value is shown."""

from pathlib import Path

import pytest

from tests.careers.init.databases import (
    VALUE,
    Database,
    json_table,
    reads_every_person,
    rows_table,
    source,
    written,
)
from tests.cli.running import PASSWORD, Trajtune, in_terminal
from trajtune.experiment.load import load_experiment


def test_ambiguous_dates_are_reported_with_the_remedy(
    trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    rows_table(database, "jobs", ("person_id", "title", "start_date", "end_date"), kind="text")
    for column in ("start_date", "end_date"):
        database(f"update jobs set {column} = '03/04/' || left({column}, 4)")
    outcome = trajtune("init", "--yes")
    assert written(outcome).data.day_first is None
    assert "Set `data.day_first` in experiment.yaml" in outcome.err
    text = Path("experiment.yaml").read_text("utf-8")
    assert "DECIDE THIS" in text
    decided = text.replace("day_first: null", "day_first: true")
    Path("decided.yaml").write_text(decided, "utf-8")
    assert reads_every_person(trajtune, "decided.yaml")


def test_an_existing_file_is_not_overwritten(trajtune: Trajtune, database: Database, tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text("mine")
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    assert outcome.err.strip() == (
        "ExperimentError: experiment.yaml exists, and is not overwritten. Give another name."
    )
    assert (tmp_path / "experiment.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["e.txt", "--yes"], "must end in .yaml"),
        (["no/e.yaml", "--yes"], "no directory no"),
        (["e.yaml"], "Give --yes"),
    ],
)
def test_output_and_terminal_are_checked_before_the_database_is_read(
    trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:9/nowhere")
    outcome = trajtune("init", *arguments)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert said in line


def test_on_a_terminal_it_asks_for_table_names_and_the_order_of_dates(
    database: Database, tmp_path: Path
) -> None:
    rows_table(database, "jobs", ("person_id", "title", "start_date", "end_date"), kind="text")
    database("update jobs set start_date = '03/04/' || left(start_date, 4)")
    json_table(database, "candidates", ("title", "start_date", "end_date"), ("id", "work_history"))
    # Answers: the second table; no; another title, after a typo; the rest as proposed; April.
    answers = "2\nn\n\nemployr\nemployer\n\n\n\napril\n"
    code, said = in_terminal(tmp_path, "init", answers=answers)
    assert code == 0, said
    experiment = load_experiment(str(tmp_path / "experiment.yaml"))
    assert source(experiment).table == "jobs"
    assert source(experiment).layout.model_dump()["title_column"] == "employer"
    assert experiment.data.day_first is True
    assert "Did you mean employer?" in said
    assert VALUE not in said
    assert (
        "text, of"
        not in (tmp_path / "experiment.yaml").read_text("utf-8").split("title_column")[1].split("\n")[0]
    )


def test_an_interrupted_question_writes_nothing_and_exits_130(database: Database, tmp_path: Path) -> None:
    json_table(database, "candidates", ("title", "start_date", "end_date"), ("id", "work_history"))
    code, said = in_terminal(tmp_path, "init", answers="\x04")
    assert code == 130, said
    assert "Interrupted." in said
    assert list(tmp_path.iterdir()) == []
