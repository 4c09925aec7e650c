"""Mix the winner's networks with the n-gram baseline, by what each predicted on val.

Networks generalise and counts remember. On small and repetitive data the mixture is better than either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize_scalar

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.model.baselines.ngram import exportable, ngram
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.checkpoint import State, averaged, build_model
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions

_LEAST_SHARE: Final = 0.02
"""A smaller share is none: it would change little, and cost the graph its counts."""


@dataclass(frozen=True)
class Mixture:
    """How the exported model is put together.

    Attributes:
        choice: What the n-gram counts.
        ngram_share: Weight of the n-gram in the probabilities of titles, in 0..1; the networks share the
            rest. Tenure and hireability are the networks' alone.
        val_nll: NLL of the mixture on val, of networks that were trained on train, in nats; NaN: not known.
    """

    choice: NGramChoice
    ngram_share: float
    val_nll: float = float("nan")

    def state(self, networks: Sequence[State], train: CareerArrays) -> dict[str, Any]:
        """The state of networks that were trained on ``train``, mixed with the counts of ``train``."""
        counts = self._counts(networks, train) if self.ngram_share else None
        return averaged(networks, counts, self.ngram_share)

    def _counts(self, networks: Sequence[State], train: CareerArrays) -> dict[str, Any]:
        return exportable(train, networks[0]["vocab_size"], self.choice)


def fit_mixtures(
    networks: Mapping[str, Sequence[State]], choice: NGramChoice, snapshot: Snapshot
) -> dict[str, Mixture]:
    """Choose the n-gram's share on val for each configuration, whose networks were trained on train.

    Args:
        networks: The states of its seeds, by the configuration's name.
        choice: What the n-gram counts.
        snapshot: Its train is counted; val decides.
    """
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    examples = examples_of(val, "last")
    of_counts = ngram(train, snapshot.encoder().vocab_size, choice).predict(val, examples)
    mixtures = {}
    for name, states in networks.items():
        of_networks = predict(build_model(averaged(states)), val, examples)
        share = best_share(of_networks, of_counts)
        mixtures[name] = Mixture(choice, share, mixed_nll(of_networks, of_counts, share))
    return mixtures


def best_share(first: Predictions, second: Predictions) -> float:
    """The weight of the second in the mixture of two predictors with the least log-loss, in 0..1."""
    known = ~np.isnan(first.nll)
    if not known.any():
        return 0.0
    # The loss is convex in the share.
    found = minimize_scalar(lambda share: mixed_nll(first, second, share), bounds=(0, 1), method="bounded")
    share = round(float(found.x), 2)
    # The networks always keep a part: they alone predict tenure and hireability.
    return 0.0 if share < _LEAST_SHARE else min(share, 1 - _LEAST_SHARE)


def mixed_nll(first: Predictions, second: Predictions, share: float) -> float:
    """Log-loss of the mixture of two predictors, in nats; NaN without a known target."""
    p, q = np.exp(-first.nll), np.exp(-second.nll)
    mixed = np.maximum((1 - share) * p + share * q, np.finfo(np.float64).tiny)
    known = ~np.isnan(p)
    return float(-np.log(mixed[known]).mean()) if known.any() else float("nan")
