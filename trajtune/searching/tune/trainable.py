"""Ray Tune's trainable: an actor that trains one trial after another, one epoch per step."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.searching.runs.create import versions as versions_here
from trajtune.searching.runs.directory import MANIFEST
from trajtune.searching.runs.place_faults import PlaceFaultError, as_place_faults
from trajtune.searching.study.trial_records import trial_directory
from trajtune.searching.trial import train_trial
from trajtune.storage.path import StoredPath, stored_path

if TYPE_CHECKING:
    from trajtune.model.network.title_words import TitleWords
    from trajtune.model.training.epoch import EpochTrainer
    from trajtune.searching.shared_careers import SharedCareers


@dataclass(frozen=True)
class TrialInputs:
    """What all trials of a session share. Ray's object store provides the arrays without copies.

    Attributes:
        data: References to the careers of ``train`` and ``val``.
        vocab_size: Number of titles, including the unknown title.
        title_words: The words of the vocabulary's titles.
        directory: The run's directory or URI.
        metric: The first objective.
        constrained: Metrics named in constraints.
        device: Torch device.
    """

    data: "SharedCareers"
    vocab_size: int
    title_words: "TitleWords"
    directory: str
    metric: str
    constrained: frozenset[str]
    device: str

    def train(
        self, config: Mapping[str, Any], trainer: "EpochTrainer | None" = None
    ) -> Iterator[dict[str, Any]]:
        """Train a trial; see `train_trial`.

        Args:
            config: ``number``, ``params``, ``seed`` and epochs already ``recorded``.
            trainer: Trains each epoch; None: the trial's model is trained alone.
        """
        return train_trial(
            Params.model_validate(config["params"]),
            CareerArrays.from_dict(ray.get(self.data["train"])),
            CareerArrays.from_dict(ray.get(self.data["val"])),
            self.vocab_size,
            stored_path(self.directory) / trial_directory(config["number"]),
            title_words=self.title_words,
            metric=self.metric,
            constrained=self.constrained,
            seed=config["seed"],
            device=self.device,
            recorded=config["recorded"],
            trainer=trainer,
        )


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial in its config: ``number``, ``params``, ``seed`` and epochs already ``recorded``.

    Each step is an epoch and reports what `train_trial` yields. The step after the last epoch reports
    only ``done``. A `TrainingError` would occur again in every retry, so it is reported as ``error``.
    Ray retries after any other exception. If the last exception is a `PlaceFaultError`, the search stops.
    """

    def setup(self, config: dict[str, Any], inputs: TrialInputs, versions: Mapping[str, str]) -> None:
        """Keep the shared inputs and start a trial."""
        import torch

        check_node(versions, stored_path(inputs.directory))
        torch.set_num_threads(1)
        self._inputs = inputs
        self._epochs = inputs.train(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial in this process."""
        self._epochs = self._inputs.train(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch."""
        return next_report(self._epochs)


def next_report(epochs: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Train an epoch and return its report for Ray Tune; see `TrialActor`."""
    try:
        with as_place_faults():
            report = next(epochs, None)
    except TrainingError as error:
        return {"error": str(error), "done": True}
    if report is None:
        return {"done": True}
    # Ray's loggers use this as the step, because Ray's own count of steps starts at 1 in each session.
    return {"report": report, "timesteps_total": report["epoch"]}


def check_node(versions: Mapping[str, str], run: StoredPath) -> None:
    """Refuse a node that joined during the search if it has other versions or does not see the run."""
    here = versions_here()
    others = [f"{name} {here[name]}" for name, version in versions.items() if here[name] != version]
    if others:
        raise PlaceFaultError(f"the node {socket.gethostname()} has other versions: {', '.join(others)}")
    with as_place_faults():
        sees_run = (run / MANIFEST).is_file()
    if not sees_run:
        raise PlaceFaultError(f"the node {socket.gethostname()} does not see the run at {run}")
