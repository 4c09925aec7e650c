"""`trajtune init` on real databases: what it writes loads, `prepare` reads it, and no value is ever shown."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml

from tests.cli.running import PASSWORD, Outcome, Trajtune, in_terminal
from trajtune.experiment.load import load_experiment
from trajtune.experiment.settings import Experiment
from trajtune.experiment.sources import PostgresSource

VALUE = "Zyxomma"
"""Part of every value that a test stores in a text."""
PEOPLE = 40
Database = Callable[..., None]


@pytest.fixture
def database(own_database: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Run statements in an empty database, which POSTGRES_URL then names."""
    monkeypatch.setenv("POSTGRES_URL", own_database)

    def run(statement: str, rows: list[tuple[object, ...]] | None = None) -> None:
        with closing(psycopg2.connect(own_database)) as connection, connection, connection.cursor() as cursor:
            if rows is None:
                cursor.execute(statement)
            else:
                cursor.executemany(statement, rows)

    return run


def roles(person: int) -> list[tuple[str, str, str | None]]:
    """Three jobs of a person: title, start, end; the last one held."""
    year = 1990 + person % 20
    return [
        (f"{VALUE} Trainee", f"{year}-01-15", f"{year + 2}-03-31"),
        (f"{VALUE} Developer {person % 3}", f"{year + 2}-04-01", f"{year + 5}-06-30"),
        (f"{VALUE} Lead {person % 2}", f"{year + 5}-07-01", None),
    ]


def json_table(database: Database, name: str, keys: tuple[str, str, str], columns: tuple[str, str]) -> None:
    database(f'create table "{name}" ("{columns[0]}" bigint primary key, note text, "{columns[1]}" jsonb)')
    rows: list[tuple[object, ...]] = [
        (person, f"{VALUE} note", json.dumps([dict(zip(keys, role, strict=True)) for role in roles(person)]))
        for person in range(PEOPLE)
    ]
    database(f'insert into "{name}" values (%s, %s, %s)', rows)


def rows_table(database: Database, name: str, columns: tuple[str, str, str, str], kind: str = "date") -> None:
    person, title, start, end = columns
    database(
        f'create table "{name}" (id bigserial primary key, "{person}" bigint, "{title}" text,'
        f' "{start}" {kind}, "{end}" {kind}, employer text)'
    )
    database(
        f'insert into "{name}" ("{person}", "{title}", "{start}", "{end}", employer)'
        " values (%s, %s, %s, %s, %s)",
        [(person, *role, f"{VALUE} AG") for person in range(PEOPLE) for role in roles(person)],
    )


def written(outcome: Outcome, file: str = "experiment.yaml") -> Experiment:
    """The experiment that `init` wrote; nothing that it said or wrote holds a value or the URL."""
    assert outcome.code == 0, outcome
    text = Path(file).read_text("utf-8")
    for shown in (outcome.out, outcome.err, text):
        assert VALUE not in shown
        assert os.environ["POSTGRES_URL"] not in shown
        assert "postgresql://" not in shown
    assert outcome.out.split() == [file]
    return load_experiment(file)


def reads_every_person(trajtune: Trajtune, file: str = "experiment.yaml") -> bool:
    outcome = trajtune("prepare", file)
    assert outcome.code == 0, outcome.err
    return f"careers     {PEOPLE:,} of {PEOPLE:,}" in outcome.out


def source(experiment: Experiment) -> PostgresSource:
    assert isinstance(experiment.source, PostgresSource)
    return experiment.source


@pytest.mark.parametrize(
    ("table", "keys", "columns"),
    [
        ("candidates", ("title", "start_date", "end_date"), ("id", "work_history")),
        ("pessoas", ("cargo", "início", "fim"), ("código", "experiências")),
        ("Bewerber", ("Stelle", "von", "bis"), ("Bewerber-Nr", "Werdegang")),
    ],
)
def test_a_list_of_roles_a_person_is_found_whatever_its_names_language(
    trajtune: Trajtune,
    database: Database,
    ray_local: None,
    table: str,
    keys: tuple[str, str, str],
    columns: tuple[str, str],
) -> None:
    json_table(database, table, keys, columns)
    layout = source(written(trajtune("init", "--yes"))).layout
    assert layout.layout == "json"
    assert (layout.title_key, layout.start_key, layout.end_key) == keys
    assert (layout.id_column, layout.history_column) == columns
    assert reads_every_person(trajtune)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("employment", ("candidate_id", "job_title", "start_date", "end_date")),
        ("experiencias", ("id_candidato", "cargo", "data_início", "data_fim")),
        ("Stationen", ("Person-ID", "Berufsbezeichnung", "Von", "Bis")),
    ],
)
def test_a_row_a_role_is_found_whatever_its_names_language(
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


def test_a_list_within_an_object_in_another_schema_is_found(
    trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    database("create schema crm")
    database("create table crm.people (person_id text primary key, profile jsonb)")
    rows: list[tuple[object, ...]] = []
    for person in range(PEOPLE):
        jobs = [{"position": t, "from": s, "to": e, "is_current": e is None} for t, s, e in roles(person)]
        schools = [{"title": f"{VALUE} BSc", "from": "1980-01-01", "to": "1984-01-01"}]
        profile = {"name": VALUE, "schools": schools, "jobs": jobs, f"{VALUE}{person}": [{"title": VALUE}]}
        rows.append((f"{VALUE}{person}", json.dumps(profile)))
    database("insert into crm.people values (%s, %s)", rows)
    found = source(written(trajtune("init", "--yes")))
    assert found.table == "crm.people"
    assert found.layout.model_dump() == {
        "layout": "json",
        "id_column": "person_id",
        "history_column": "profile",
        "title_key": "position",
        "start_key": "from",
        "end_key": "to",
        "current_key": "is_current",
        "history_key": "jobs",
    }
    assert reads_every_person(trajtune)


def test_a_table_without_keys_is_identified_by_its_id_and_never_by_its_histories(
    trajtune: Trajtune, database: Database
) -> None:
    database("create table people (cv jsonb, id bigint)")
    job = {"title": VALUE, "from": "2010", "to": "2011"}
    database("insert into people values (%s, 1)", [(json.dumps([job]),)])
    assert source(written(trajtune("init", "--yes"))).layout.id_column == "id"


def test_a_key_that_is_a_value_of_one_row_is_never_shown(trajtune: Trajtune, database: Database) -> None:
    database("create table people (id bigint primary key, profile jsonb)")
    job = {"title": VALUE, "from": "2010", "to": "2011"}
    rows: list[tuple[object, ...]] = [(n, json.dumps({f"{VALUE}{n}": [job]})) for n in range(PEOPLE)]
    database("insert into people values (%s, %s)", rows)
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    assert "people (columns id, profile: no list of roles" in outcome.err
    assert VALUE not in outcome.err


def test_of_several_tables_the_likeliest_is_taken_and_the_others_are_named(
    trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    rows_table(database, "projects", ("user_id", "label_title", "start_date", "end_date"))
    json_table(database, "candidates", ("title", "start_date", "end_date"), ("id", "work_history"))
    database("create table invoices (id bigint primary key, amount numeric)")
    database("insert into invoices values (1, 2.5)")
    experiment = written(trajtune("init", "--yes"))
    assert source(experiment).table == "candidates"
    text = Path("experiment.yaml").read_text("utf-8")
    assert "may hold careers, too: projects" in text
    assert "invoices" not in text

    chosen = written(trajtune("init", "other.yaml", "--yes", "--table", "projects"), "other.yaml")
    assert source(chosen).table == "projects"
    outcome = trajtune("init", "third.yaml", "--yes", "--table", "candidate")
    assert outcome.code == 2
    assert "Did you mean `candidates`?" in outcome.err
    assert not Path("third.yaml").exists()


def test_dates_that_can_be_read_both_ways_are_said_with_the_remedy(
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


@pytest.mark.parametrize("filled", [True, False])
def test_a_database_without_work_histories_is_one_line_that_names_what_was_found(
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


def test_no_existing_file_is_overwritten(trajtune: Trajtune, database: Database, tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text("mine")
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    assert outcome.err.strip() == (
        "ExperimentError: experiment.yaml is there already, and is not overwritten. Give another name."
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
def test_what_cannot_be_written_or_asked_is_said_before_the_database_is_read(
    trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:9/nowhere")
    outcome = trajtune("init", *arguments)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert said in line


def test_a_database_that_is_not_there_is_one_line_without_the_url(
    trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:9/nowhere")
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert "nothing listens there" in line
    assert PASSWORD not in line
    assert list(tmp_path.iterdir()) == []


def test_editors_find_the_schema_that_the_file_names_and_comments_are_yaml(
    trajtune: Trajtune, database: Database, tmp_path: Path
) -> None:
    json_table(database, "yes", ("title", "start_date", "end_date"), ("id", "work\nhistory: #"))
    experiment = written(trajtune("init", "--yes"))
    assert source(experiment).table == "yes"
    assert source(experiment).layout.model_dump()["history_column"] == "work\nhistory: #"
    first = (tmp_path / "experiment.yaml").read_text("utf-8").splitlines()[0]
    schema = json.loads((tmp_path / first.partition("$schema=")[2]).read_text("utf-8"))
    keys = yaml.safe_load((tmp_path / "experiment.yaml").read_text("utf-8"))
    assert set(keys) <= set(schema["properties"])


def test_on_a_terminal_it_asks_which_table_which_names_and_how_dates_are_read(
    database: Database, tmp_path: Path
) -> None:
    rows_table(database, "jobs", ("person_id", "title", "start_date", "end_date"), kind="text")
    database("update jobs set start_date = '03/04/' || left(start_date, 4)")
    json_table(database, "candidates", ("title", "start_date", "end_date"), ("id", "work_history"))
    # The second table; not as it is; another title, after a slip; the rest as proposed; April.
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
