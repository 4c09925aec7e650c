from functools import partial
from pathlib import Path

from tests.searching.runs.created import create
from trajtune.dataset.snapshot import Snapshot
from trajtune.model.baselines.baselines import fit_baselines
from trajtune.model.baselines.ngram import choose_ngram
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.metrics import val_metrics
from trajtune.model.predict import predict_split
from trajtune.searching.val_baselines import best_baseline, measure_baselines, stored_choice

EARLIER = {"markov": {"val_next_role_nll": 3.1}, "markov2": {"val_next_role_nll": 3.0}}
"""Content of a run of an earlier version."""


def test_the_metrics_and_the_choice_of_ngram_are_measured_on_val(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    run, vocab_size = create(tmp_path), small_snapshot.encoder().vocab_size
    train, val = small_snapshot.arrays("train"), small_snapshot.arrays("val")
    assert run.ngram_choice() is None
    run.write_baselines(*measure_baselines(train, val, vocab_size))
    choice = choose_ngram(train, val, vocab_size)
    assert run.ngram_choice() == choice.to_dict()
    assert run.baselines() == {
        name: val_metrics(predict_split(partial(baseline.predict, val), val))
        for name, baseline in fit_baselines(train, vocab_size, choice).items()
    }


def test_a_stored_choice_is_reused_and_an_older_run_chooses_from_the_snapshot(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    run, other = create(tmp_path), NGramChoice(3, "last", 5.0, 0.75, 0.5)
    train, val = small_snapshot.arrays("train"), small_snapshot.arrays("val")
    run.write_baselines(EARLIER)
    assert run.baselines() == EARLIER
    assert run.ngram_choice() is None
    chosen = choose_ngram(train, val, small_snapshot.encoder().vocab_size)
    assert stored_choice(run, small_snapshot) == chosen != other
    run.write_baselines({"ngram": {"val_next_role_nll": 2.0}}, other.to_dict())
    assert stored_choice(run, small_snapshot) == other


def test_the_best_baseline_respects_the_direction_of_the_metric() -> None:
    found = {
        "markov": {"val_next_role_nll": 3.1, "val_top1": 0.3},
        "ngram": {"val_next_role_nll": 2.9, "val_top1": 0.2, "val_hireability_auc": None},
    }
    assert best_baseline(found, "val_next_role_nll") == ("ngram", 2.9)
    assert best_baseline(found, "val_top1") == ("markov", 0.3)
    assert best_baseline(found, "val_hireability_auc") is None
