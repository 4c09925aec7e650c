"""Compare the splits: sizes, dates, drift, and warnings."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.dataset.split import SplitBy
from trajtune.dataset.titles import UNKNOWN
from trajtune.errors import SourceError
from trajtune.experiment.settings import VocabularySettings

_EPOCH: Final = date(1970, 1, 1)

COMMON_TITLES: Final = 50
"""The commonest train titles have a bin each in the stability index; the others share one."""

DRIFTED: Final = 0.25
"""A population stability index above this is commonly called a major shift (Siddiqi 2006)."""

CROWDED: Final = 0.2
"""Share of all dates that are one date, from which a cutoff on that date is worth a warning."""

CONCURRENT: Final = 0.2
"""Share of a split's targets that begin on the day of the last input from which it is worth a warning."""

SERVED_OTHERWISE: Final = 0.01
"""Share of a split's roles or targets that the service does not see as the model does, worth a warning."""

MOST_UNKNOWN: Final = 0.9
"""Share of train's roles without an index from which a vocabulary is refused."""

MOST_UNKNOWN_TARGETS: Final = 0.98
"""Share of val's and test's targets without an index from which a vocabulary is refused."""

_FEWEST_TARGETS: Final = 50
"""With fewer targets that share says little."""


def profile(
    splits: Mapping[str, SplitData], unseen: Mapping[str, tuple[int, int]], train_cutoff: date
) -> dict[str, dict[str, Any]]:
    """Describe each split in plain JSON values.

    Args:
        splits: By name.
        unseen: For each split, the number of roles and of last roles whose title is not in train.
        train_cutoff: First day that is not train.

    Returns:
        For each split ``careers``, ``roles``, ``first`` and ``last`` split date, ``still_held`` (share
        of last roles whose end is unknown), ``unseen_titles`` (share of its roles whose title no
        career of train has, in any spelling that counts as the same), ``unknown_titles`` (share whose
        title the vocabulary does not hold: too rare a one too), ``unseen_targets`` and
        ``unknown_targets`` (the same of its last roles), ``targets_before_train_cutoff`` (share of last
        roles that began before the train cutoff), ``targets_on_input_day`` (share of last roles that
        began on the day on which the role before began, as far as their dates tell) and ``psi``, the
        population stability index of its titles against train's.
    """
    train = _bins(splits["train"].arrays.title_ids)
    described = {}
    for name, data in splits.items():
        ids, last = data.arrays.title_ids, data.arrays.offsets[1:] - 1
        dates = pc.min_max(data.split_dates).as_py()
        unseen_roles, unseen_targets = unseen[name]
        starts = data.arrays.start_days
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
            "psi": round(stability_index(train, _bins(ids)), 4),
        }
    return described


def stability_index(expected: NDArray[np.int64], observed: NDArray[np.int64]) -> float:
    """Population stability index: sum of (q - p) ln(q / p) over bins; 0 is no change.

    Args:
        expected: Counts in each bin, ``[K]``.
        observed: Counts in the same bins. Half a count is added to each bin of both, so that an empty
            one does not make the index infinite.
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (expected, observed))
    return float(((q - p) * np.log(q / p)).sum())


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
        psi = described[name]["psi"]
        if psi > DRIFTED:
            sentences.append(f"The titles of {name} differ much from train's: stability index {psi:.2f}.")
    concurrent = {name: split["targets_on_input_day"] for name, split in described.items()}
    if max(concurrent.values()) > CONCURRENT:
        shares = ", ".join(f"{share:.0%} of {name}'s" for name, share in concurrent.items())
        sentences.append(
            f"Many next roles begin on the same day as the role before them ({shares}). Which came first is "
            "not known, so they are ordered by title. Give exact dates, or one role for each time."
        )
    return sentences


def served_warnings(titles: Mapping[str, Any]) -> list[str]:
    """A warning if the service does not see enough titles as the model does.

    Args:
        titles: ``titles`` of a snapshot's manifest.
    """
    parts = []
    for name, counts in titles["as_served"].items():
        roles, targets = (counts[f"another_{of}"] + counts[f"missing_{of}"] for of in ("roles", "targets"))
        if max(roles / counts["roles"], targets / counts["targets"]) >= SERVED_OTHERWISE:
            parts.append(
                f"of {name}'s {counts['roles']:,} roles it sees {counts['another_roles']:,} as another title "
                f"and {counts['missing_roles']:,} not at all (targets: {counts['another_targets']:,} and "
                f"{counts['missing_targets']:,} of {counts['targets']:,})"
            )
    if not parts:
        return []
    remedy = (
        "If you serve through it, set `vocabulary.identity: service`."
        if titles["identity"] == "unicode"
        else "If you do not serve through it, set `vocabulary.identity: unicode`."
    )
    return [
        "The service cannot tell all titles apart, because it reads the letters A to Z and digits alone: "
        f"{'; '.join(parts)}. {remedy}"
    ]


def refuse_unknown(splits: Mapping[str, CareerArrays], settings: VocabularySettings) -> None:
    """Refuse a vocabulary that holds hardly any of the titles.

    Args:
        splits: By name; encoded with the vocabulary.
        settings: Which titles are kept.

    Raises:
        SourceError: If the vocabulary is empty, or nearly all of train's titles, or of the targets of val and
            test, are unknown to it.
    """
    remedies = ["Check that the title column or key of `source` holds job titles, and not free text or ids"]
    if settings.identity == "service":
        remedies.append("set `vocabulary.identity: unicode`, which keeps the letters of every script")
    if settings.min_count > 1:
        remedies.append(f"lower `vocabulary.min_count` ({settings.min_count})")
    if splits["train"].title_ids.max(initial=UNKNOWN) == settings.max_titles:
        remedies.append(f"raise `vocabulary.max_titles` ({settings.max_titles})")
    remedy = "; ".join(remedies) + "."
    train = splits["train"].title_ids == UNKNOWN
    if train.mean() >= MOST_UNKNOWN:
        raise SourceError(
            f"The vocabulary must hold most titles of train, but {train.sum():,} of train's {len(train):,} "
            f"roles have a title that it lacks ({_share(train):.0%}). {remedy}"
        )
    later = [splits[name].title_ids[splits[name].offsets[1:] - 1] for name in ("val", "test")]
    targets = np.concatenate(later) == UNKNOWN
    if len(targets) >= _FEWEST_TARGETS and targets.mean() >= MOST_UNKNOWN_TARGETS:
        raise SourceError(
            f"The vocabulary of train must hold some next titles of val and test, but {targets.sum():,} of "
            f"{len(targets):,} are titles that it lacks ({_share(targets):.0%}). {remedy}"
        )


def _bins(title_ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Counts of unknown titles, of each common one, and of all others; indices rise as titles get rarer."""
    return np.bincount(np.minimum(title_ids, COMMON_TITLES + 1), minlength=COMMON_TITLES + 2)


def _share(mask: NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 4)
