"""Ray Tune's trainable: an actor that trains one trial after another, one epoch per step."""

import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

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


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial in its config: ``number``, ``params``, ``seed`` and epochs already ``recorded``.

    Each step is an epoch and reports what `train_trial` yields. The step after the last epoch reports
    only ``done``. A `TrainingError` would occur again in every retry, so it is reported as ``error``.
    Ray retries after any other exception. If the last exception is a `PlaceFaultError`, the search stops.
    """

    def setup(
        self,
        config: dict[str, Any],
        data: Mapping[str, Mapping[str, Any]],
        vocab_size: int,
        title_words: "TitleWords",
        directory: str,
        metric: str,
        constrained: frozenset[str],
        device: str,
        versions: Mapping[str, str],
    ) -> None:
        """Keep the shared data, which Ray's object store provides without copies, and start a trial."""
        import torch

        _check_node(versions, stored_path(directory))
        torch.set_num_threads(1)
        self._train = CareerArrays.from_dict(data["train"])
        self._val = CareerArrays.from_dict(data["val"])
        self._vocab_size, self._title_words = vocab_size, title_words
        self._directory = stored_path(directory)
        self._metric, self._constrained = metric, constrained
        self._device = device
        self._epochs = self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial in this process."""
        self._epochs = self._start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch."""
        try:
            with as_place_faults():
                report = next(self._epochs, None)
        except TrainingError as error:
            return {"error": str(error), "done": True}
        if report is None:
            return {"done": True}
        # Ray's loggers use this as the step, because Ray's own count of steps starts at 1 in each session.
        return {"report": report, "timesteps_total": report["epoch"]}

    def _start(self, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return train_trial(
            Params.model_validate(config["params"]),
            self._train,
            self._val,
            self._vocab_size,
            self._directory / trial_directory(config["number"]),
            title_words=self._title_words,
            metric=self._metric,
            constrained=self._constrained,
            seed=config["seed"],
            device=self._device,
            recorded=config["recorded"],
        )


def _check_node(versions: Mapping[str, str], run: StoredPath) -> None:
    """Refuse a node that joined during the search if it has other versions or does not see the run."""
    here = versions_here()
    others = [f"{name} {here[name]}" for name, version in versions.items() if here[name] != version]
    if others:
        raise PlaceFaultError(f"the node {socket.gethostname()} has other versions: {', '.join(others)}")
    with as_place_faults():
        sees_run = (run / MANIFEST).is_file()
    if not sees_run:
        raise PlaceFaultError(f"the node {socket.gethostname()} does not see the run at {run}")
