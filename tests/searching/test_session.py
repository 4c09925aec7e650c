"""A session's decisions without Ray and training: which trial is next, and when a trial ends."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError, StorageError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.searching.budget import Budget
from trajtune.searching.runs.create import create_run
from trajtune.searching.session import SearchSession, open_session
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, ranked, read_trials
from trajtune.searching.trial import DAMAGE

POINT = {"learning_rate": 0.0005, "embedding_dim": 32}

Open = Callable[..., SearchSession]


@pytest.fixture
def opened(small_snapshot: Snapshot, tmp_path: Path) -> Open:
    """A function that opens a new session of the same run."""
    runs: list[Any] = []

    def open_next(
        *, trials: int = 5, still_held: Callable[[], None] = lambda: None, **search: Any
    ) -> SearchSession:
        if not runs:
            settings = {"space": "smoke", "trials": trials, "pruner": {"grace_period": 1}, **search}
            storage = {"runs": str(tmp_path / "runs")}
            content = {"training": {"max_epochs": 9}, "search": settings, "storage": storage}
            experiment = validate(Experiment, content, "test")
            space = load_space(experiment.search.space)
            path, snapshot_id = small_snapshot.path, small_snapshot.id
            runs.append(
                create_run(experiment, space, name="run", snapshot_path=path, snapshot_id=snapshot_id)
            )
        return open_session(runs[0], small_snapshot, runs[0].experiment.search, still_held)

    return open_next


def report(value: float, epoch: int = 1) -> dict[str, Any]:
    return {"epoch": epoch, "val_next_role_nll": value, "seconds": 0.1}


def suggest(session: SearchSession, count: int) -> list[int]:
    """Ask for trials; each trial's id is its expected number."""
    configs = [session.suggest(str(number)) for number in range(count)]
    return [config["number"] for config in configs if config is not None]


def records(session: SearchSession) -> list[TrialRecord]:
    return read_trials(read_study(session.run.path))


def test_reference_trials_are_not_pruned(opened: Open) -> None:
    session = opened()
    suggest(session, 5)

    # The best is recorded first, so that each other trial is worse when it is decided on.
    goes_on = {number: session.record_epoch(str(number), report(9.0 - number)) for number in (4, 3, 2, 1, 0)}

    assert goes_on == {4: True, 3: False, 2: False, 1: True, 0: True}
    assert [trial.origin for trial in records(session)] == ["research_default", "training", *["sampler"] * 3]
    assert [trial.state for trial in records(session)] == [
        "RUNNING",
        "RUNNING",
        "PRUNED",
        "PRUNED",
        "RUNNING",
    ]


def test_a_duplicate_waits_for_the_first_trial_and_gets_its_results(opened: Open) -> None:
    session = opened(trials=3, start_points=[POINT, POINT])

    assert suggest(session, 3) == [0, 1]
    assert session.has_waiting_duplicates
    session.record_epoch("1", report(2.0))
    session.end("1")

    assert not session.has_waiting_duplicates
    assert (records(session)[2].duplicate_of, records(session)[2].value) == (1, 2.0)
    assert session.num_missing == 1


def test_if_the_first_trial_fails_its_duplicate_is_trained(opened: Open) -> None:
    session = opened(trials=3, start_points=[POINT, POINT])
    suggest(session, 3)

    session.note_failure("1", "the disk is full")
    session.end_failed("1")

    config = session.suggest("2")
    assert config is not None
    assert (config["number"], config["recorded"]) == (2, 0)
    assert (records(session)[1].state, records(session)[1].error) == ("FAIL", "the disk is full")


def test_a_new_session_suggests_orphaned_trials_first_with_what_is_recorded(opened: Open) -> None:
    before = opened()
    suggest(before, 3)
    before.record_epoch("1", report(2.0))

    after = opened()

    configs = [after.suggest(str(number)) for number in range(6)]
    assert [config and (config["number"], config["recorded"]) for config in configs] == [
        *((0, 0), (1, 1), (2, 0), (3, 0), (4, 0)),
        None,
    ]
    assert [config["params"] for config in configs if config] == [trial.params for trial in records(after)]


def test_a_recorded_epoch_is_not_recorded_or_decided_again(opened: Open) -> None:
    session = opened()
    suggest(session, 3)
    for epoch in (1, 2):
        session.record_epoch("2", report(2.0, epoch))
    events: list[tuple[str, int]] = []
    session.start(lambda event, number: events.append((event, number)))

    assert session.record_epoch("2", report(99.0, epoch=1))

    assert [epoch["val_next_role_nll"] for epoch in records(session)[2].epochs] == [2.0, 2.0]
    assert events == []


def test_an_epoch_of_a_stopped_trial_stops_it_again(opened: Open) -> None:
    session = opened()
    suggest(session, 3)
    session.end("2", error="TrainingError: diverged")

    assert not session.record_epoch("2", report(2.0))
    session.end("2")

    assert records(session)[2].state == "FAIL"


def test_each_event_comes_after_its_record(opened: Open) -> None:
    session = opened()
    events: list[tuple[str, int, str]] = []
    session.start(lambda event, number: events.append((event, number, records(session)[number].state)))

    session.suggest("0")
    session.record_epoch("0", {**report(2.0), DAMAGE: "damaged: last.pt; training started again"})
    session.end("0")

    assert events == [
        ("start", 0, "RUNNING"),
        ("damage", 0, "RUNNING"),
        ("epoch", 0, "RUNNING"),
        ("end", 0, "COMPLETE"),
    ]
    assert records(session)[0].damage == "damaged: last.pt; training started again"
    assert DAMAGE not in records(session)[0].epochs[0]
    assert session.run.best()["number"] == 0


def test_an_environment_fault_ends_the_search_and_leaves_the_trial_unfinished(opened: Open) -> None:
    session = opened(trials=2)
    suggest(session, 2)
    session.note_failure("1", "trajtune...PlaceFaultError: /runs/best.pt: No space left on device")

    with pytest.raises(StorageError, match=r"unfinished: /runs/best.pt: No space left on device. Fix that, "):
        session.end_failed("1")

    assert [trial.state for trial in records(session)] == ["RUNNING", "RUNNING"]
    after = opened()
    assert [after.suggest(str(number))["number"] for number in range(2)] == [0, 1]  # type: ignore[index]


def test_a_budget_leaves_a_reference_trial_unfinished_and_a_later_session_continues_it(
    opened: Open,
) -> None:
    session = opened(max_epochs_total=3)
    suggest(session, 3)

    assert session.record_epoch("0", report(2.0))
    assert session.record_epoch("1", report(2.0))
    assert not session.record_epoch("2", report(2.0))
    assert not session.record_epoch("0", report(2.0, epoch=2))
    session.end("0")

    assert [trial.state for trial in records(session)] == ["RUNNING", "RUNNING", "PRUNED"]
    after = opened()
    after.budget = Budget(None, None, "prune")
    config = after.suggest("0")
    assert config is not None
    assert (config["number"], config["recorded"]) == (0, 2)


@pytest.mark.parametrize(("at_budget", "goes_on"), [("prune", False), ("finish", True)])
def test_a_spent_budget_ends_suggestions_and_prunes_running_trials_if_set_so(
    opened: Open, at_budget: str, goes_on: bool
) -> None:
    session = opened(max_epochs_total=1, at_budget=at_budget)
    suggest(session, 3)

    assert session.record_epoch("0", report(2.0)) == goes_on
    assert session.record_epoch("2", report(2.0)) == goes_on
    assert records(session)[2].state == ("RUNNING" if goes_on else "PRUNED")

    assert session.suggest("1") is None
    assert not session.has_waiting_duplicates
    assert session.budget.spent(session.study) == "the budget of 1 epochs is spent"


@pytest.mark.parametrize(
    ("number", "search"),
    [
        (0, {}),
        (1, {}),
        (2, {"repeats": 2}),
        (1, {"start_points": [{**POINT, "embedding_dropout": 0.3}]}),
    ],
    ids=["research default", "training", "repeat", "other settings"],
)
def test_a_trial_that_is_never_pruned_stays_unfinished_at_a_budget_and_is_continued_later(
    opened: Open, number: int, search: dict[str, Any]
) -> None:
    session = opened(max_epochs_total=1, **search)
    suggest(session, number + 1)

    assert not session.record_epoch(str(number), report(2.0))
    session.end(str(number))  # Ray Tune calls this for every trial that it has stopped

    assert session.num_running == number
    assert records(session)[number].state == "RUNNING"
    after = opened()
    after.budget = replace(after.budget, max_epochs_total=None)
    configs = [after.suggest(str(each)) for each in range(number + 1)]
    assert [config and (config["number"], config["recorded"]) for config in configs][number] == (number, 1)


def test_a_start_point_that_differs_only_in_searched_params_may_be_pruned(opened: Open) -> None:
    session = opened(trials=6, start_points=[POINT, {**POINT, "embedding_dropout": 0.3}])
    suggest(session, 6)

    goes_on = {number: session.record_epoch(str(number), report(9.0 - number)) for number in (5, 4, 2, 1)}

    assert goes_on == {5: True, 4: False, 2: True, 1: False}


VALUES = {6: 2.935, 7: 2.94, 8: 2.95}
"""Values of trials. Trial 7 repeats trial 6, and trial 8 repeats trial 5."""


def test_repeats_of_the_training_come_after_it_and_repeats_of_the_best_last(opened: Open) -> None:
    session = opened(trials=9, repeats=4, seed=7)

    trained = run_through(session, value=lambda number: VALUES.get(number, 3.0 - number / 100))

    assert [(trial.origin, trial.repeat_of, trial.seed) for trial in records(session)] == [
        ("research_default", None, None),
        ("training", None, None),
        ("training_repeat", 1, 1007),
        ("training_repeat", 1, 2007),
        *[("sampler", None, None)] * 3,
        ("repeat", 6, 1007),
        ("repeat", 5, 1007),
    ]
    assert [config["seed"] for config in trained] == [7, 7, 1007, 2007, 7, 7, 7, 1007, 1007]
    assert trained[7]["params"] == records(session)[6].params
    best = ranked(records(session))[0]
    assert (best.number, best.seeds, best.state) == (6, 2, "COMPLETE")
    assert best.mean_value == pytest.approx(2.9375)


def test_a_search_killed_while_it_queued_a_repeat_suggests_that_repeat(opened: Open) -> None:
    session = opened(trials=6, repeats=3)
    run_through(session, 5)
    interrupted = opened()
    interrupted._queue_repeat_or_note_plateau()  # the process dies after this call

    config = opened().suggest("5")

    assert config is not None
    assert (config["number"], config["seed"]) == (5, 1000)
    assert len(records(session)) == 6


def test_a_plateau_ends_a_search_after_its_remaining_repeats(opened: Open) -> None:
    session = opened(trials=50, repeats=3, stop_at_plateau=3)

    values = {1: 3.0, 2: 2.99, 3: 3.04, 5: 2.97}
    run_through(session, value=lambda number: values.get(number, 3.2))

    assert [trial.number for trial in records(session) if trial.origin == "repeat"] == [9]
    assert len(records(session)) == 10
    assert session.stopped_by() == "the last 3 trials were no better than luck (`search.stop_at_plateau`)"
    assert opened().suggest("10") is None


def run_through(
    session: SearchSession,
    trials: int = 99,
    value: Callable[[int], float] = lambda number: 3.0 - number / 100,
) -> list[dict[str, Any]]:
    """Train one trial after another, one epoch each, and return their configs."""
    configs = []
    while len(configs) < trials and (config := session.suggest("next")) is not None:
        configs.append(config)
        session.record_epoch("next", report(value(config["number"]), epoch=9))
        session.end("next")
    return configs


def test_a_session_writes_nothing_after_its_run_was_taken_over(opened: Open) -> None:
    lost = False

    def still_held() -> None:
        if lost:
            raise RunError("taken over")

    session = opened(still_held=still_held)
    session.suggest("0")
    lost = True

    with pytest.raises(RunError, match="taken over"):
        session.record_epoch("0", report(2.0))
    with pytest.raises(RunError, match="taken over"):
        session.suggest("1")

    assert records(session)[0].epochs == []
    assert session.num_running == 1
