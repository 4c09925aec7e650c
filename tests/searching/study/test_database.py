"""A study in a real PostgreSQL: search, resume, restarts during a search, and no trace of the password."""

import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import optuna
import psycopg2
import pytest

from tests.searching.faults.killing import check_invariants, opened, results, start
from tests.searching.faults.test_kill import TRIALS, experiment
from tests.support.marked_password import PASSWORD, check_password_shows_nowhere
from tests.support.postgres_server import Server, between, database_server
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.searching.run import resume_search, start_search
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.doctor import examine
from trajtune.searching.show.status import status_of
from trajtune.searching.study import database
from trajtune.searching.study.database import database_storage, writer_retries
from trajtune.searching.study.open import DATABASE_FILE, create_study, read_study
from trajtune.searching.study.retries import set_retries
from trajtune.searching.study.study import ask, record_epoch, tell_complete, trials_of

pytestmark = pytest.mark.timeout(600)

VARIABLE = "TRAJTUNE_STUDY_URL"
EPOCHS = "select count(*) from trial_intermediate_values"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with database_server(tmp_path_factory.mktemp("database")) as running:
        yield running


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, server.url)
    return server.url


def in_database(directory: Path, **search: object) -> Experiment:
    settings = experiment(directory, **search)
    storage = {"runs": str(directory / "runs"), "study_url_variable": VARIABLE}
    return validate(Experiment, {**settings.model_dump(), "storage": storage}, "test")


def wait_for_epochs(driver: "subprocess.Popen[bytes] | None", url: str, wanted: int) -> None:
    """Wait until the database has ``wanted`` more epochs; the driver, if there is one, must still run."""
    before = None
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (driver is None or driver.poll() is None):
        connection = psycopg2.connect(url)
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass('trial_intermediate_values') is not null")
            if cursor.fetchone() == (True,):
                cursor.execute(EPOCHS)
                (epochs,) = cursor.fetchone() or (0,)
                before = epochs if before is None else before
                if epochs >= before + wanted:
                    connection.close()
                    return
        connection.close()
    raise AssertionError("the search was over too soon")


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_a_search_with_its_study_in_a_database_can_be_extended(
    url: str, small_snapshot: Snapshot, tmp_path: Path
) -> None:
    settings = in_database(tmp_path, trials=3)
    run = start_search(settings, small_snapshot, name="run")

    assert not (run.path / "study.journal").exists()
    check_invariants(run, 3)
    extended = resume_search(run.path, trials=5)
    before = check_invariants(extended, 5)
    assert examine(extended) == []
    assert status_of(extended)["counts"]["RUNNING"] == 0
    in_a_file = start_search(experiment(tmp_path, trials=5, max_concurrent=1), small_snapshot)
    assert results(check_invariants(in_a_file, 5))[0] == results(before)[0]


@pytest.mark.slow
def test_a_restart_of_the_database_loses_no_result(
    url: str, server: Server, ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    settings = in_database(tmp_path, max_concurrent=1)
    driver = start(settings, ladder_snapshot.path, tmp_path)
    try:
        for _ in range(2):
            wait_for_epochs(driver, url, 7)
            server.restart()
        assert driver.wait(180) == 0, (tmp_path / "driver.log").read_text()
    finally:
        driver.kill()

    assert (tmp_path / "driver.log").read_text().count("does not answer; trying again") >= 2
    interrupted = check_invariants(opened(settings), TRIALS)
    (tmp_path / "uninterrupted").mkdir()
    uninterrupted = in_database(tmp_path / "uninterrupted", max_concurrent=1)
    assert start(uninterrupted, ladder_snapshot.path, tmp_path / "uninterrupted").wait(180) == 0
    assert results(interrupted) == results(check_invariants(opened(uninterrupted), TRIALS))


@pytest.mark.slow
def test_the_password_of_the_database_is_never_written(
    url: str,
    ladder_snapshot: Snapshot,
    tmp_path: Path,
    short_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_tmp))
    driver = start(in_database(tmp_path, trials=2), ladder_snapshot.path, tmp_path)
    wait_for_epochs(driver, url, 3)

    check_password_shows_nowhere(driver, tmp_path, short_tmp)
    assert VARIABLE in (tmp_path / "runs" / "run" / DATABASE_FILE).read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_an_unreachable_database_ends_the_search_with_one_line_and_the_search_resumes(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home := tmp_path / "database").mkdir()
    monkeypatch.setattr(database, "WRITER_WAIT_S", 2.0)
    with database_server(home) as server:
        monkeypatch.setenv(VARIABLE, server.url)

        def stop_in_the_middle() -> None:
            wait_for_epochs(None, server.url, 6)
            server.stop()

        thread = threading.Thread(target=stop_in_the_middle)
        thread.start()
        with pytest.raises(RunError, match=f"{VARIABLE}.* cannot be used: .*127.0.0.1") as caught:
            start_search(in_database(tmp_path), small_snapshot, name="run")
        thread.join()
        assert PASSWORD not in str(caught.value)
        with pytest.raises(RunError, match="cannot be used"):
            resume_search(tmp_path / "runs" / "run")
        server.start()
        check_invariants(resume_search(tmp_path / "runs" / "run"), TRIALS)


def test_a_connection_that_is_cut_within_an_answer_is_opened_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with between(lambda number: server.port) as proxy:
        monkeypatch.setenv(VARIABLE, server.url.replace(str(server.port), str(proxy.port)))
        retries = writer_retries(VARIABLE)
        study = optuna.create_study(storage=database_storage(retries), study_name="cut")
        set_retries(study, retries)
        for value in range(3):
            trial = study.ask()
            trial.suggest_float("x", 0, 1)
            trial.report(value, 1)
        uninterrupted = trials_of(study)
        cuts = range(1, 1500, 97)
        for cut in cuts:
            proxy.cut_after = cut
            assert trials_of(study) == uninterrupted
        assert proxy.num_connections > len(cuts)


def test_trials_do_not_depend_on_where_the_connection_is_cut(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Trials equal those in a journal: none is lost, duplicated, or gets other params."""
    settings, space = SearchSettings(), load_space("smoke")

    def one_trial(study: optuna.Study) -> tuple[int, dict[str, object]]:
        trial = ask(study, space, settings, Params())
        for epoch in (1, 2):
            value = trial.params["learning_rate"] * epoch
            record_epoch(study, trial, settings.metric, {"epoch": epoch, settings.metric: value})
        tell_complete(study, trial)
        return trial.number, trial.params

    (tmp_path / "run").mkdir()
    (tmp_path / "journal").mkdir()
    in_journal = create_study(tmp_path / "journal", settings, 2)
    with between(lambda number: server.port) as proxy:
        monkeypatch.setenv(VARIABLE, server.url.replace(str(server.port), str(proxy.port)))
        study = create_study(tmp_path / "run", settings, 2, url_variable=VARIABLE)
        for bytes_before_the_cut in range(1, 30_000, 1511):
            proxy.cut_after = bytes_before_the_cut
            assert one_trial(study) == one_trial(in_journal)
            assert proxy.cut_after is None, "the connection was cut"
        states = [trial.state.name for trial in trials_of(study)]
        assert states == ["COMPLETE"] * len(trials_of(in_journal))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, f"{VARIABLE} is not set"),
        (f"nonsense {PASSWORD}", f"{VARIABLE} is not a PostgreSQL URL"),
        (f"nosuch://me:{PASSWORD}@host/database", f"{VARIABLE} is not the URL of a database"),
        (f"postgresql://me:wrong-{PASSWORD}@HOST/postgres", "authentication failed"),
        (f"postgres://postgres:{PASSWORD}@HOST/nosuch", 'database "nosuch" does not exist'),
        (f"postgresql://postgres:{PASSWORD}@HOST/postgres?sslmode=bogus", 'invalid sslmode value: "bogus"'),
        (
            f"postgresql://postgres:{PASSWORD}@HOST/postgres?schema=x",
            f"{VARIABLE} has the parameter `schema`",
        ),
        (f"postgresql://postgres:x/{PASSWORD}@HOST/postgres", f"{VARIABLE} is ambiguous.* Percent-encode"),
        (f"jdbc:postgresql://HOST/postgres?password={PASSWORD}", f"{VARIABLE} is a JDBC URL"),
    ],
)
def test_an_unusable_url_is_refused_at_once_without_its_password(
    server: Server, monkeypatch: pytest.MonkeyPatch, value: str | None, message: str
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value.replace("HOST", f"127.0.0.1:{server.port}"))

    with pytest.raises(RunError, match=message) as caught:
        database_storage(writer_retries(VARIABLE))

    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("revoke create on schema public from public", "permission denied for schema public"),
        ("alter role {role} set default_transaction_read_only = on", "cannot execute CREATE"),
        ("alter role {role} set search_path = nosuch", "no schema has been selected to create in"),
    ],
)
def test_a_user_who_may_not_create_tables_gets_the_missing_privilege(
    server: Server, monkeypatch: pytest.MonkeyPatch, setting: str, message: str
) -> None:
    role = f"reader{abs(hash(setting)) % 10_000}"
    server.run(f"create role {role} login password '{PASSWORD}'", f"create database {role}")
    server.run(setting.format(role=role))
    monkeypatch.setenv(VARIABLE, f"postgresql://{role}:{PASSWORD}@127.0.0.1:{server.port}/{role}")
    began = time.monotonic()
    with pytest.raises(
        RunError, match=f"{VARIABLE}.* does not let this user create tables: {message}"
    ) as caught:
        database_storage(writer_retries(VARIABLE))
    assert time.monotonic() - began < 20
    assert "GRANT CREATE and USAGE" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_in_the_experiment_is_refused_without_quoting_it(tmp_path: Path) -> None:
    storage = {"study_url_variable": f"postgresql://me:{PASSWORD}@host/study"}

    with pytest.raises(ExperimentError, match="must be the name of an environment variable") as caught:
        validate(Experiment, {"storage": storage}, "test")

    assert PASSWORD not in str(caught.value)


@pytest.mark.slow
def test_another_database_is_not_used_as_the_runs_database(
    url: str, small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Run
) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/other.db")

    with pytest.raises(RunError, match=f"The database in {VARIABLE} has no study run-"):
        read_study(finished.path)


@pytest.fixture
def finished(url: str, ray_local: None, small_snapshot: Snapshot, tmp_path: Path) -> Run:
    return start_search(in_database(tmp_path, trials=1), small_snapshot, name="run")


def test_several_processes_may_create_the_tables_of_an_empty_database(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, `trajtune status` may run at the moment when the first search starts."""
    for attempt in range(3):
        with closing(psycopg2.connect(server.url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"create database empty{attempt}")
        monkeypatch.setenv(VARIABLE, f"{server.url.removesuffix('/postgres')}/empty{attempt}")
        at_once = threading.Barrier(4)

        def open_it(_: int, barrier: threading.Barrier = at_once) -> int:
            barrier.wait()
            return len(database_storage(writer_retries(VARIABLE)).get_all_studies())

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(open_it, range(4))) == [0] * 4
