"""The Bayes optimum: the best prediction from the titles of a career, given the exact generator.

It conditions on the canonical titles before the last one (which also show the language), and on the career
being in the split. It does not condition on dates, which no model gets. The number of roles is drawn
independently of everything else, so it carries no information. The exception is a split by move, where it is
the number of roles that had begun the day before the split's end; `move_probability` has the probabilities
for each number.
"""

# N careers, R roles of all careers, C careers in a chunk, Y cohorts, Z personas, H = Y * Z hidden states,
# K kinds of move, F families, S specialisations, L levels, V titles, M months of tenure

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import (
    IS_NEW_FAMILY,
    LEVEL_CHANGE,
    MOVES,
    NUM_LEVELS,
    CareerGenerator,
    build_generator,
    num_titles,
)
from trajtune.simulation.move_probability import move_probabilities
from trajtune.simulation.posterior import family_of, past_moves_of, posterior_of
from trajtune.simulation.split_probability import SplitProbability, Window, split_probability

TOP: Final = 5
_MAX_NUMBERS: Final = 2**22
_BISECTIONS: Final = 25
_SAME, _UP, _DOWN = (MOVES.index(kind) for kind in ("same title", "promotion", "step down"))


@dataclass(frozen=True)
class BayesOptimum:
    """The best possible predictions of the last role of each career, from the titles before it.

    Attributes:
        rank: int32 ``[N]``: rank of the last title, 0 if it is not allowed; the worst of tied ranks.
        nll: float64 ``[N]``: minus the log-probability of the last title in nats; NaN if not allowed.
        stay_nll: float64 ``[N]``: minus the log-probability of the title before the last, in nats.
        top: int32 ``[N, 5]``: the most probable titles, best first.
        confidence: float64 ``[N]``: probability of the most probable title.
        top1, top5: float64 ``[N]``: expected accuracies: the probabilities of ``top[:, :1]`` and of ``top``.
        ended: float64 ``[N]``: probability that the tenure of the last role is known.
        tenure_months: float64 ``[N, M]``: distribution of a known tenure in complete months.
        stayed: float64 ``[N]``: probability that the proxy label is 1, given that it is known.
        hireable: float64 ``[N]``: probability that the simulated label is 1, given that it is known.
    """

    rank: NDArray[np.int32]
    nll: NDArray[np.float64]
    stay_nll: NDArray[np.float64]
    top: NDArray[np.int32]
    confidence: NDArray[np.float64]
    top1: NDArray[np.float64]
    top5: NDArray[np.float64]
    ended: NDArray[np.float64]
    tenure_months: NDArray[np.float64]
    stayed: NDArray[np.float64]
    hireable: NDArray[np.float64]

    @property
    def tenure_median(self) -> NDArray[np.int64]:
        """Median tenure in months ``[N]``, which has the smallest mean absolute error."""
        return np.asarray(np.argmax(np.cumsum(self.tenure_months, axis=1) >= 0.5, axis=1), np.int64)


def bayes_optimum(
    settings: ProcessSettings,
    titles: NDArray[np.int64],
    offsets: NDArray[np.int64],
    window: Window,
    *,
    hireable_months: int = 12,
    allowed: NDArray[np.bool_] | None = None,
) -> BayesOptimum:
    """Return the best possible predictions for the careers of one split.

    Args:
        settings: Settings of the population.
        titles: Title numbers ``[R]``, the same in every language.
        offsets: Offsets of the careers ``[N + 1]``; each career has at least two roles.
        window: Careers of the split.
        hireable_months: Months of the proxy label.
        allowed: Titles that may be predicted, bool ``[N, V]``, for example those of a vocabulary; None: all.
            Probabilities are then conditional on the last title being one of them.
    """
    generator = build_generator(settings)
    if window.by == "move" and window.end is not None:
        splits = move_probabilities(generator, window, hireable_months)
        num_roles = np.diff(offsets)
    else:  # the same for any number of roles
        splits = {0: split_probability(generator, window, hireable_months)}
        num_roles = np.zeros(len(offsets) - 1, np.int64)
    chunks: list[BayesOptimum] = []
    groups = [np.flatnonzero(num_roles == number) for number in splits]
    for split, careers in zip(splits.values(), groups, strict=True):
        chosen = None if allowed is None else allowed[careers]
        chunks.extend(_chunks(generator, split, *_select(titles, offsets, careers), chosen))
    original_order = np.argsort(np.concatenate(groups))
    return BayesOptimum(
        **{
            field.name: np.concatenate([getattr(chunk, field.name) for chunk in chunks])[original_order]
            for field in fields(BayesOptimum)
        }
    )


def _select(
    titles: NDArray[np.int64], offsets: NDArray[np.int64], careers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the titles and offsets of the given careers."""
    num_roles = np.diff(offsets)[careers]
    chosen = np.concatenate([np.zeros(1, np.int64), np.cumsum(num_roles)])
    roles = np.repeat(offsets[careers] - chosen[:-1], num_roles) + np.arange(chosen[-1])
    return titles[roles], chosen


def narrowest_intervals(optimum: BayesOptimum, coverage: float) -> NDArray[np.int64]:
    """Return the intervals with the smallest mean width that contain ``coverage`` of the known tenures.

    Each interval maximises its probability minus a price times its width. All careers have the same price,
    which is as high as the coverage allows. Both ends are inclusive.

    Returns:
        First and last month of each interval, ``[N, 2]``.
    """
    weight = optimum.ended / optimum.ended.sum()
    by_month = np.ascontiguousarray(optimum.tenure_months.T)
    lowest, highest = 0.0, 1.0
    intervals, _ = _priced(by_month, lowest)
    for _ in range(_BISECTIONS):
        price = (lowest + highest) / 2
        priced, probability = _priced(by_month, price)
        if weight @ probability >= coverage:
            lowest, intervals = price, priced
        else:
            highest = price
    return intervals


def _priced(by_month: NDArray[np.float64], price: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the intervals ``[N, 2]`` with the largest priced probability, and their probabilities.

    The priced probability is the probability minus ``price`` times the number of months.

    Args:
        by_month: Probabilities of the months ``[M, N]``.
        price: Price of a month.
    """
    number = by_month.shape[1]
    first, start, end = (np.zeros(number, np.int64) for _ in range(3))
    running, best = np.full(number, -np.inf), np.full(number, -np.inf)
    for month, probability in enumerate(by_month):  # Kadane's algorithm, for all careers at once
        fresh = running <= 0
        first[fresh] = month
        running = np.where(fresh, 0.0, running) + (probability - price)
        better = running > best
        best[better] = running[better]
        start[better], end[better] = first[better], month
    return np.column_stack([start, end]), best + price * (end - start + 1)


def _chunks(
    generator: CareerGenerator,
    split: SplitProbability,
    titles: NDArray[np.int64],
    offsets: NDArray[np.int64],
    allowed: NDArray[np.bool_] | None,
) -> Iterator[BayesOptimum]:
    """Yield the `BayesOptimum` of one chunk of careers after another, in bounded memory."""
    if len(offsets) == 1:
        return
    posterior = posterior_of(generator, titles, offsets)
    past_titles, past_probability = past_moves_of(generator, titles, offsets)
    current, target = titles[offsets[1:] - 2], titles[offsets[1:] - 1]
    size = max(1, _MAX_NUMBERS // (num_titles(generator.settings) + 8 * posterior[0].size))
    for first in range(0, len(target), size):
        chunk = slice(first, first + size)
        known = _Known(posterior[chunk], current[chunk], past_titles[chunk], past_probability[chunk])
        yield _predict(generator, split, known, target[chunk], None if allowed is None else allowed[chunk])


@dataclass(frozen=True)
class _Known:
    """What the titles before the target show about careers.

    Attributes:
        posterior: Probabilities of cohort and persona ``[C, Y, Z]``.
        current: Last title before the target ``[C]``.
        past_titles, past_probability: Moves that depend on the titles so far ``[C, P]``; see `past_moves`.
    """

    posterior: NDArray[np.float64]
    current: NDArray[np.int64]
    past_titles: NDArray[np.int64]
    past_probability: NDArray[np.float64]

    @property
    def markov(self) -> NDArray[np.float64]:
        """Joint probability of hidden state and a move that depends only on the last title ``[C, Y, Z]``."""
        return np.asarray(self.posterior * (1 - self.past_probability.sum(1))[:, None, None])

    @property
    def past_levels(self) -> NDArray[np.float64]:
        """Probability of the other moves, by the level of their next title ``[C, L]``."""
        levels = np.eye(NUM_LEVELS)[self.past_titles % NUM_LEVELS]
        return np.asarray(np.einsum("cp,cpl->cl", self.past_probability, levels))


def _predict(
    generator: CareerGenerator,
    split: SplitProbability,
    known: _Known,
    target: NDArray[np.int64],
    allowed: NDArray[np.bool_] | None,
) -> BayesOptimum:
    current = known.current
    level = current % NUM_LEVELS
    next_level = np.clip(
        level[:, None] + LEVEL_CHANGE, 0, NUM_LEVELS - 1
    )  # [C, K]; impossible ones have probability 0
    kinds = known.markov[..., None] * generator.move[:, level].transpose(1, 0, 2)[:, None]  # [C, Y, Z, K]
    of_level = np.einsum("cyzk,ckl->cyzl", kinds, np.eye(NUM_LEVELS)[next_level])
    of_level += known.posterior[..., None] * known.past_levels[:, None, None]
    evidence = np.einsum("cyzl,yzl->c", of_level, split.in_split)
    kinds = kinds * np.moveaxis(split.in_split[:, :, next_level], 2, 0) / evidence[:, None, None, None]
    titles = _next_titles(generator, kinds, current)
    in_split = np.einsum("cyz,yzl->cl", known.posterior, split.in_split) / evidence[:, None]
    each = np.arange(len(current))[:, None]
    past_in_split = in_split[each, known.past_titles % NUM_LEVELS]
    np.add.at(titles, (each, known.past_titles), known.past_probability * past_in_split)
    if allowed is not None:
        titles *= allowed
        total = titles.sum(axis=1, keepdims=True)
        np.divide(titles, total, out=titles, where=total > 0)  # all zero where nothing is allowed

    hit, stay = titles[np.arange(len(target)), target], titles[np.arange(len(target)), current]
    can_hit = hit > 0
    top = _top(titles)
    top_probability = np.take_along_axis(titles, top.astype(np.int64), 1)
    months = np.einsum("cyzl,yzlm->cm", of_level, split.ended_months, optimize=True)
    ended = months.sum(1)
    stayed, left = (np.einsum("cyzl,yzl->c", of_level, joint) for joint in (split.stayed, split.left))
    complete = np.einsum("cyzl,yzl->c", of_level, split.complete)
    outcome = np.einsum("cyzl,yzl,zl->c", of_level, split.complete, generator.hireable, optimize=True)
    return BayesOptimum(
        rank=np.where(can_hit, np.count_nonzero(titles >= hit[:, None], axis=1), 0).astype(np.int32),
        nll=-np.log(hit, out=np.full(len(hit), np.nan), where=can_hit),
        stay_nll=-np.log(stay, out=np.full(len(stay), np.nan), where=stay > 0),
        top=top,
        confidence=top_probability[:, 0],
        top1=top_probability[:, 0],
        top5=top_probability.sum(1),
        ended=ended / evidence,
        tenure_months=months / ended[:, None],
        stayed=stayed / (stayed + left),
        hireable=outcome / complete,
    )


def _next_titles(
    generator: CareerGenerator, kinds: NDArray[np.float64], current: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the next-title distribution ``[C, V]``, given that of state and move kind ``[C, Y, Z, K]``."""
    settings = generator.settings
    each = np.arange(len(current))
    family, level = family_of(generator, current), current % NUM_LEVELS
    specialisation = current // NUM_LEVELS % settings.num_specialisations
    by_cohort = kinds.sum(2)
    by_kind = by_cohort.sum(1)
    titles = np.zeros((len(current), settings.num_families, settings.num_specialisations, NUM_LEVELS))
    for kind, change in enumerate(LEVEL_CHANGE):
        possible = (level + change >= 0) & (level + change < NUM_LEVELS)
        c, f, s, to = (index[possible] for index in (each, family, specialisation, level + change))
        if kind in (_SAME, _UP, _DOWN):
            titles[c, f, s, to] += by_kind[c, kind]
        elif IS_NEW_FAMILY[kind]:
            families = np.einsum("cy,ycf->cf", by_cohort[c, :, kind], generator.new_family[:, f])
            titles[c, :, :, to] += families[:, :, None] * generator.specialisation
        else:
            titles[c, f, :, to] += by_kind[c, kind, None] * generator.new_specialisation[f, s]
    return titles.reshape(len(current), -1)


def _top(titles: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the most probable titles ``[C, 5]``, best first; ties are in the order of title numbers."""
    some = np.sort(np.argpartition(-titles, min(TOP, titles.shape[1]) - 1, axis=1)[:, :TOP], axis=1)
    order = np.argsort(-np.take_along_axis(titles, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1).astype(np.int32)
