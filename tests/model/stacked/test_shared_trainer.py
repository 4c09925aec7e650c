"""Trainings in several threads whose epochs are trained together."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.model.conftest import SMALL
from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.stacked import shared_trainer
from trajtune.model.stacked.shared_trainer import SharedTrainer
from trajtune.model.training.epoch import EpochTraining
from trajtune.model.training.fit import fit

PARAMS = [
    SMALL.model_copy(update={"max_epochs": 3}),
    SMALL.model_copy(update={"max_epochs": 2, "learning_rate": 1e-3}),
    SMALL.model_copy(update={"max_epochs": 3, "dropout": 0.3, "weight_decay": 0.0}),
    SMALL.model_copy(update={"max_epochs": 2, "hidden_dim": 4}),
]
"""Trainings of different lengths; the last one has another shape."""


def trained(
    trainer: SharedTrainer, number: int, params: Params, train: CareerArrays, val: CareerArrays, vocab: int
) -> list[Any]:
    """Train in the present thread and return the val NLL of each epoch, or the error."""
    epochs = fit(params, train, val, vocab, seed=number, trainer=trainer)
    found: list[Any] = []
    while True:
        try:
            with trainer.running(number):
                result = next(epochs, None)
        except (TrainingError, RuntimeError) as error:
            result, found = None, [*found, error]
        if result is None:
            trainer.forget(number)
            return found
        found.append(result.metrics["val_next_role_nll"])


def together(
    trainer: SharedTrainer, params: list[Params], train: CareerArrays, val: CareerArrays, vocab: int
) -> list[list[Any]]:
    with ThreadPoolExecutor(len(params)) as threads:
        started = [
            threads.submit(trained, trainer, number, each, train, val, vocab)
            for number, each in enumerate(params)
        ]
        return [each.result() for each in started]


def alone(params: Params, seed: int, train: CareerArrays, val: CareerArrays, vocab: int) -> list[float]:
    return [r.metrics["val_next_role_nll"] for r in fit(params, train, val, vocab, seed=seed)]


def test_trainings_of_several_threads_get_their_own_results(
    train: CareerArrays, val: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = shared_trainer.train_stacked

    def counted(group: list[EpochTraining]) -> list[float | TrainingError]:
        sizes.append(len(group))
        return original(group)

    monkeypatch.setattr(shared_trainer, "train_stacked", counted)
    found = together(SharedTrainer(), PARAMS, train, val, vocab_size)

    assert sizes, "no epoch was trained together"
    for seed, (params, values) in enumerate(zip(PARAMS, found, strict=True)):
        assert values == pytest.approx(alone(params, seed, train, val, vocab_size), abs=1e-3)


def test_a_training_that_diverges_does_not_affect_the_others(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    params = [PARAMS[1], PARAMS[1].model_copy(update={"learning_rate": 1e30})]

    good, bad = together(SharedTrainer(), params, train, val, vocab_size)

    assert good == pytest.approx(alone(params[0], 0, train, val, vocab_size), abs=1e-3)
    assert isinstance(bad[-1], TrainingError)
    assert "learning_rate=1e+30" in str(bad[-1])


def test_a_training_that_stops_asking_is_not_waited_for_again(
    train: CareerArrays, val: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_trainer, "_LEAST_WAIT_S", 0.05)
    trainer = SharedTrainer()
    with trainer.running("stopped"):
        pass

    assert len(trained(trainer, 0, PARAMS[0], train, val, vocab_size)) == 3


def test_a_training_that_is_started_again_ends_its_earlier_thread(
    train: CareerArrays, val: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_trainer, "_LEAST_WAIT_S", 60.0)
    trainer = SharedTrainer()
    with trainer.running("other"):
        pass
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(trained, trainer, 0, PARAMS[0], train, val, vocab_size)
        while not trainer.is_waiting(0):
            pass
        trainer.forget(0)
        (error,) = waiting.result()
    assert "started again" in str(error)
