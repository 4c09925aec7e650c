"""Faults of the environment become a one-line error that explains how to continue."""

import errno
import os
import re

import pytest

from tests.searching.test_session import POINT, Open, opened, records, report, suggest
from trajtune.errors import RunError, StorageError
from trajtune.searching.runs.place_faults import (
    LOST_WORKER,
    PlaceFaultError,
    as_place_faults,
    place_fault_in,
    refusing_for_place_faults,
    stopping_for_place_faults,
)
from trajtune.searching.session import SearchSession

__all__ = ["opened"]

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


KILLED = "The actor died unexpectedly before finishing this task."


def lose(session: SearchSession, trial_id: str) -> None:
    session.note_failure(trial_id, KILLED, is_lost=True)
    session.end_failed(trial_id)


def suggested(session: SearchSession, trial_id: str) -> int | None:
    config = session.suggest(trial_id)
    return None if config is None else int(config["number"])


def test_a_trial_that_is_lost_in_every_attempt_stays_unfinished_and_the_others_go_on(opened: Open) -> None:
    session = opened(trials=4)
    assert suggest(session, 2) == [0, 1]
    lose(session, "0")

    assert [suggested(session, str(number)) for number in (2, 3, 4)] == [2, 3, None]
    assert [trial.state for trial in records(session)] == ["RUNNING"] * 4
    assert session.lost.numbers == {0}
    for number in (1, 2, 3):
        session.record_epoch(str(number), report(2.0))
        session.end(str(number))
    assert (session.num_missing, suggested(session, "5"), session.has_waiting_duplicates) == (1, None, False)
    assert session.lost.reason.startswith(
        "the process of trial 0 died in every attempt before an epoch ended"
    )

    later = opened()
    assert suggested(later, "a") == 0, "a later session trains it"
    assert later.lost.numbers == set()


def test_a_trial_that_is_lost_without_a_report_of_ray_is_no_failure(opened: Open) -> None:
    session = opened(trials=2)
    suggest(session, 1)
    session.end_failed("0")
    assert records(session)[0].state == "RUNNING"
    assert LOST_WORKER in session.lost.reason


def test_a_trial_that_recorded_an_epoch_before_it_was_lost_is_suggested_again(opened: Open) -> None:
    session = opened(trials=1)
    suggest(session, 1)
    for attempt in range(4):  # for example on preemptible nodes
        session.record_epoch(str(attempt), report(2.0, epoch=attempt + 1))
        lose(session, str(attempt))
        config = session.suggest(str(attempt + 1))
        assert config is not None
        assert (config["number"], config["recorded"]) == (0, attempt + 1)
    lose(session, "4")
    assert suggested(session, "5") is None, "no epoch was recorded since"
    assert session.lost.numbers == {0}


def test_an_exception_of_the_trial_is_still_its_failure(opened: Open) -> None:
    session = opened(trials=2)
    suggest(session, 2)
    session.note_failure("1", "MemoryError: cannot allocate 9 GB")
    session.end_failed("1")
    assert (records(session)[1].state, records(session)[1].error) == (
        "FAIL",
        "MemoryError: cannot allocate 9 GB",
    )
    assert session.lost.numbers == set()


def test_duplicates_of_a_lost_trial_are_left_too_and_nothing_waits_for_it(opened: Open) -> None:
    session = opened(trials=5, start_points=[POINT, POINT, POINT])
    assert suggest(session, 3) == [0, 1, 4], "2 and 3 wait for 1"
    assert session.has_waiting_duplicates
    lose(session, "1")
    assert not session.has_waiting_duplicates
    assert suggested(session, "a") is None
    assert session.lost.numbers == {1, 2, 3}


def test_a_duplicate_that_is_suggested_after_the_loss_is_left_too(opened: Open) -> None:
    session = opened(trials=4, start_points=[POINT, POINT])
    assert suggest(session, 2) == [0, 1]
    lose(session, "1")
    assert suggested(session, "a") == 3
    assert session.lost.numbers == {1, 2}


def test_a_place_where_every_trial_is_lost_ends_the_search(opened: Open) -> None:
    session = opened(trials=9)
    suggest(session, 4)
    lose(session, "0")
    lose(session, "1")
    session.record_epoch("3", report(2.0))  # the place works for this trial
    lose(session, "2")
    suggest(session, 6)
    lose(session, "4")
    with pytest.raises(
        StorageError, match=r"trials unfinished: the process of trial \d died .* lower `--max-c"
    ):
        lose(session, "5")
    assert {trial.state for trial in records(session)} <= {"RUNNING", "WAITING"}
    assert re.search(r"\(The actor died .* this task\)", session.lost.reason)
