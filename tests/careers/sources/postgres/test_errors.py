"""The error for a database that cannot be read is one line without the password."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.careers.sources.postgres.reading import load
from tests.support.marked_password import PASSWORD
from tests.support.postgres_server import Server
from trajtune.errors import SourceError

pytestmark = pytest.mark.usefixtures("ray_local")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://me:hunter2@127.0.0.1:1/x",
            'at "127.0.0.1", port 1 failed: Connection refused. Start the server',
        ),
        (
            "postgresql://me:hunter2@no-such-host.invalid/x",
            "could not translate host name .* Fix the host in POSTGRES_URL",
        ),
        ("hunter2 hunter2", "not a PostgreSQL URL"),
        ("postgresql://me:hunter2@[/x", "no valid host and port"),
    ],
)
def test_a_missing_database_is_one_line_without_the_password(url: str, message: str):
    started = time.monotonic()
    with pytest.raises(SourceError, match=message) as caught:
        load(url)
    assert time.monotonic() - started < 15
    error: BaseException | None = caught.value
    assert "\n" not in str(error)
    while error is not None:
        assert "hunter2" not in f"{error} {error.args}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.slow
def test_a_server_that_never_answers_is_one_line_after_a_bounded_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/x"
        started = time.monotonic()
        with pytest.raises(SourceError, match="timeout expired. Start the server, or fix") as caught:
            load(url)
    assert time.monotonic() - started < 20
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def url_of(own_server: Server) -> Callable[[str, str], str]:
    """Return a URL with the marked password and parameters; the server needs no password."""
    if not own_server.run("select 1 from pg_database where datname = 'closed'"):
        own_server.run("create role locked")
        own_server.run("create role guest login")
        own_server.run("create database closed")
        own_server.run("revoke connect on database closed from public")
    return lambda user, rest: f"postgresql://{user}:{PASSWORD}@127.0.0.1:{own_server.port}/{rest}"


@pytest.mark.parametrize(
    ("user", "rest", "message"),
    [
        ("postgres", "postgres?sslmode=bogus", 'invalid sslmode value: "bogus". Fix the SSL parameters'),
        ("postgres", "postgres?sslmode=require", "server does not support SSL, but SSL was required. Fix"),
        ("postgres", "postgres?sslmode=verify-full&sslrootcert=/no/root.crt", "Fix the SSL parameters"),
        ("postgres", "postgres?service=nosuch", 'definition of service "nosuch" not found. Fix the service'),
        ("postgres", "postgres?schema=public", "has the parameter `schema`, which .* write `source.table: "),
        ("postgres", "postgres?pool_timeout=5", "has the parameter `pool_timeout`.* Remove it"),
        ("postgres", "nosuch", 'database "nosuch" does not exist. Fix the user or the database'),
        ("nobody", "postgres", 'role "nobody" does not exist. Fix the user or the database in POSTGRES_URL'),
        ("locked", "postgres", 'role "locked" is not permitted to log in. Give that role LOGIN'),
        ("guest", "closed", 'permission denied for database "closed"; .* Grant CONNECT on it'),
    ],
)
def test_a_refusal_shows_libpqs_reason_without_the_url(
    url_of: Callable[[str, str], str], user: str, rest: str, message: str
) -> None:
    started = time.monotonic()
    with pytest.raises(SourceError, match=message) as caught:
        load(url_of(user, rest))
    assert time.monotonic() - started < 15
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "up?" not in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("hostssl all all all trust", "no pg_hba.conf entry for .*no encryption. Add sslmode=require"),
        ("host all all all reject", "pg_hba.conf rejects connection .* Add sslmode=require"),
    ],
)
def test_a_server_that_refuses_everybody_is_one_line_with_its_reason(
    own_server: Server, url_of: Callable[[str, str], str], rule: str, message: str
) -> None:
    rules = Path(own_server.cluster.data) / "pg_hba.conf"
    before = rules.read_text()
    url = url_of("guest", "postgres")
    rules.write_text(f"host all postgres all trust\n{rule}\n")
    own_server.run("select pg_reload_conf()")
    time.sleep(0.5)
    try:
        with pytest.raises(SourceError, match=message) as caught:
            load(url)
    finally:
        rules.write_text(before)
        own_server.run("select pg_reload_conf()")
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_libpq_settings_a_driver_and_white_space_are_accepted(own_server: Server) -> None:
    port = own_server.port
    for url in (
        f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres\n",
        f"host=127.0.0.1 port={port} user=postgres dbname=postgres",
    ):
        assert load(url, table="careers").counts["careers"] == 400


def test_timeouts_of_the_role_do_not_stop_the_reading(own_server: Server) -> None:
    if not own_server.run("select 1 from pg_roles where rolname = 'hurried'"):
        own_server.run("create role hurried login", "grant select on careers to hurried")
    for name in ("transaction_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        own_server.run(f"alter role hurried set {name} = '400ms'")
    slow = "select c.id, c.work_history from careers c, (select pg_sleep(1)) as once"
    url = f"postgresql://hurried@127.0.0.1:{own_server.port}/postgres"
    assert load(url, query=slow).counts["careers"] == 400
