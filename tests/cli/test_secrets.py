"""No command shows or writes a password, in any form of the URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import PASSWORD, Trajtune, assert_one_line
from tests.support.marked_password import files_with

HOST = "127.0.0.1:9"
SHAPES = {
    "url": f"postgresql://me:{PASSWORD}@{HOST}/crm",
    "driver": f"postgresql+psycopg2://me:{PASSWORD}@{HOST}/crm",
    "slash": f"postgresql://me:{PASSWORD}/x@{HOST}/crm",
    "slash_first": f"postgresql://me:x/{PASSWORD}@{HOST}/crm",
    "at": f"postgresql://me:x@{PASSWORD}@{HOST}/crm",
    "hash": f"postgresql://me:x#{PASSWORD}@{HOST}/crm",
    "percent": f"postgresql://me:%{PASSWORD}@{HOST}/crm",
    "no_host": f"postgresql://me:{PASSWORD}",
    "no_scheme": f"me:{PASSWORD}@{HOST}/crm",
    "query": f"postgresql://{HOST}/crm?user=me&password={PASSWORD}",
    "query_ampersand": f"postgresql://{HOST}/crm?password=x&{PASSWORD}=1",
    "dsn": f"host=127.0.0.1 port=9 dbname=crm user=me password={PASSWORD}",
    "dsn_quoted": f"host=127.0.0.1 port=9 password='x {PASSWORD}'",
    "dsn_blank": f"host=127.0.0.1 port=9 password=x {PASSWORD}",
    "jdbc": f"jdbc:postgresql://{HOST}/crm?user=me&password={PASSWORD}",
    "service": "service=crm",
}


@pytest.fixture(params=SHAPES)
def shape(
    request: pytest.FixtureRequest, trajtune: Trajtune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Set POSTGRES_URL in one form; for a service, the password is in a service file."""
    service = tmp_path.parent / f"{tmp_path.name}-services"
    service.write_text(f"[crm]\nhost=127.0.0.1\nport=9\nuser=me\npassword={PASSWORD}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("POSTGRES_URL", SHAPES[request.param])
    yield SHAPES[request.param]
    assert files_with(PASSWORD, tmp_path) == []


@pytest.mark.parametrize(
    "arguments", [("init", "--yes"), ("prepare",), ("simulate", "--careers", "20", "--to", "postgres")]
)
@pytest.mark.usefixtures("ray_local", "shape")
def test_a_database_that_cannot_be_read_is_one_line_that_names_the_variable(
    trajtune: Trajtune, arguments: tuple[str, ...]
) -> None:
    outcome = trajtune(*arguments)
    assert_one_line(outcome, "SourceError: ", "POSTGRES_URL")
    assert "not set" not in outcome.err


def test_a_target_on_the_command_line_is_not_repeated(trajtune: Trajtune) -> None:
    for target in SHAPES.values():
        assert_one_line(trajtune("simulate", "--careers", "20", "--to", target), "SourceError: ")


@pytest.mark.parametrize("shape", [name for name in SHAPES if name not in ("driver", "service")])
def test_errors_about_the_studys_url_do_not_contain_its_password(
    trajtune: Trajtune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    from trajtune.errors import RunError
    from trajtune.searching.study.database import DatabaseRetries, database_storage

    monkeypatch.setenv("TRAJTUNE_STUDY_URL", SHAPES[shape])
    with pytest.raises(RunError, match="TRAJTUNE_STUDY_URL") as caught:
        database_storage(DatabaseRetries("TRAJTUNE_STUDY_URL", 0.1))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "section",
    [
        "source: {kind: csv, path: 's3://key:%s@bucket/careers.csv'}",
        "source: {kind: csv, path: 's3://key:%s/x@bucket/careers.csv'}",
        "source: {kind: csv, path: 's3://bucket/careers.csv?secret_key=%s'}",
        "source: {kind: csv, path: 'https://me:%s/x@host/careers.csv'}",
        "source: postgresql://me:%s@host/crm",
        "source: {kind: postgres, url: 'postgresql://me:%s@host/crm'}",
        "source: {kind: postgres, layout: 'postgresql://me:%s@host/crm'}",
        "storage: {snapshots: 's3://key:%s@bucket/snapshots'}",
        "storage: {snapshots: 's3://key:%s/x@bucket/snapshots'}",
        "storage: {snapshots: 's3://key:x#%s@bucket/snapshots'}",
        "storage: {snapshots: 's3://key:%s/snapshots'}",
        "storage: {runs: 's3://key:%s@bucket/runs', study_url_variable: TRAJTUNE_STUDY_URL}",
        "storage: {study_url_variable: 'postgresql://me:%s@host/study'}",
    ],
)
def test_a_key_in_an_experiment_is_refused_and_not_repeated(
    trajtune: Trajtune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    monkeypatch.setenv("POSTGRES_URL", SHAPES["url"])
    (tmp_path / "e.yaml").write_text(section % PASSWORD)
    assert_one_line(trajtune("prepare", "e.yaml"), "ExperimentError: ")
    assert files_with(PASSWORD, tmp_path) == [str(tmp_path / "e.yaml")]


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        (f"http://key:{PASSWORD}@127.0.0.1:9", "http://127.0.0.1:9"),
        (f"http://key:{PASSWORD}/x@127.0.0.1:9", "percent-encode"),
        (f"http://key:x@{PASSWORD}@127.0.0.1:9", "percent-encode"),
        (f"http://key:x#{PASSWORD}@127.0.0.1:9", "percent-encode"),
        (f"http://key:{PASSWORD}", "percent-encode"),
    ],
)
def test_an_endpoint_is_shown_without_its_keys(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, shown: str
) -> None:
    from trajtune.storage import object_store

    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert shown in object_store.endpoint()
    assert PASSWORD not in object_store.endpoint()
