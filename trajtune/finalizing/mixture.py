"""Mix networks with the n-gram baseline, by what each predicted on val.

Networks generalise and counts remember. On small and repetitive data the mixture is better than either.
"""

# E examples

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.finalizing.selection import Refit
from trajtune.model.baselines.ngram import exportable, ngram
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.checkpoint import State, averaged, build_model, load_checkpoint
from trajtune.model.predict import predict

Losses = NDArray[np.float64]
"""NLL of each example's next title in nats, ``[E]``; NaN where the vocabulary does not hold it."""

_LEAST_SHARE: Final = 0.02
"""A smaller share is none: it would change little, and cost the graph its counts."""


@dataclass(frozen=True)
class Mixture:
    """How the exported model is put together.

    Attributes:
        choice: What the n-gram counts.
        ngram_share: Weight of the n-gram in the probabilities of titles, in 0..1; the networks share the
            rest. Tenure and hireability are the networks' alone.
    """

    choice: NGramChoice
    ngram_share: float

    def state(self, networks: Sequence[State], train: CareerArrays) -> dict[str, Any]:
        """The state of networks that were trained on ``train``, mixed with the counts of ``train``."""
        counts = self._counts(networks, train) if self.ngram_share else None
        return averaged(networks, counts, self.ngram_share)

    def _counts(self, networks: Sequence[State], train: CareerArrays) -> dict[str, Any]:
        return exportable(train, networks[0]["vocab_size"], self.choice)


@dataclass(frozen=True)
class ValLosses:
    """What networks that were trained on train, and the n-gram's counts of train, say of val's last moves.

    Attributes:
        networks: Of each refit, by its configuration's name and its seed.
        counts: Of the n-gram.
    """

    networks: Mapping[tuple[str, int], Losses]
    counts: Losses

    def mixed(self, refits: Sequence[Refit]) -> tuple[float, Losses]:
        """The n-gram's best share in the mixture with the mean of some networks, and the mixture's losses."""
        networks = mean_losses([self.networks[refit.finalist.name, refit.seed] for refit in refits])
        share = best_share(networks, self.counts)
        return share, mixed_losses(networks, self.counts, share)


def val_losses(refits: Sequence[Refit], choice: NGramChoice, snapshot: Snapshot) -> ValLosses:
    """Predict val with every refit, and with the n-gram.

    Args:
        refits: Trained on the snapshot's train.
        choice: What the n-gram counts.
        snapshot: Its train is counted.
    """
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    examples = examples_of(val, "last")
    networks = {
        (refit.finalist.name, refit.seed): predict(
            build_model(load_checkpoint(refit.checkpoint)), val, examples
        ).nll
        for refit in refits
        if refit.checkpoint
    }
    counts = ngram(train, snapshot.encoder().vocab_size, choice).predict(val, examples).nll
    return ValLosses(networks, counts)


def best_share(first: Losses, second: Losses) -> float:
    """The weight of the second in the mixture of two predictors with the least mean loss, in 0..1."""
    if np.isnan(first).all():
        return 0.0
    # The loss is convex in the share.
    found = minimize_scalar(
        lambda share: np.nanmean(mixed_losses(first, second, share)), bounds=(0, 1), method="bounded"
    )
    share = round(float(found.x), 2)
    # The networks always keep a part: they alone predict tenure and hireability.
    return 0.0 if share < _LEAST_SHARE else min(share, 1 - _LEAST_SHARE)


def mixed_losses(first: Losses, second: Losses, share: float) -> Losses:
    """The losses of the mixture of two predictors."""
    mixed = (1 - share) * np.exp(-first) + share * np.exp(-second)
    losses: Losses = -np.log(np.maximum(mixed, np.finfo(np.float64).tiny))
    return losses


def mean_losses(losses: Sequence[Losses]) -> Losses:
    """The losses of the mean of several predictors' probabilities."""
    mean = np.mean([np.exp(-each) for each in losses], 0)
    result: Losses = -np.log(np.maximum(mean, np.finfo(np.float64).tiny))
    return result
