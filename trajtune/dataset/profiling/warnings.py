"""Warnings that a person should read before a search, one sentence each."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from trajtune.dataset.split import DayCounts, SplitBy

DRIFTED: Final = 0.25
"""A population stability index above this is commonly called a major shift (Siddiqi 2006)."""

ALONE_DAYS: Final = 365
"""Days between the latest career and the one before it above which a warning is given."""

CROWDED: Final = 0.2
"""A cutoff on one date gives a warning if at least this share of all dates is that date."""

CONCURRENT: Final = 0.2
"""A warning is given if more than this share of a split's targets begin on the day of the last input."""

SERVED_OTHERWISE: Final = 0.01
"""A warning is given if the service sees at least this share of a split's roles or targets differently."""


def lone_date_warning(career_dates: DayCounts, as_of: date) -> str | None:
    """Return a warning if a single career moves an ``auto`` ``as_of`` by more than `ALONE_DAYS`, else None.

    Args:
        career_dates: Histogram of the last known date of each career.
        as_of: The day that the data describes.
    """
    if len(career_dates) < 2:
        return None
    latest_but_one = career_dates.date_at(len(career_dates) - 2).astype(date)
    if (as_of - latest_but_one).days <= ALONE_DAYS:
        return None
    return (
        f"One career alone has dates after {latest_but_one}, and they move `as_of` to {as_of}: are they "
        f"right? Otherwise set `data.as_of`, for example to {latest_but_one}."
    )


def warnings(
    described: Mapping[str, Mapping[str, Any]],
    dates: DayCounts,
    cutoffs: Mapping[str, date],
    by: SplitBy,
) -> list[str]:
    """Return the warnings to read before a search, one sentence each.

    Args:
        described: Result of `profile`.
        dates: Histogram of the result of `split.deciding_dates`.
        cutoffs: Cutoff after ``train`` and after ``val``: the first day that is not in that split.
        by: The split rule.
    """
    sentences = []
    dated = "moves" if by == "move" else "careers"
    for name, cutoff in cutoffs.items():
        share = dates.share_of(cutoff)
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
    """Return a warning if the service sees too many titles differently from the model; else an empty list.

    Args:
        titles: Value of ``titles`` in a snapshot's manifest.
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
