"""Faults of the environment become a one-line error that explains how to continue."""

import errno
import os

import pytest

from trajtune.errors import RunError, StorageError
from trajtune.searching.runs.place_faults import (
    PlaceFaultError,
    as_place_faults,
    place_fault_in,
    refusing_for_place_faults,
    stopping_for_place_faults,
)

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/runs/mine/best.json")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FULL, "/runs/mine/best.json: No space left on device"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        (StorageError("Cannot reach s3://a/b: no answer."), "Cannot reach s3://a/b: no answer"),
    ],
    ids=["disk", "network", "store"],
)
def test_a_search_ends_with_a_one_line_error_that_shows_how_to_resume(error: Exception, reason: str) -> None:
    with pytest.raises(StorageError) as stopped, stopping_for_place_faults("mine"):
        raise error
    assert str(stopped.value) == (
        f"The search stopped with its trials unfinished: {reason}. Fix that, then continue with "
        "`trajtune search --resume mine`."
    )
    with pytest.raises(StorageError) as again, stopping_for_place_faults("mine"):
        raise stopped.value
    assert str(again.value) == str(stopped.value), "the message is not repeated"


@pytest.mark.parametrize("error", [RunError("every trial failed"), ValueError("a bug"), KeyboardInterrupt()])
def test_other_errors_are_not_changed(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, stopping_for_place_faults("mine"), as_place_faults():
        raise error
    assert raised.value is error


def test_an_environment_fault_in_a_trials_process_is_recognised_by_the_search() -> None:
    with pytest.raises(PlaceFaultError) as raised, as_place_faults():
        raise FULL
    line = f"trajtune.searching.runs.place_faults.PlaceFaultError: {raised.value}"
    assert place_fault_in(line) == "/runs/mine/best.json: No space left on device"
    assert place_fault_in("RuntimeError: CUDA out of memory") is None


def test_a_run_that_cannot_be_created_is_a_one_line_error() -> None:
    with (
        pytest.raises(
            RunError, match=r"^Cannot make a run in runs: .*best.json: No space left on device\. Free"
        ),
        refusing_for_place_faults("make a run in runs"),
    ):
        raise FULL
