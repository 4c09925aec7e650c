"""Compare the splits: sizes, dates, drift, and warnings."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.dataset.drift import DRIFTED, chance_index, stability_index, title_bins
from trajtune.dataset.encode import SplitData
from trajtune.dataset.split import SplitBy
from trajtune.dataset.titles import UNKNOWN

_EPOCH: Final = date(1970, 1, 1)

ALONE_DAYS: Final = 365
"""Days between the latest career and the one before it from which a warning is worth it."""

CROWDED: Final = 0.2
"""Share of all dates that are one date, from which a cutoff on that date is worth a warning."""


CONCURRENT: Final = 0.2
"""Share of a split's targets that begin on the day of the last input from which it is worth a warning."""


def profile(
    splits: Mapping[str, SplitData],
    unseen: Mapping[str, tuple[int, int]],
    train_cutoff: date,
    min_count: int = 1,
) -> dict[str, dict[str, Any]]:
    """Describe each split in plain JSON values.

    Args:
        splits: By name.
        unseen: For each split, the number of roles and of last roles whose title is not in train.
        train_cutoff: First day that is not train.
        min_count: Rarer titles are unknown to the vocabulary.

    Returns:
        For each split ``careers``, ``roles``, ``first`` and ``last`` split date, ``still_held`` (share
        of last roles whose end is unknown), ``unseen_titles`` (share of its roles whose title no
        career of train has, in any spelling that counts as the same), ``unknown_titles`` (share whose
        title the vocabulary does not hold: too rare a one too), ``unseen_targets`` and
        ``unknown_targets`` (the same of its last roles), ``targets_before_train_cutoff`` (share of last
        roles that began before the train cutoff), ``targets_on_input_day`` (share of last roles that
        began on the day on which the role before began, as far as their dates tell), ``psi``, the
        population stability index of its titles against train's, and ``psi_by_chance``, what that index
        reaches without any drift; see `chance_index`.
    """
    train = title_bins(splits["train"].arrays.title_ids)
    described = {}
    for name, data in splits.items():
        ids, last = data.arrays.title_ids, data.arrays.offsets[1:] - 1
        dates = pc.min_max(data.split_dates).as_py()
        unseen_roles, unseen_targets = unseen[name]
        starts = data.arrays.start_days
        by_chance = 0.0 if name == "train" else chance_index(splits["train"], data, min_count)
        described[name] = {
            "careers": data.arrays.num_careers,
            "roles": len(ids),
            "first": dates["min"].isoformat(),
            "last": dates["max"].isoformat(),
            "still_held": _share(np.isnan(data.arrays.tenure_months[last])),
            "unseen_titles": round(unseen_roles / len(ids), 4),
            "unseen_targets": round(unseen_targets / len(last), 4),
            "unknown_titles": _share(ids == UNKNOWN),
            "unknown_targets": _share(ids[last] == UNKNOWN),
            "targets_before_train_cutoff": _share(starts[last] < (train_cutoff - _EPOCH).days),
            "targets_on_input_day": _share(starts[last] == starts[last - 1]),
            "psi": round(stability_index(train, title_bins(ids)), 4),
            "psi_by_chance": round(by_chance, 4),
        }
    return described


def lone_date_warning(career_dates: NDArray[np.datetime64], as_of: date) -> str | None:
    """A warning if one career alone moves ``as_of``, an ``auto`` one, by more than `ALONE_DAYS`.

    Args:
        career_dates: ``datetime64[D]`` ``[N]``: the last thing known of each career.
        as_of: The day that the data describes.
    """
    if len(career_dates) < 2:
        return None
    latest_but_one = np.partition(career_dates, -2)[-2].astype(date)
    if (as_of - latest_but_one).days <= ALONE_DAYS:
        return None
    return (
        f"One career alone has dates after {latest_but_one}, and they move `as_of` to {as_of}: are they "
        f"right? Otherwise set `data.as_of`, for example to {latest_but_one}."
    )


def warnings(
    described: Mapping[str, Mapping[str, Any]],
    dates: NDArray[np.datetime64],
    cutoffs: Mapping[str, date],
    by: SplitBy,
) -> list[str]:
    """Warnings to read before searching, a sentence each.

    Args:
        described: From `profile`.
        dates: From `split.deciding_dates`.
        cutoffs: First day that is not in the split of that name.
        by: The split rule.
    """
    sentences = []
    dated = "moves" if by == "move" else "careers"
    for name, cutoff in cutoffs.items():
        share = float((dates == np.datetime64(cutoff)).mean())
        if share >= CROWDED:
            sentences.append(
                f"{share:.0%} of all {dated} are dated {cutoff}, the {name} cutoff: is it a date that "
                "somebody filled in? They are all in the later split."
            )
    for name in ("val", "test"):
        psi, by_chance = described[name]["psi"], described[name]["psi_by_chance"]
        if psi - by_chance > DRIFTED:
            sentences.append(
                f"The titles of {name} differ much from train's: stability index {psi:.2f}, where chance "
                f"alone gives up to {by_chance:.2f}."
            )
    concurrent = {name: split["targets_on_input_day"] for name, split in described.items()}
    if max(concurrent.values()) > CONCURRENT:
        shares = ", ".join(f"{share:.0%} of {name}'s" for name, share in concurrent.items())
        sentences.append(
            f"Many next roles begin on the same day as the role before them ({shares}). Which came first is "
            "not known, so they are ordered by title. Give exact dates, or one role for each time."
        )
    return sentences


def _share(mask: NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 4)
