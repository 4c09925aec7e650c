"""The trial as Ray Tune runs it: an actor that trains one trial after another, an epoch a step."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ray import tune

from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.search.study.trial_records import trial_directory
from trajtune.search.trial import train_trial
from trajtune.storage.path import stored_path

if TYPE_CHECKING:
    from trajtune.model.network.title_vectors import TitleWords


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial that its config names: ``number``, ``params``, and how many epochs are ``recorded``.

    Each step is an epoch and reports what `train_trial` yields; the step after the last reports
    ``done`` alone. A `TrainingError` would come back on every retry, so it is reported as ``error``;
    anything else is Ray's to retry.
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
        seed: int,
        device: str,
    ) -> None:
        """Take the shared data (numpy in Ray's object store: read, never copied) and begin."""
        import torch

        torch.set_num_threads(1)
        self._train = CareerArrays.from_dict(data["train"])
        self._val = CareerArrays.from_dict(data["val"])
        self._vocab_size, self._title_words = vocab_size, title_words
        self._directory = stored_path(directory)
        self._metric, self._constrained, self._seed = metric, constrained, seed
        self._device = device
        self._epochs = self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial in this process."""
        self._epochs = self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch."""
        try:
            report = next(self._epochs, None)
        except TrainingError as error:
            return {"error": str(error), "done": True}
        if report is None:
            return {"done": True}
        # Ray's loggers count in this: its own count of steps begins anew with each session.
        return {"report": report, "timesteps_total": report["epoch"]}

    def _begin(self, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return train_trial(
            Params.model_validate(config["params"]),
            self._train,
            self._val,
            self._vocab_size,
            self._directory / trial_directory(config["number"]),
            title_words=self._title_words,
            metric=self._metric,
            constrained=self._constrained,
            seed=self._seed,
            device=self._device,
            recorded=config["recorded"],
        )
