"""Trials that train params again with another seed: how much is luck, and which params are best on average.

Two of them train the experiment's own `training`, right after it. Together they tell how far two trainings of
the same params differ. The others come last. They repeat the best few trials, so that the best of many noisy
numbers is not taken for the best params.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from trajtune.experiment.search_settings import SearchSettings
from trajtune.page.format import number
from trajtune.searching.study.origins import REPEAT_ORIGIN
from trajtune.searching.study.sampled_study import REPEAT_OF
from trajtune.searching.study.trial_records import TrialRecord, ranked

FEWEST_TRIALS: Final = 40
"""Smaller searches repeat nothing by themselves: there, a new point is worth more than another seed."""

SHARE_REPEATED: Final = 10
"""One trial in so many repeats one of the best."""

OF_TRAINING: Final = 2
"""Repeats of the experiment's training: with itself three seeds, the fewest that give a useful deviation."""

RACED: Final = 4
"""The best few, of which the repeats are chosen."""

MOST_RACED: Final = 12
"""Repeats of the best few, at most, unless the experiment gives their number."""

_SEED_STEP: Final = 1000
"""Between the seeds of a trial and its repeats: finalize refits with the seeds right after the search's."""


@dataclass(frozen=True)
class Noise:
    """How far two trainings differ that differ in the seed alone.

    Attributes:
        deviation: Standard deviation of the first objective between seeds.
        trainings: Complete trainings that it was estimated from.
        points: Different params among them.
    """

    deviation: float
    trainings: int
    points: int

    @property
    def luck(self) -> float:
        """The difference of two trials with one seed each that luck alone exceeds once in twenty times."""
        return 2 * math.sqrt(2) * self.deviation

    def to_dict(self) -> dict[str, Any]:
        """The form in the status as JSON."""
        return {
            "standard_deviation": self.deviation,
            "luck": self.luck,
            "trainings": self.trainings,
            "points": self.points,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(content["standard_deviation"], content["trainings"], content["points"])


def noise_in_words(noise: Noise) -> str:
    """The noise as a sentence without its full stop."""
    return (
        f"Between seeds the standard deviation is {number(noise.deviation, 2)} "
        f"({noise.trainings} trainings of {noise.points} {'point' if noise.points == 1 else 'points'}), so "
        f"differences below {number(noise.luck, 2)} are luck"
    )


def num_repeats(settings: SearchSettings, requested: int) -> tuple[int, int]:
    """Repeats of the experiment's training, and of the best few, in a search of ``requested`` trials."""
    if settings.repeats is not None:
        of_training = min(OF_TRAINING, settings.repeats)
        return of_training, settings.repeats - of_training
    if requested < FEWEST_TRIALS:
        return 0, 0
    return OF_TRAINING, min(MOST_RACED, requested // SHARE_REPEATED)


def repeat(settings: SearchSettings, original: int, earlier: int) -> dict[str, Any]:
    """The attributes of a repeat of trial ``original``, of which there are ``earlier`` repeats already."""
    return {REPEAT_OF: original, "seed": settings.seed + _SEED_STEP * (earlier + 1)}


def seed_noise(trials: Sequence[TrialRecord]) -> Noise | None:
    """The noise of a seed, pooled over all params that were trained to the end with several seeds.

    Returns:
        None before some params have two complete trainings.
    """
    values: dict[int, list[float]] = {}
    for trial in trials:
        if trial.state == "COMPLETE" and trial.costs and trial.duplicate_of is None:
            original = trial.number if trial.repeat_of is None else trial.repeat_of
            values.setdefault(original, []).append(trial.costs[0])
    repeated = [each for each in values.values() if len(each) > 1]
    freedom = sum(len(each) - 1 for each in repeated)
    if not freedom:
        return None
    squares = sum(statistics.variance(each) * (len(each) - 1) for each in repeated)
    return Noise(math.sqrt(squares / freedom), sum(map(len, repeated)), len(repeated))


def next_repeat(
    trials: Sequence[TrialRecord], settings: SearchSettings, requested: int, *, at_plateau: bool = False
) -> int | None:
    """The number of the trial that the next one repeats; None if the sampler has the next one.

    Repeats are the last trials of a search, or those after its plateau. The best few are compared by their
    means over seeds. The one with the fewest seeds is repeated, of those that luck alone may have put behind.
    """
    _, allowed = num_repeats(settings, requested)
    left = allowed - sum(trial.origin == REPEAT_ORIGIN for trial in trials)
    asked = sum(trial.state != "WAITING" for trial in trials)
    is_last = at_plateau or requested - asked <= left
    if left <= 0 or not is_last or settings.other_metrics:
        return None
    best = [trial for trial in ranked(trials) if trial.state == "COMPLETE" and not trial.differs_in][:RACED]
    noise = seed_noise(trials)
    rivals = [trial for trial in best if _may_be_best(trial, best[0], noise)]
    if len(rivals) < 2:
        return None
    begun = {trial.number: sum(other.repeat_of == trial.number for other in trials) for trial in rivals}
    return min(rivals, key=lambda trial: (begun[trial.number], rivals.index(trial))).number


def num_repeats_of(trials: Sequence[TrialRecord], original: int) -> int:
    """Repeats of a trial so far, in any state."""
    return sum(trial.repeat_of == original for trial in trials)


def plateau(trials: Sequence[TrialRecord], settings: SearchSettings) -> str | None:
    """Why the search has reached a plateau, as a clause for a message; None if it has not.

    It has if the last ``stop_at_plateau`` sampled trials have not made the best value better by more than the
    noise of a seed. Until that noise is known, any gain counts.
    """
    patience = settings.stop_at_plateau
    if patience is None or settings.other_metrics:
        return None
    ended = [
        trial
        for trial in trials
        if trial.state in ("COMPLETE", "PRUNED") and trial.costs and trial.is_sampled and trial.is_feasible
    ]
    costs = [trial.costs[0] for trial in ended]
    if len(costs) <= patience:
        return None
    noise = seed_noise(trials)
    gain = min(costs[:-patience]) - min(costs)
    if gain > (noise.deviation if noise else 0.0):
        return None
    return f"the last {patience} trials were no better than luck (`search.stop_at_plateau`)"


def _may_be_best(trial: TrialRecord, leader: TrialRecord, noise: Noise | None) -> bool:
    """Whether luck alone may have put a trial behind the leader."""
    if noise is None:
        return True
    luck = 2 * noise.deviation * math.sqrt(1 / trial.seeds + 1 / leader.seeds)
    return trial.mean_costs[0] - leader.mean_costs[0] <= luck
