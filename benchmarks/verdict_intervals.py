"""How often calibrated intervals and sets contain the truth, with people whose true probabilities are known.

Each part calibrates on a number of people and measures on many others. The probabilities of the "model" are
the true ones, distorted as an overconfident model distorts them.
"""

# N people, T titles

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdict_populations import COVERAGE, Population, take
from trajtune.experiment.gate_settings import GateSettings
from trajtune.finalizing.calibrate.conformal import TenureCorrection, conformal_correction
from trajtune.finalizing.calibrate.isotonic import fit_calibration
from trajtune.finalizing.calibrate.title_sets import SetRule, fit_sets
from trajtune.finalizing.evaluate import decide
from trajtune.finalizing.evaluate.bootstrap import Gain, mean_gain
from trajtune.model.censoring import tenure_weights

TITLES: Final = 30
MANY: Final = 10_000
"""Number of people that a calibration is measured on, and that a set rule without a fault is fitted on."""

ACTED_ON: Final = 0.6
"""Confidence from which the service acts on a prediction."""

OFTEN: Final = 0.2
"""Share of people with such a probability from which a world counts for it."""

FAULT: Final = 0.7
"""True coverage of the sets with a fault."""


@dataclass(frozen=True)
class People:
    """People with known probabilities of their next titles, in the order in which the model ranks them.

    Attributes:
        true: True probability of each title, ``[N, T]``.
        said: Probability that the model gives, falling, ``[N, T]``.
        rank: Rank of the title that came next, ``[N]``, from 1.
    """

    true: NDArray[np.float64]
    said: NDArray[np.float64]
    rank: NDArray[np.int64]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable title came next, bool ``[N]``."""
        return np.asarray(self.rank == 1)

    def covered(self, rule: SetRule) -> NDArray[np.float64]:
        """Return the true probability of each person's set, ``[N]``."""
        sizes = rule.sizes(self.said)
        return np.asarray(self.true.cumsum(1)[np.arange(len(sizes)), sizes - 1])


@dataclass(frozen=True)
class World:
    """The distribution that people are drawn from.

    Attributes:
        sharpness: Concentration of the true probabilities; lower is more predictable.
        overconfidence: Power to which the model raises them.
        noise: Standard deviation of the noise in the logarithm of the model's probabilities.
    """

    sharpness: float
    overconfidence: float
    noise: float

    @classmethod
    def drawn(cls, least: float, most: float, random: np.random.Generator) -> "World":
        """Return a random world with a sharpness between two numbers."""
        sharpness = float(np.exp(random.uniform(np.log(least), np.log(most))))
        return cls(sharpness, random.uniform(0.8, 1.6), random.uniform(0, 0.5))

    def people(self, num: int, random: np.random.Generator) -> People:
        """Draw people."""
        true = random.dirichlet(np.full(TITLES, self.sharpness), num).clip(1e-12)
        logits = self.overconfidence * np.log(true) + random.normal(0, self.noise, true.shape)
        said = np.exp(logits - logits.max(1, keepdims=True))
        said /= said.sum(1, keepdims=True)
        order = np.argsort(-said, 1)
        true, said = np.take_along_axis(true, order, 1), np.take_along_axis(said, order, 1)
        true /= true.sum(1, keepdims=True)
        rank = (true.cumsum(1) < random.random((num, 1))).sum(1).clip(max=TITLES - 1) + 1
        return People(true, said, rank)


def title_sets(size: int, random: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Yield the coverage of sets that were fitted on some people, and the gate's verdicts on others."""
    world = World.drawn(0.05, 0.5, random)
    fitted_on, others, test = (world.people(num, random) for num in (size, MANY, size))
    rule, _ = fit_sets(fitted_on.said, fitted_on.rank, COVERAGE)
    if rule is not None:
        yield "coverage of title sets", float(others.covered(rule).mean())
    for fault, wanted in (("", COVERAGE), (f", true coverage {FAULT:g}", FAULT)):
        exact, _ = fit_sets(others.said, others.rank, wanted)
        assert exact is not None
        sizes = exact.sizes(test.said)
        share = float((test.rank <= sizes).mean())
        found = {"num": size, "coverage": share, "mean_size": float(sizes.mean())}
        limit = GateSettings().set_coverage
        result = decide.sets(found, nominal=COVERAGE, limit=limit, rule="")["result"]
        if fault:
            yield f"power: set coverage{fault}", result == decide.FAILED
        else:
            yield "false alarm: set coverage", result == decide.FAILED
            yield "undecided: set coverage", result == decide.TOO_FEW


def confidence(size: int, random: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Yield by how much confidence exceeds accuracy after calibration, for all and where it is acted on."""
    world = World.drawn(0.01, 0.15, random)
    fitted_on, others = (world.people(num, random) for num in (size, MANY))
    said = fit_calibration(fitted_on.said[:, 0], fitted_on.correct).table(others.said[:, 0])
    excess, acted_on = said - others.true[:, 0], said >= ACTED_ON
    yield "confidence minus accuracy", float(excess.mean())
    # Decided by the world and not by the fit, which would select fits that are too high.
    if (others.true[:, 0] >= ACTED_ON).mean() >= OFTEN and acted_on.any():
        yield f"confidence minus accuracy, from {ACTED_ON:g}", float(excess[acted_on].mean())


def calibrated_tenure(population: Population, size: int, random: np.random.Generator) -> float | None:
    """Return the true coverage of tenure intervals that were calibrated on some last roles, half still held.

    Args:
        population: People; the intervals of the "model" are the best possible ones with noise, too narrow.
        size: Number of people to calibrate on; the coverage is measured on the others.
        random: Source of the noise and of the choice.
    """
    best = population.best
    middle, half = best.tenure.mean(1, keepdims=True), np.diff(best.tenure, axis=1) / 2
    factors = random.uniform(0.5, 1) * random.lognormal(0, 0.3, (len(best), 1))
    made = middle + half * factors * np.array([-1, 1])
    order = random.permutation(len(best))
    chosen, rest = order[:size], order[size:]
    of_chosen = take(population, chosen).best
    weights = tenure_weights(of_chosen.tenure_months, of_chosen.tenure_at_least)
    correction = conformal_correction(made[chosen], of_chosen.tenure_months, COVERAGE, weights)
    if correction is None:
        return None
    return inside(correction(made[rest]), population.true_months[rest])


def inside(interval: NDArray[np.floating], months: NDArray[np.floating]) -> float:
    """Return the share of tenures inside their intervals."""
    return float(((interval[:, 0] <= months) & (months <= interval[:, 1])).mean())


def with_true_coverage(population: Population) -> NDArray[np.float64]:
    """Return intervals ``[N, 2]`` that contain 80 % of all tenures, including those still held."""
    best = population.best
    return (conformal_correction(best.tenure, population.true_months, COVERAGE) or TenureCorrection())(
        best.tenure
    )


def holds_known_gain(size: int, random: np.random.Generator) -> bool:
    """Return whether the interval of a gain in NLL contains the true gain, with known probabilities.

    Each person has random probabilities of ten titles; the other predictor mixes them with equal ones. The
    true gain is the mean divergence over many more people, computed without drawing titles.
    """
    sharpness, share = random.uniform(0.1, 1), random.uniform(0.05, 0.5)
    truth = divergence(random.dirichlet(np.full(10, sharpness), 100_000), share).mean()
    own = random.dirichlet(np.full(10, sharpness), size)
    happened = (own.cumsum(1) < random.random((size, 1))).sum(1).clip(max=9)
    given = own[np.arange(size), happened]
    found = mean_gain(np.log(given / ((1 - share) * given + share / 10))[None])
    return found is not None and contains(found, float(truth))


def divergence(probabilities: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the divergence of each row from its mixture with equal probabilities."""
    mixed = (1 - share) * probabilities + share / probabilities.shape[1]
    terms = np.where(probabilities > 0, probabilities * np.log(np.maximum(probabilities, 1e-300) / mixed), 0)
    return np.asarray(terms.sum(1))


def contains(found: Gain, truth: float) -> bool:
    return found["low"] <= truth <= found["high"]
