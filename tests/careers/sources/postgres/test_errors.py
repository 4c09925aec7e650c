"""A database that cannot be read is one line without the password."""

import socket
import time

import pytest

from tests.careers.sources.postgres.reading import load
from trajtune.errors import SourceError

pytestmark = pytest.mark.usefixtures("ray_local")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/x", "127.0.0.1:1/x: nothing listens there"),
        ("postgresql://me:hunter2@no-such-host.invalid/x", "there is no such host"),
        ("hunter2 hunter2", "no PostgreSQL URL"),
        ("postgresql://me:hunter2@[/x", "no PostgreSQL URL"),
    ],
)
def test_a_database_that_is_not_there_is_one_line_without_the_password(url: str, message: str):
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
def test_a_server_that_takes_connections_and_says_nothing_is_one_line_after_a_bounded_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/x"
        started = time.monotonic()
        with pytest.raises(SourceError, match="no answer in time. Start the server or fix") as caught:
            load(url)
    assert time.monotonic() - started < 20
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
