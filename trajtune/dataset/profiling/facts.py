"""Counts of a split for the profile, the warnings and the report, summed over partitions."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import roles_not_read
from trajtune.dataset.encode import AsServed, SplitData, as_served
from trajtune.dataset.profiling.drift import title_bins
from trajtune.dataset.split import DayCounts
from trajtune.dataset.titles import UNKNOWN, TitleEncoder

LONGEST_CAREER: Final = 20
"""Highest number of roles in the histogram of career lengths; longer careers are counted here."""

HISTORY_LIMITS: Final = (16, 32, 64, 128)
"""Values of ``training.max_history`` for which the roles that are not read are counted."""

LONGEST_TENURE_MONTHS: Final = 240
"""Highest tenure in the histogram of tenures, in months; longer tenures are counted here."""

TENURE_EDGES: Final = np.arange(0, LONGEST_TENURE_MONTHS + 12, 6)
"""Edges of the bins of the histogram of tenures, in months."""

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class SplitFacts:
    """Counts of a split, or of its part in one partition. The facts of several parts can be added.

    Attributes:
        careers: Number of careers, which is also the number of targets.
        roles: Number of roles.
        dates: Histogram of the split dates.
        unknown_titles: Number of roles whose title is not in the vocabulary.
        unknown_targets: Number of last roles whose title is not in the vocabulary.
        known_tenures: Number of last roles with a known tenure.
        known_labels: Number of last roles with a known hireability.
        targets_before_train_cutoff: Number of last roles that began before the train cutoff.
        targets_on_input_day: Number of last roles that began on the same day as the role before.
        title_bins: Result of `drift.title_bins`.
        title_counts: Number of roles with each title index, int64 ``[V]``; counted in train only.
        lengths: Number of careers with each number of roles, int64 ``[LONGEST_CAREER + 1]``.
        not_read: Result of `roles_not_read` for each of `HISTORY_LIMITS`, int64 ``[limits, 2]``.
        ended_roles: Number of roles with a known tenure.
        tenures: Number of these roles in each bin of `TENURE_EDGES`, int64.
        served: Counts of titles that the service sees differently.
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
    not_read: NDArray[np.int64]
    ended_roles: int
    tenures: NDArray[np.int64]
    served: AsServed

    def __add__(self, other: "SplitFacts") -> "SplitFacts":
        names = [field.name for field in fields(self)]
        return SplitFacts(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def highest_id(self) -> int:
        """Highest title index of any role."""
        return int(np.flatnonzero(self.title_counts).max(initial=UNKNOWN))


def facts_of(
    data: SplitData, encoder: TitleEncoder, train_cutoff: date, *, counts_titles: bool = True
) -> SplitFacts:
    """Return the facts of some careers of a split.

    Args:
        data: The careers, encoded with ``encoder``.
        encoder: The vocabulary.
        train_cutoff: First day that is not train.
        counts_titles: Whether to fill `SplitFacts.title_counts`; otherwise it is empty.
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
        not_read=np.array([roles_not_read(arrays, limit) for limit in HISTORY_LIMITS], np.int64),
        ended_roles=len(known),
        tenures=np.histogram(known, TENURE_EDGES)[0].astype(np.int64),
        served=as_served(data, encoder),
    )
