"""Mixes networks with the n-gram baseline, with a weight that is fitted on val.

Networks generalise, and counts memorise. On small and repetitive data the mixture is better than either.
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
"""NLL of each example's next title in nats, ``[E]``; NaN if the title is not in the vocabulary."""

_LEAST_SHARE: Final = 0.02
"""Smaller shares become 0, because they would change little but add all counts to the graph."""


@dataclass(frozen=True)
class Mixture:
    """The mixture of networks and n-gram in the exported model.

    Attributes:
        choice: Settings of the n-gram.
        ngram_share: Weight of the n-gram in the probabilities of titles, in 0..1; the networks share the
            rest. Only the networks predict tenure and hireability.
    """

    choice: NGramChoice
    ngram_share: float

    def state(self, networks: Sequence[State], train: CareerArrays) -> dict[str, Any]:
        """Return the state of networks that were trained on ``train``, mixed with the counts of ``train``."""
        counts = self._counts(networks, train) if self.ngram_share else None
        return averaged(networks, counts, self.ngram_share)

    def _counts(self, networks: Sequence[State], train: CareerArrays) -> dict[str, Any]:
        return exportable(train, networks[0]["vocab_size"], self.choice)


@dataclass(frozen=True)
class ValLosses:
    """Losses on the last moves of val, of networks trained on train and of the n-gram's counts of train.

    Attributes:
        networks: Losses of each refit, by name of the configuration and seed.
        counts: Losses of the n-gram.
    """

    networks: Mapping[tuple[str, int], Losses]
    counts: Losses

    def mixed(self, refits: Sequence[Refit]) -> tuple[float, Losses]:
        """Return the n-gram's best share in a mixture with the mean of networks, and the mixture's losses."""
        networks = mean_losses([self.networks[refit.finalist.name, refit.seed] for refit in refits])
        share = best_share(networks, self.counts)
        return share, mixed_losses(networks, self.counts, share)


def val_losses(refits: Sequence[Refit], choice: NGramChoice, snapshot: Snapshot) -> ValLosses:
    """Predict val with every refit and with the n-gram.

    Args:
        refits: Refits that were trained on the snapshot's train.
        choice: Settings of the n-gram.
        snapshot: Source of train, for the n-gram's counts, and of val.
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
    """Return the weight of the second predictor, in 0..1, that minimises the mean loss of the mixture."""
    if np.isnan(first).all():
        return 0.0
    # The loss is convex in the share.
    found = minimize_scalar(
        lambda share: np.nanmean(mixed_losses(first, second, share)), bounds=(0, 1), method="bounded"
    )
    share = round(float(found.x), 2)
    # The networks always keep a share, because only they predict tenure and hireability.
    return 0.0 if share < _LEAST_SHARE else min(share, 1 - _LEAST_SHARE)


def mixed_losses(first: Losses, second: Losses, share: float) -> Losses:
    """Return the losses of the mixture of two predictors."""
    mixed = (1 - share) * np.exp(-first) + share * np.exp(-second)
    losses: Losses = -np.log(np.maximum(mixed, np.finfo(np.float64).tiny))
    return losses


def mean_losses(losses: Sequence[Losses]) -> Losses:
    """Return the losses of the mean of several predictors' probabilities."""
    mean = np.mean([np.exp(-each) for each in losses], 0)
    result: Losses = -np.log(np.maximum(mean, np.finfo(np.float64).tiny))
    return result
