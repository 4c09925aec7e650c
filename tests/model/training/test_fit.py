from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.conftest import OPTIONS, SMALL, plain
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.checkpoint import build_model
from trajtune.model.metrics import hireability_metrics, next_role_metrics, tenure_metrics
from trajtune.model.network.lstm import UNKNOWN_LOGIT
from trajtune.model.network.title_words import TitleWords
from trajtune.model.predict import predict
from trajtune.model.training.fit import EpochResult, fit


def last_epoch(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    words: TitleWords,
    state: Any = None,
) -> dict[str, Any]:
    *_, last = fit(params, train, val, vocab_size, seed=0, checkpoint=state, title_words=words)
    return last.checkpoint()


def summary(result: EpochResult) -> dict[str, Any]:
    return {"epoch": result.epoch, "loss": result.train_loss, "best": result.best_epoch, **result.metrics}


def test_the_same_seed_gives_the_same_losses_and_weights(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    runs = [list(map(summary, fit(SMALL, train, val, vocab_size, seed=seed))) for seed in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("num_layers", [1, 2])
def test_training_resumes_bit_for_bit_from_any_epoch(
    train: CareerArrays, val: CareerArrays, vocab_size: int, num_layers: int
) -> None:
    params = SMALL.model_copy(update={"num_layers": num_layers})
    states, results = [], []
    for result in fit(params, train, val, vocab_size, seed=0):
        states.append(result.checkpoint())
        results.append(summary(result))
    for epoch, state in enumerate(states, start=1):
        torch.rand(7)  # other code may draw random numbers in between
        resumed, last = [], state
        for result in fit(params, train, val, vocab_size, seed=99, checkpoint=state):
            resumed.append(summary(result))
            last = result.checkpoint()
        assert resumed == results[epoch:]
        for name, weights in states[-1]["model"].items():
            assert torch.equal(last["model"][name], weights)


def test_a_finished_training_can_be_extended(train: CareerArrays, val: CareerArrays, vocab_size: int) -> None:
    uninterrupted = list(map(summary, fit(SMALL, train, val, vocab_size, seed=0)))
    short = SMALL.model_copy(update={"max_epochs": 2})
    *_, last = (result.checkpoint() for result in fit(short, train, val, vocab_size, seed=0))
    assert not list(fit(short, train, val, vocab_size, seed=0, checkpoint=last))
    assert (
        list(map(summary, fit(SMALL, train, val, vocab_size, seed=0, checkpoint=last))) == uninterrupted[2:]
    )


def test_a_checkpoint_of_other_params_is_refused(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    state = next(fit(SMALL, train, val, vocab_size, seed=0)).checkpoint()
    other = SMALL.model_copy(update={"learning_rate": 0.1})
    with pytest.raises(TrainingError, match=r"learning_rate 0\.005 → 0\.1"):
        next(fit(other, train, val, vocab_size, seed=0, checkpoint=state))


def test_patience_counts_epochs_since_the_best_epoch(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    params = SMALL.model_copy(update={"max_epochs": 60, "patience": 2, "learning_rate": 0.03})
    results = list(fit(params, train, val, vocab_size, seed=0))
    nll = [result.metrics["val_next_role_nll"] for result in results]
    best = int(np.argmin(nll)) + 1
    assert len(results) == best + 2 < 60
    assert results[-1].best_epoch == best
    assert [result.epoch for result in results if result.best_epoch == result.epoch][-1] == best
    assert results[-1].checkpoint()["best_metrics"] == results[best - 1].metrics


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_falling_schedule_runs_to_its_end_and_the_best_epoch_is_kept(
    train: CareerArrays, val: CareerArrays, vocab_size: int, schedule: str
) -> None:
    changed = {"max_epochs": 12, "patience": 1, "learning_rate": 0.1, "schedule": schedule}
    results = list(fit(SMALL.model_copy(update=changed), train, val, vocab_size, seed=0))
    nll = [result.metrics["val_next_role_nll"] for result in results]
    assert len(results) == 12
    best = [int(np.argmin(nll[: seen + 1])) + 1 for seen in range(12)]
    assert [result.best_epoch for result in results] == best
    assert max(epoch - kept for epoch, kept in enumerate(best, 1)) > 1, "patience would not have applied"


@pytest.mark.slow
def test_training_learns_a_markov_process(careers: Callable[..., CareerArrays], vocab_size: int) -> None:
    params = plain(learning_rate=5e-3, max_epochs=6, dropout=0.0)
    *_, last = fit(params, careers(1500, seed=0), careers(500, seed=1), vocab_size, seed=0)
    # Two next titles with probabilities 3/4 and 1/4 have an entropy of 0.56. One in twenty careers has an
    # unknown last title.
    assert last.metrics["val_next_role_nll"] < 0.95
    assert last.metrics["val_top1"] > 0.62


def test_the_checkpoint_has_the_metrics_of_the_training_loop(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    result = next(fit(SMALL, train, val, vocab_size, seed=0))
    p = predict(build_model(result.checkpoint()), val, examples_of(val, "last"))
    assert result.metrics == {
        "val_next_role_nll": next_role_metrics(p)["next_role_nll"],
        "val_top1": next_role_metrics(p)["next_role_top1"],
        "val_top5": next_role_metrics(p)["next_role_top5"],
        "val_mrr": next_role_metrics(p)["next_role_mrr"],
        "val_tenure_mae_months": tenure_metrics(p)["tenure_mae_months"],
        "val_hireability_auc": hireability_metrics(p)["hireability_auc"],
    }


def test_tenure_is_standardised_with_the_known_targets_of_the_examples(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    for examples in ("last", "every_transition"):
        params = SMALL.model_copy(update={"examples": examples})
        state = next(fit(params, train, val, vocab_size, seed=0)).checkpoint()["model"]
        targets = train.tenure_months[examples_of(train, examples).target]
        assert state["tenure_mean"].item() == pytest.approx(np.nanmean(targets), rel=1e-5)
        assert state["tenure_std"].item() == pytest.approx(np.nanstd(targets), rel=1e-5)


def test_the_error_for_a_later_divergence_names_the_last_good_epoch(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    results = fit(SMALL, train, val, vocab_size, seed=0)
    state = next(results).checkpoint()
    state["model"]["lstm.weight_ih_l0"].fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"nan at step 1 of epoch 2 .* last good checkpoint: epoch 1"):
        next(fit(SMALL, train, val, vocab_size, seed=0, checkpoint=state))


def test_a_split_without_known_targets_is_refused(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    unknown = replace(val, title_ids=np.zeros_like(val.title_ids))
    with pytest.raises(TrainingError, match="val has none in 120 examples"):
        next(fit(SMALL, train, unknown, vocab_size, seed=0))
    with pytest.raises(TrainingError, match="train has none"):
        next(fit(SMALL, unknown, val, vocab_size, seed=0))


def test_a_checkpoint_must_be_taken_before_the_next_epoch(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    results = fit(SMALL, train, val, vocab_size, seed=0)
    first = next(results)
    next(results)
    with pytest.raises(AssertionError, match="is gone"):
        first.checkpoint()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options))
def test_each_option_resumes_bit_for_bit_and_keeps_unknown_unpredicted(
    options: dict[str, Any], train: CareerArrays, val: CareerArrays, vocab_size: int, words: TitleWords
) -> None:
    params = SMALL.model_copy(update={"max_epochs": 2, **options})
    results = fit(params, train, val, vocab_size, seed=0, title_words=words)
    after_one, after_two = (next(results).checkpoint() for _ in range(2))
    resumed = last_epoch(params, train, val, vocab_size, words, after_one)
    for name, weights in after_two["model"].items():
        assert torch.equal(resumed["model"][name], weights), name
    model = build_model(after_two)
    assert not model.title_table()[0].any()
    logits, _, _ = model(torch.randint(0, vocab_size, (7, 4)))
    assert (logits[:, 0] < UNKNOWN_LOGIT / 2).all()


def test_a_schedule_cannot_resume_with_another_number_of_epochs(
    train: CareerArrays, val: CareerArrays, vocab_size: int, words: TitleWords
) -> None:
    params = SMALL.model_copy(update={"schedule": "cosine"})
    state = next(fit(params, train, val, vocab_size, seed=0)).checkpoint()
    longer = params.model_copy(update={"max_epochs": 9})
    with pytest.raises(TrainingError, match="max_epochs 4 → 9"):
        next(fit(longer, train, val, vocab_size, seed=0, checkpoint=state))


def test_the_best_epoch_and_patience_follow_the_metric(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    params = SMALL.model_copy(update={"max_epochs": 12, "patience": 2, "learning_rate": 2e-2})
    results = list(fit(params, train, val, vocab_size, seed=1, metric="val_top1"))
    top1 = [result.metrics["val_top1"] for result in results]
    assert [result.best_epoch for result in results] == [
        1 + max(range(seen + 1), key=lambda epoch: (top1[epoch], -epoch)) for seen in range(len(top1))
    ]
    assert len(results) == results[-1].best_epoch + params.patience < params.max_epochs
    by_nll = list(fit(params, train, val, vocab_size, seed=1))
    assert by_nll[-1].best_epoch != results[-1].best_epoch


def test_a_checkpoint_with_another_metric_is_refused(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    state = next(fit(SMALL, train, val, vocab_size, seed=0)).checkpoint()
    with pytest.raises(TrainingError, match="metric 'val_next_role_nll' → 'val_top1'"):
        next(fit(SMALL, train, val, vocab_size, seed=0, metric="val_top1", checkpoint=state))


def test_a_metric_that_is_undefined_on_val_is_refused(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    without = replace(val, hireable=np.full_like(val.hireable, np.nan))
    with pytest.raises(
        TrainingError, match="`val_hireability_auc` must be a finite number, but is undefined"
    ):
        next(fit(SMALL, train, without, vocab_size, seed=0, metric="val_hireability_auc"))
