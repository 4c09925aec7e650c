"""Status and report show the noise between seeds, means over seeds, and trials that are not sampled."""

import io
from pathlib import Path
from typing import Any

import pytest

from tests.searching.show.report_runs import run_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import Params
from trajtune.searching.runs.directory import Run
from trajtune.searching.show.report.html import write_search_report
from trajtune.searching.show.status import print_status, status_of
from trajtune.searching.study.open import create_study
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete

OTHER = Params(max_epochs=9, embedding_dropout=0.3)
VALUES = [4.0, 3.0, 3.02, 3.04, 2.9, 2.98, 3.05]


@pytest.fixture
def run(small_snapshot: Snapshot, tmp_path: Path) -> Run:
    """A run with the research default, the training with three seeds, a draw, its repeat and a point."""
    created = run_of(tmp_path, small_snapshot, 7)
    training, search = created.experiment.training, created.experiment.search
    study = create_study(created.path, search, 9)
    enqueue(study, created.space, training, "training", {"differs_in": []})
    for seed in (1000, 2000):
        enqueue(study, created.space, training, "training_repeat", {"repeat_of": 1, "seed": seed})
    for number, value in enumerate(VALUES):
        if number == 5:
            params = Params.model_validate(study.get_trials()[4].user_attrs["params"])
            enqueue(study, created.space, params, "repeat", {"repeat_of": 4, "seed": 1000})
        if number == 6:
            enqueue(study, created.space, OTHER, "start_point", {"differs_in": ["embedding_dropout"]})
        trial = ask(study, created.space, search, training)
        report: dict[str, Any] = {"epoch": 1, "seconds": 0.1, "train_loss": 1.0, search.metric: value}
        record_epoch(study, trial, search.metric, report)
        tell_complete(study, trial)
    return created


def shown(run: Run) -> str:
    file = io.StringIO()
    print_status(status_of(run), file)
    return file.getvalue()


def test_the_status_shows_which_differences_are_luck(run: Run) -> None:
    # Sums of squares: 0.0008 around 3.02 and 0.0032 around 2.94, with three degrees of freedom.
    assert status_of(run)["noise"] == {
        "standard_deviation": pytest.approx((0.004 / 3) ** 0.5),
        "luck": pytest.approx(8**0.5 * (0.004 / 3) ** 0.5),
        "trainings": 5,
        "points": 2,
    }
    noise = "Between seeds the standard deviation is 0.037 (5 trainings of 2 points)"
    assert f"{noise}, so differences below 0.1 are luck" in shown(run)


def test_the_best_trial_is_the_one_with_the_best_mean_and_is_marked_so(run: Run) -> None:
    status = status_of(run)

    assert (status["best"]["number"], status["best"]["seeds"]) == (4, 2)
    assert status["best"]["mean_value"] == pytest.approx(2.94)
    assert status["gain"] == pytest.approx(4.0 - 2.94)
    assert "best val_next_role_nll 2.9400 (mean of 2 seeds): trial 4" in shown(run)


def test_a_trial_hidden_from_the_sampler_shows_the_reason(run: Run) -> None:
    lines = {line.split()[0]: line for line in shown(run).splitlines() if line.split()[:1]}

    assert "trial 1 with seed 2000: " in lines["3"]
    assert "trial 4 with seed 1000: " in lines["5"]
    assert "differs in embedding_dropout: " in lines["6"]
    order = [line.split()[0] for line in shown(run).splitlines() if "COMPLETE" in line]
    assert order == ["4", "1", "6", "0", "5", "2", "3"], "repeats come after what they repeat"


def test_the_report_shows_noise_means_and_hidden_trials(run: Run, tmp_path: Path) -> None:
    write_search_report(run, tmp_path / "report.html")

    page = (tmp_path / "report.html").read_text("utf-8")
    assert "The best NLL on val is 2.940 nats (the mean of 2 seeds), of trial 4" in page
    assert "so differences below 0.1 are luck" in page
    assert "complete, trial 4 with another seed" in page
