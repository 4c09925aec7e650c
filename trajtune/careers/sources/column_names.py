"""Default names of columns and JSON keys, and the error message when one is missing."""

import difflib
from collections.abc import Sequence
from typing import Final

from trajtune.errors import SourceError
from trajtune.experiment.sources import JsonHistory, RoleRows

FALLBACKS: Final[tuple[tuple[str, ...], ...]] = (
    ("title", "role", "position", "job_title", "jobTitle"),
    ("start_date", "startDate", "start", "from", "started_at", "date_from", "starts_at"),
    ("end_date", "endDate", "end", "to", "until", "ended_at", "date_to", "ends_at"),
    ("is_current", "isCurrent", "current"),
    ("id", "candidate_id", "candidateId", "person_id"),
    ("candidate_id", "candidateId", "person_id", "personId", "user_id"),
    (
        *(
            "work_history",
            "workHistory",
            "experience",
            "experiences",
            "positions",
            "roles",
            "jobs",
            "history",
        ),
        *("work", "employment", "memberships", "terms"),
    ),
)
"""A default name, then its alternatives. A name from an experiment has no alternatives."""

CURRENT_NAME: Final = "is_current"


def alternatives(name: str) -> tuple[str, ...]:
    """Return the names to look for: ``name``, and its alternatives if it is a default."""
    return next((names for names in FALLBACKS if names[0] == name), (name,))


def id_names(layout: JsonHistory | RoleRows) -> tuple[str, ...]:
    """Return the possible names of a person's id; none if each file is one person."""
    return () if layout.id_column is None else alternatives(layout.id_column)


def find_name(name: str, available: Sequence[str]) -> str | None:
    """Return the first of `alternatives` that is in ``available``."""
    return next((candidate for candidate in alternatives(name) if candidate in available), None)


def nearest(name: str, available: Sequence[str]) -> str:
    """Return the remedy for a missing name: the most similar name, and all existing names."""
    if not available:
        return "There is none."
    near = difflib.get_close_matches(name, available, n=1, cutoff=0.5)
    hint = f"Did you mean `{_one_line(near[0])}`? " if near else ""
    names = ", ".join(_one_line(found) for found in sorted(available)[:30])
    return f"{hint}There are: {names}."


def _one_line(name: str) -> str:
    """Shorten a name and escape unprintable characters."""
    shown = name if name.isprintable() else ascii(name)
    return shown[:80]


def choose_columns(
    where: str, layout: JsonHistory | RoleRows, available: Sequence[str], label: str | None
) -> dict[str, str]:
    """Choose the columns of a source to read, and their internal names.

    Args:
        where: Name of the source for errors.
        layout: The names to look for.
        available: The source's columns.
        label: Column with a hireability label; for JSON histories it may be a key of the JSON instead.

    Returns:
        The source's name for each of ``id`` and ``history``, or of ``id``, ``title``, ``start``, ``end`` and
        possibly ``current``; possibly also ``label``.

    Raises:
        SourceError: If a column is missing.
    """
    needed: dict[str, str | None] = {"id": layout.id_column}
    optional: dict[str, str | None] = {}
    if isinstance(layout, JsonHistory):
        needed["history"] = layout.history_column
        optional["label"] = label
    else:
        needed |= {"title": layout.title_column, "start": layout.start_column, "end": layout.end_column}
        needed |= {"current": layout.current_column, "label": label}
        optional["current"] = None if layout.current_column else CURRENT_NAME
    chosen: dict[str, str] = {}
    missing = []
    for ours, name in (needed | optional).items():
        theirs = None if name is None else find_name(name, available) or _path_into(name, available)
        if theirs is not None:
            chosen[ours] = theirs
        elif name is not None and needed.get(ours) is not None:
            missing.append(name)
    if missing:
        remedy = _other_layout(layout, available) + nearest(missing[0], available)
        raise SourceError(f"{where} has no column {', '.join(missing)}. {remedy}")
    return chosen


def _path_into(name: str, available: Sequence[str]) -> str | None:
    """Return the name if it is a path of keys into a column, for example `id.bioguide`."""
    return name if "." in name and column_of(name, available) in available else None


def column_of(name: str, available: Sequence[str]) -> str:
    """Return the column at the start of a path, or the name itself if it is a column."""
    return name if name in available else name.partition(".")[0]


def _other_layout(layout: JsonHistory | RoleRows, available: Sequence[str]) -> str:
    """Return a hint if the columns look like those of the other layout."""
    other = "roles" if isinstance(layout, JsonHistory) else "json"
    its_columns = ("title", "start_date") if other == "roles" else ("work_history",)
    if all(find_name(name, available) for name in its_columns):
        return f"It looks like `source.layout.layout: {other}`. "
    return ""
