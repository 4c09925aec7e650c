"""Compare the splits: sizes, dates, drift, and warnings."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.split import SplitBy
from trajtune.dataset.titles import UNKNOWN
from trajtune.errors import SourceError
from trajtune.experiment.settings import VocabularySettings

_EPOCH: Final = date(1970, 1, 1)

COMMON_TITLES: Final = 50
"""The commonest train titles have a bin each in the stability index; the others share one."""

DRIFTED: Final = 0.25
"""A population stability index above this is commonly called a major shift (Siddiqi 2006)."""

PERMUTATIONS: Final = 99
"""Random divisions of the same careers that `chance_index` compares."""

_MOST_PERMUTED: Final = 20_000
"""Careers of each split in those divisions; with more, the index is scaled to the real numbers."""

ALONE_DAYS: Final = 365
"""Days between the latest career and the one before it from which a warning is worth it."""

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


def title_bins(title_ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Counts of unknown titles, of each common one, and of all others; indices rise as titles get rarer."""
    return np.bincount(np.minimum(title_ids, COMMON_TITLES + 1), minlength=COMMON_TITLES + 2)


def stability_index(expected: NDArray[np.number[Any]], observed: NDArray[np.number[Any]]) -> float:
    """Population stability index: sum of (q - p) ln(q / p) over bins; 0 is no change.

    Args:
        expected: Counts in each bin, ``[K]``.
        observed: Counts in the same bins. Half a count is added to each bin of both, so that an empty
            one does not make the index infinite.
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (expected, observed))
    return float(((q - p) * np.log(q / p)).sum())


def chance_index(train: SplitData, other: SplitData, min_count: int = 1) -> float:
    """The stability index that two samples of one population reach by chance: its 95th percentile.

    Small samples differ without any drift: each lacks titles that the other has, and the titles that are
    common in train are so partly by chance. So the careers of both splits are divided at random into two
    groups of the same sizes, `PERMUTATIONS` times, and each time the vocabulary comes from the first group
    alone. Careers are divided and not roles, because the roles of one person are alike. The seed is fixed.

    Args:
        train: The split that the vocabulary comes from.
        other: Val or test.
        min_count: Rarer titles are unknown, as in the vocabulary.
    """
    (first, first_lengths), (second, second_lengths) = _some_careers(train), _some_careers(other)
    codes = _codes(first, second)
    lengths = np.concatenate([first_lengths, second_lengths])
    num_first, num_titles = len(first_lengths), int(codes.max()) + 1
    random = np.random.default_rng(0)
    found = []
    for _ in range(PERMUTATIONS):
        in_first = np.zeros(len(lengths), bool)
        in_first[random.permutation(len(lengths))[:num_first]] = True
        is_expected = np.repeat(in_first, lengths)
        expected = np.bincount(codes[is_expected], minlength=num_titles)
        observed = np.bincount(codes[~is_expected], minlength=num_titles)
        found.append(stability_index(*_binned(expected, observed, min_count)))
    # The expected index is proportional to the sum of the inverse sample sizes.
    taken = 1 / num_first + 1 / len(second_lengths)
    wanted = 1 / train.arrays.num_careers + 1 / other.arrays.num_careers
    return float(np.quantile(found, 0.95)) * wanted / taken


def _binned(
    expected: NDArray[np.int64], observed: NDArray[np.int64], min_count: int
) -> tuple[NDArray[np.number[Any]], NDArray[np.number[Any]]]:
    """Counts of titles in the bins of `title_bins`, with the vocabulary that ``expected`` gives."""
    order = np.argsort(-expected, kind="stable")
    num_known = int((expected >= min_count).sum())
    bin_of = np.arange(len(order))
    bin_of[COMMON_TITLES:] = COMMON_TITLES
    bin_of[num_known:] = COMMON_TITLES + 1
    first, second = (
        np.bincount(bin_of, weights=counts[order], minlength=COMMON_TITLES + 2)
        for counts in (expected, observed)
    )
    return first, second


def _some_careers(data: SplitData) -> tuple[list[int | str], NDArray[np.int64]]:
    """The titles and lengths of at most `_MOST_PERMUTED` careers, evenly spaced.

    A title is its id or, if it is unknown, its identity.
    """
    offsets = data.arrays.offsets
    lengths = np.diff(offsets)
    is_taken = np.zeros(len(lengths), bool)
    most = min(len(lengths), _MOST_PERMUTED)
    is_taken[np.linspace(0, len(lengths) - 1, most).astype(np.int64)] = True
    at = np.flatnonzero(np.repeat(is_taken, lengths))
    ids = data.arrays.title_ids[at]
    unknown = np.flatnonzero(ids == UNKNOWN)
    titles: list[int | str] = ids.tolist()
    for index, text in zip(
        unknown.tolist(), data.titles.flatten().take(at[unknown]).to_pylist(), strict=True
    ):
        titles[index] = identity(text) or text
    return titles, lengths[is_taken]


def _codes(first: list[int | str], second: list[int | str]) -> NDArray[np.int64]:
    """A number from 0 for each title, the same for equal ones."""
    numbers: dict[int | str, int] = {}
    return np.array([numbers.setdefault(title, len(numbers)) for title in (*first, *second)], np.int64)


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


def _share(mask: NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 4)
