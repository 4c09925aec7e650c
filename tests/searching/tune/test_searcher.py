"""Ray Tune's searcher and scheduler with a session's answers, without a Ray session."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.search import Searcher

from trajtune.errors import RunError
from trajtune.searching.tune.scheduler import StudyScheduler
from trajtune.searching.tune.searcher import StudySearcher

CONFIG = {"number": 0}
DEAD_ACTOR = """Failure # 1 (occurred at 2026-01-01)
ray.exceptions.RayTaskError: first attempt
Failure # 2 (occurred at 2026-01-01)
{reason}
"""


def session(**attributes: Any) -> Any:
    defaults = {"num_running": 0, "has_waiting_duplicates": False, "still_held": lambda: None}
    return SimpleNamespace(**{**defaults, **attributes})


@pytest.mark.parametrize(
    ("config", "waiting", "answer"),
    [(CONFIG, False, CONFIG), (None, True, None), (None, False, Searcher.FINISHED)],
    ids=["a trial", "a waiting duplicate", "all done"],
)
def test_the_searcher_finishes_if_no_trial_can_follow(config: object, waiting: bool, answer: object) -> None:
    answering = session(suggest=lambda trial_id: config, has_waiting_duplicates=waiting)

    assert StudySearcher(answering, lambda: 1).suggest("a") == answer


def test_the_searcher_does_not_finish_while_a_trial_runs_that_may_be_lost() -> None:
    answering = session(suggest=lambda trial_id: None, num_running=1)

    assert StudySearcher(answering, lambda: 2).suggest("a") is None


def test_no_more_trials_are_suggested_than_may_run_at_once() -> None:
    assert (
        StudySearcher(session(num_running=2, suggest=lambda trial_id: CONFIG), lambda: 2).suggest("a") is None
    )


def test_a_run_that_was_taken_over_is_noticed_while_all_slots_are_taken() -> None:
    def still_held() -> None:
        raise RunError("taken over")

    with pytest.raises(RunError, match="taken over"):
        StudySearcher(session(num_running=2, still_held=still_held), lambda: 2).suggest("a")


@pytest.mark.parametrize(("goes_on", "answer"), [(True, "CONTINUE"), (False, "STOP")])
def test_the_scheduler_passes_on_the_report_of_an_epoch(goes_on: bool, answer: str) -> None:
    recorded = []

    def record_epoch(trial_id: str, report: dict[str, Any]) -> bool:
        recorded.append((trial_id, report))
        return goes_on

    result = {"report/epoch": 1, "report/val_top1": 0.5, "hostname": "here", "training_iteration": 7}
    scheduler = StudyScheduler(session(record_epoch=record_epoch))

    assert scheduler.on_trial_result(None, SimpleNamespace(trial_id="a"), result) == answer
    assert recorded == [("a", {"epoch": 1, "val_top1": 0.5, "node": "here"})]


@pytest.mark.parametrize(
    ("text", "reason", "is_lost"),
    [
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\nOSError: disk full',
            "OSError: disk full",
            False,
        ),
        ("The actor died.\n\tpid: 7", "The actor died.", True),
        (
            "Traceback (most recent call last):\n  ...\nray.exceptions.OwnerDiedError: its node died",
            "ray.exceptions.OwnerDiedError: its node died",
            True,
        ),
        ("Traceback (most recent call last):\n  ...\nMemoryError: 9 GB", "MemoryError: 9 GB", False),
    ],
    ids=["traceback", "dead actor", "lost object", "memory"],
)
def test_the_reason_for_a_failure_is_one_line_of_the_last_attempt(
    tmp_path: Path, text: str, reason: str, is_lost: bool
) -> None:
    file = tmp_path / "error.txt"
    file.write_text(DEAD_ACTOR.format(reason=text))
    noted = []
    scheduler = StudyScheduler(
        session(note_failure=lambda *failure, is_lost: noted.append((*failure, is_lost)))
    )

    scheduler.on_trial_error(None, SimpleNamespace(trial_id="a", error_file=str(file)))

    assert noted == [("a", reason, is_lost)]
