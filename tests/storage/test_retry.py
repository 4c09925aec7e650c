"""Transient failures are retried, permanent ones are not."""

import pytest
import tenacity

from trajtune.storage.retry import retrying


class Clock:
    """A clock that advances only while sleeping."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tenacity, "time", clock)
    monkeypatch.setattr(tenacity.nap, "time", clock)
    return clock


class Operation:
    """An operation that fails a number of times and then succeeds."""

    def __init__(self, failures: float) -> None:
        self.failures, self.calls = failures, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError(f"attempt {self.calls}")
        return "done"


def is_connection(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


def test_waits_double_up_to_five_seconds(clock: Clock) -> None:
    assert retrying(Operation(8), is_connection) == "done"
    assert clock.slept == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])


def test_errors_that_are_not_transient_are_raised_at_once(clock: Clock) -> None:
    operation = Operation(1)
    with pytest.raises(ConnectionError, match="attempt 1"):
        retrying(operation, lambda error: isinstance(error, TimeoutError))
    assert (operation.calls, clock.slept) == (1, [])


def test_the_last_attempt_raises_its_error(clock: Clock) -> None:
    with pytest.raises(ConnectionError, match="attempt 3"):
        retrying(Operation(9), is_connection, attempts=3, first_wait_s=1)
    assert clock.slept == [1, 2]


@pytest.mark.parametrize(("seconds", "calls"), [(0, 1), (1.0, 4), (1.5, 5)])
def test_an_attempt_that_fails_after_the_time_limit_is_the_last(
    clock: Clock, seconds: float, calls: int
) -> None:
    with pytest.raises(ConnectionError, match=f"attempt {calls}"):
        retrying(Operation(99), is_connection, seconds=seconds)


@pytest.mark.usefixtures("clock")
def test_an_unresponsive_service_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    retrying(Operation(3), is_connection, seconds=60, service="The database")
    assert capsys.readouterr().err == "The database does not answer; trying again for 60 s.\n"
    retrying(Operation(0), is_connection, seconds=60, service="The database")
    retrying(Operation(3), is_connection, seconds=60)
    assert capsys.readouterr().err == ""
