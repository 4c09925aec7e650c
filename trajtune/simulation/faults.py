"""Faults of real work histories, inserted into simulated ones to test the quarantine."""

# N careers in a block

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

Role = dict[str, Any]
Fault = Callable[[list[Role], int], Any]


def _change(key: str, value: Any) -> Fault:
    def fault(roles: list[Role], at: int) -> list[Role]:
        roles[at][key] = value
        return roles

    return fault


def _drop(key: str) -> Fault:
    def fault(roles: list[Role], at: int) -> list[Role]:
        del roles[at][key]
        return roles

    return fault


def _swap_dates(roles: list[Role], at: int) -> list[Role]:
    start, end = roles[at]["start_date"], roles[at]["end_date"]
    roles[at].update(start_date=end or "2999-01-01", end_date=start)
    return roles


FAULTS: Final[Mapping[str, Fault]] = {
    "empty title": _change("title", "  "),
    "title is a number": _change("title", 4711),
    "no start": _drop("start_date"),
    "start is not a date": _change("start_date", "a while ago"),
    "end is not a date": _change("end_date", "31.31.2011"),
    "end before start": _swap_dates,
    "start in the future": _change("start_date", "2999-01-01"),
    "role is text": lambda roles, at: [*roles[:at], roles[at]["title"], *roles[at + 1 :]],
    "role twice": lambda roles, at: [*roles, roles[at]],
    "history is an object": lambda roles, at: {"roles": roles},
    "history is empty": lambda roles, at: [],
}
"""Functions that change one role of a career, given by its index."""


def with_faults(histories: pa.Array, share: float, rng: np.random.Generator) -> pa.Array:
    """Return JSON histories ``[N]``; a ``share`` of them has one fault each, all faults equally likely."""
    broken = np.flatnonzero(rng.random(len(histories)) < share)
    if not len(broken):
        return histories
    texts = histories.to_pylist()
    faults = list(FAULTS.values())
    for i, fault, position in zip(
        broken, rng.integers(len(faults), size=len(broken)), rng.random(len(broken)), strict=True
    ):
        roles = json.loads(texts[i])
        texts[i] = json.dumps(faults[fault](roles, int(position * len(roles))), ensure_ascii=False)
    return pa.array(texts, pa.string())
