"""Repeats: trials that train the params of another trial with another seed.

Two repeats train the experiment's `training`, right after its first trial. They show how much the result
depends on the seed. The other repeats come last. They repeat the best few trials, so that the winner has the
best mean over seeds instead of the luckiest single value.
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
"""Smaller searches have no repeats by default, because a new point is worth more there than another seed."""

SHARE_REPEATED: Final = 10
"""One trial in this many is a repeat of one of the best trials."""

OF_TRAINING: Final = 2
"""Repeats of the experiment's training: three seeds in all, the fewest that give a useful deviation."""

RACED: Final = 4
"""Number of best trials from which the repeats are chosen."""

MOST_RACED: Final = 12
"""Maximum number of repeats of the best trials, unless the experiment sets the number of repeats."""

_SEED_STEP: Final = 1000
"""Distance between the seeds of repeats; finalize refits with the seeds right after the search's seed."""


@dataclass(frozen=True)
class Noise:
    """How much the result of a training depends on the seed.

    Attributes:
        deviation: Standard deviation of the first objective between seeds.
        trainings: Number of complete trainings that it was estimated from.
        points: Number of different params among them.
    """

    deviation: float
    trainings: int
    points: int

    @property
    def luck(self) -> float:
        """The difference between two trials with one seed each that chance alone exceeds in 5 % of cases."""
        return 2 * math.sqrt(2) * self.deviation

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form for the status."""
        return {
            "standard_deviation": self.deviation,
            "luck": self.luck,
            "trainings": self.trainings,
            "points": self.points,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the result of `to_dict`."""
        return cls(content["standard_deviation"], content["trainings"], content["points"])


def noise_in_words(noise: Noise) -> str:
    """Return the noise as a sentence without a full stop."""
    return (
        f"Between seeds the standard deviation is {number(noise.deviation, 2)} "
        f"({noise.trainings} trainings of {noise.points} {'point' if noise.points == 1 else 'points'}), so "
        f"differences below {number(noise.luck, 2)} are luck"
    )


def num_repeats(settings: SearchSettings, requested: int) -> tuple[int, int]:
    """Return the repeats of the experiment's training and of the best trials, for ``requested`` trials."""
    if settings.repeats is not None:
        training_repeats = min(OF_TRAINING, settings.repeats)
        return training_repeats, settings.repeats - training_repeats
    if requested < FEWEST_TRIALS:
        return 0, 0
    return OF_TRAINING, min(MOST_RACED, requested // SHARE_REPEATED)


def repeat(settings: SearchSettings, original: int, earlier: int) -> dict[str, Any]:
    """Return the attributes of a repeat of trial ``original``, which already has ``earlier`` repeats."""
    return {REPEAT_OF: original, "seed": settings.seed + _SEED_STEP * (earlier + 1)}


def seed_noise(trials: Sequence[TrialRecord]) -> Noise | None:
    """Return the noise between seeds, pooled over all params that completed with several seeds.

    Returns:
        None until some params have two complete trainings.
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
    """Return the number of the trial that the next one repeats, or None if the sampler suggests the next one.

    Repeats are the last trials of a search, or those after its plateau. The best trials are compared by
    their means over seeds. Candidates are those whose distance to the leader may be chance. The candidate
    with the fewest seeds is repeated.
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
    started = {trial.number: sum(other.repeat_of == trial.number for other in trials) for trial in rivals}
    return min(rivals, key=lambda trial: (started[trial.number], rivals.index(trial))).number


def num_repeats_of(trials: Sequence[TrialRecord], original: int) -> int:
    """Return the number of repeats of a trial so far, in any state."""
    return sum(trial.repeat_of == original for trial in trials)


def plateau(trials: Sequence[TrialRecord], settings: SearchSettings) -> str | None:
    """Return why the search has reached a plateau, as a clause for a message, or None if it has not.

    A plateau is reached if the last ``stop_at_plateau`` sampled trials have not improved the best value by
    more than the noise between seeds. Until that noise is known, any improvement counts.
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
    """Return whether the trial's distance to the leader may be chance."""
    if noise is None:
        return True
    luck = 2 * noise.deviation * math.sqrt(1 / trial.seeds + 1 / leader.seeds)
    return trial.mean_costs[0] - leader.mean_costs[0] <= luck
