"""Counts of a split that the profile, the warnings and the report need, summed over partitions."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.encode import AsServed, SplitData, as_served
from trajtune.dataset.profiling.drift import title_bins
from trajtune.dataset.split import DayCounts
from trajtune.dataset.titles import UNKNOWN, TitleEncoder

LONGEST_CAREER: Final = 20
"""Careers of more roles are counted with those of so many."""

LONGEST_TENURE_MONTHS: Final = 240
"""Longer tenures are counted with those of so many months."""

TENURE_EDGES: Final = np.arange(0, LONGEST_TENURE_MONTHS + 12, 6)
"""Edges of the bins of tenures, in months."""

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class SplitFacts:
    """Counts of a split, or of the part of it in one partition; the facts of several are their sum.

    Attributes:
        careers: Number of careers, and so of targets.
        roles: Number of roles.
        dates: Histogram of the split dates.
        unknown_titles: Roles whose title the vocabulary lacks.
        unknown_targets: The same of last roles.
        known_tenures: Last roles whose tenure is known.
        known_labels: Last roles whose hireability is known.
        targets_before_train_cutoff: Last roles that began before the train cutoff.
        targets_on_input_day: Last roles that began on the day on which the role before began.
        title_bins: From `drift.title_bins`.
        title_counts: int64 ``[V]``: how many roles have each index; counted in train alone.
        lengths: int64 ``[LONGEST_CAREER + 1]``: how many careers have so many roles.
        ended_roles: Roles whose tenure is known.
        tenures: int64: how many of these are in each bin of `TENURE_EDGES`.
        served: How the service sees the titles.
    """

    careers: int
    roles: int
    dates: DayCounts
    unknown_titles: int
    unknown_targets: int
    known_tenures: int
    known_labels: int
    targets_before_train_cutoff: int
    targets_on_input_day: int
    title_bins: NDArray[np.int64]
    title_counts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    ended_roles: int
    tenures: NDArray[np.int64]
    served: AsServed

    def __add__(self, other: "SplitFacts") -> "SplitFacts":
        names = [field.name for field in fields(self)]
        return SplitFacts(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def highest_id(self) -> int:
        """The highest index that a role has."""
        return int(np.flatnonzero(self.title_counts).max(initial=UNKNOWN))


def facts_of(
    data: SplitData, encoder: TitleEncoder, train_cutoff: date, *, counts_titles: bool = True
) -> SplitFacts:
    """The facts of some careers of a split.

    Args:
        data: Encoded by ``encoder``.
        encoder: The vocabulary.
        train_cutoff: First day that is not train.
        counts_titles: Whether `SplitFacts.title_counts` are wanted.
    """
    arrays = data.arrays
    ids, last = arrays.title_ids, arrays.offsets[1:] - 1
    starts, months = arrays.start_days, arrays.tenure_months
    known = np.minimum(months[~np.isnan(months)], LONGEST_TENURE_MONTHS)
    lengths = np.minimum(np.diff(arrays.offsets), LONGEST_CAREER)
    return SplitFacts(
        careers=arrays.num_careers,
        roles=len(ids),
        dates=DayCounts.of(data.split_dates.to_numpy(zero_copy_only=False)),
        unknown_titles=int((ids == UNKNOWN).sum()),
        unknown_targets=int((ids[last] == UNKNOWN).sum()),
        known_tenures=int((~np.isnan(months[last])).sum()),
        known_labels=int((~np.isnan(arrays.hireable[last])).sum()),
        targets_before_train_cutoff=int((starts[last] < (train_cutoff - _EPOCH).days).sum()),
        targets_on_input_day=int((starts[last] == starts[last - 1]).sum()),
        title_bins=title_bins(ids),
        title_counts=np.bincount(
            ids if counts_titles else ids[:0], minlength=encoder.vocab_size if counts_titles else 0
        ),
        lengths=np.bincount(lengths, minlength=LONGEST_CAREER + 1),
        ended_roles=len(known),
        tenures=np.histogram(known, TENURE_EDGES)[0].astype(np.int64),
        served=as_served(data, encoder),
    )
