"""Train the models of an origin: the winner's configuration, the research default, and the baselines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trajtune.dataset.arrays import examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import TrainingError
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.build import calibrate
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.priors import priors_of
from trajtune.finalizing.mixture import Mixture, best_share, mean_losses
from trajtune.finalizing.refit import RESEARCH_DEFAULT_NAME, refit_all
from trajtune.finalizing.selection import Finalist, Refit
from trajtune.model.baselines.baselines import Predictor, fit_baselines
from trajtune.model.baselines.ngram import choose_ngram, ngram
from trajtune.model.checkpoint import build_model, load_checkpoint
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict
from trajtune.storage.path import StoredPath

HELD_OUT_NAME: Final = "the newest moves before the origin"


@dataclass(frozen=True)
class Trainings:
    """Configurations to train on every origin, and settings of the training.

    Attributes:
        finalists: The research default, and the winner if it is another configuration; the winner is last.
        seeds: Seeds of each configuration.
        folder: Directory of the finished trainings, which are used again.
        settings: Settings of finalize: workers, coverages, and whether networks are averaged.
        gpus: Share of a GPU, or GPUs, of each training.
        verbose: Show Ray's logs.
    """

    finalists: Sequence[Finalist]
    seeds: Sequence[int]
    folder: StoredPath
    settings: FinalizeSettings
    gpus: float
    verbose: bool

    @property
    def winner(self) -> Finalist:
        """The configuration that the run found best."""
        return self.finalists[-1]


@dataclass(frozen=True)
class OriginModels:
    """The models of one origin; they depend on nothing on that day or later.

    Attributes:
        encoder: Vocabulary of the models.
        model: The winner's seeds, averaged and mixed with the n-gram.
        corrections: Calibration of the winner.
        research_default: One model per seed; empty if it could not be trained.
        baselines: Baselines by name.
        record: ``ngram_share``, ``ngram`` (the choice), ``epochs`` of the winner's seeds, and ``vocab_size``.
    """

    encoder: TitleEncoder
    model: CareerModel
    corrections: Corrections
    research_default: Sequence[CareerModel]
    baselines: Mapping[str, Predictor]
    record: Mapping[str, Any]


def train_origin(trainings: Trainings, snapshot: Snapshot, progress: Callable[[str], None]) -> OriginModels:
    """Train the models of an origin, or read finished trainings; then calibrate the winner.

    Args:
        trainings: Configurations to train.
        snapshot: From `origins.origin_snapshot`.
        progress: Called with a line about each finished training.

    Raises:
        TrainingError: If the winner's configuration cannot be trained on this data.
    """
    refits = refit_all(
        trainings.finalists,
        trainings.seeds,
        snapshot,
        trainings.folder,
        workers=trainings.settings.workers,
        gpus=trainings.gpus,
        verbose=trainings.verbose,
        progress=progress,
    )
    of_winner = [refit for refit in refits if refit.finalist == trainings.winner]
    failed = next((refit.error for refit in of_winner if refit.error), None)
    if failed:
        day = snapshot.manifest["origin"]
        raise TrainingError(f"{trainings.winner.name} could not be trained as of {day}: {failed}")
    of_default = [r for r in refits if r.finalist.name == RESEARCH_DEFAULT_NAME and r.checkpoint]
    return _calibrated(trainings, snapshot, of_winner, [_model(refit) for refit in of_default])


def _calibrated(
    trainings: Trainings, snapshot: Snapshot, refits: Sequence[Refit], research_default: list[CareerModel]
) -> OriginModels:
    encoder, held_out = snapshot.encoder(), snapshot.read("val")
    train, val = snapshot.arrays("train"), held_out.arrays
    # Chosen again on each origin: the run's own choice knows all of val.
    choice = choose_ngram(train, val, encoder.vocab_size)
    share = 0.0
    if trainings.settings.export == "average":
        examples = examples_of(val, "last")
        networks = mean_losses([predict(_model(refit), val, examples).nll for refit in refits])
        counts = ngram(train, encoder.vocab_size, choice).predict(val, examples).nll
        share = best_share(networks, counts)
    states = [load_checkpoint(refit.checkpoint) for refit in refits if refit.checkpoint]
    model = build_model(Mixture(choice, share).state(states, train))
    priors = priors_of(train, trainings.winner.params)
    calibrated = calibrate(model, held_out, trainings.settings, HELD_OUT_NAME, priors)
    return OriginModels(
        encoder,
        model,
        calibrated.corrections,
        research_default,
        fit_baselines(train, encoder.vocab_size, choice),
        {
            "ngram_share": share,
            "ngram": choice.to_dict(),
            "epochs": [refit.epoch for refit in refits],
            "vocab_size": encoder.vocab_size,
        },
    )


def _model(refit: Refit) -> CareerModel:
    assert refit.checkpoint is not None
    return build_model(load_checkpoint(refit.checkpoint))
