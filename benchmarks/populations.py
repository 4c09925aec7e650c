"""Compare statistics of the simulated populations with those of real careers.

The same statistics are computed for the seven sets of real careers next to the project's root
(``../shared/data``) and for each population of `trajtune.experiment.populations`, and printed as a table.
Usage:

    python benchmarks/populations.py [--careers N] [--json FILE]
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.experiment.populations import POPULATIONS
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.simulate import simulate

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
SETS: Final = (
    "uk_ministers",
    "us_diplomats",
    "baseball_teams",
    "us_federal_judges",
    "austrian_mps_jobs",
    "us_state_officials",
    "us_congress",
)
DAYS_PER_MONTH: Final = 365.25 / 12

Career = tuple[Sequence[Hashable], Sequence[int]]
"""Titles and the start days of their roles, oldest first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--careers", type=int, default=2_000, help="number of careers in each population")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    found = {name: statistics(population(name, options.careers)) for name in POPULATIONS}
    if DATA.is_dir():
        found = {name: statistics(real_careers(name)) for name in SETS} | found
    else:
        print(f"The real sets are skipped, because {DATA} is missing.")
    print(markdown(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def statistics(careers: Iterable[Career]) -> dict[str, float]:
    """Return statistics of the moves of careers with at least two roles; shares are relative to moves."""
    careers = [career for career in careers if len(career[0]) > 1]
    moves = [(titles[:k], titles[k]) for titles, _ in careers for k in range(1, len(titles))]
    starts = np.array([day for _, days in careers for day in days[1:]])
    months = np.concatenate([np.diff(days) for _, days in careers]) / DAYS_PER_MONTH
    first, later = [titles[0] for titles, _ in careers], [title for _, title in moves]
    repeats = np.array([title == so_far[-1] for so_far, title in moves])
    returns = np.array([title != so_far[-1] and title in so_far for so_far, title in moves])
    can_return = np.array([len(set(so_far)) > 1 for so_far, _ in moves])
    short, long = np.quantile(months, [1 / 3, 2 / 3])
    is_old = starts < np.median(starts)
    return {
        "careers": len(careers),
        "titles": len({title for titles, _ in careers for title in titles}),
        "roles per career": len(moves) / len(careers) + 1,
        "careers of two roles": float(np.mean([len(titles) == 2 for titles, _ in careers])),
        "same title again": float(repeats.mean()),
        "back to an earlier title": float(returns.mean()),
        "the same, where there is one": share(returns, can_return),
        "entropy of first titles": entropy(first),
        "entropy of later titles": entropy(later),
        "first titles differ from later ones": excess_difference(first, later),
        "drift between older and newer moves": excess_difference(
            [title for title, old in zip(later, is_old, strict=True) if old],
            [title for title, old in zip(later, is_old, strict=True) if not old],
        ),
        "title never seen before the 70 % date": unseen(careers, starts, 0.70),
        "title never seen before the 85 % date": unseen(careers, starts, 0.85),
        "same title after a short stay": share(repeats, months <= short),
        "same title after a long stay": share(repeats, months > long),
        "earlier title after a short stay": share(returns, months <= short),
        "earlier title after a long stay": share(returns, months > long),
    }


def share(happened: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    """Return how often something happened among the given moves; NaN if there are none."""
    return float(happened[among].mean()) if among.any() else float("nan")


def entropy(titles: Sequence[Hashable]) -> float:
    """Return the entropy of the titles in nats."""
    shares = np.array(list(Counter(titles).values())) / len(titles)
    return float(-(shares * np.log(shares)).sum())


def excess_difference(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Return the total variation between two groups of titles, minus that between random groups."""
    both = [*one, *other]
    order = np.random.default_rng(0).permutation(len(both))
    mixed = [both[index] for index in order]
    return total_variation(one, other) - total_variation(mixed[: len(one)], mixed[len(one) :])


def total_variation(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    p, q = Counter(one), Counter(other)
    return 0.5 * sum(abs(p[title] / len(one) - q[title] / len(other)) for title in p | q)


def unseen(careers: Sequence[Career], starts: NDArray[np.int64], quantile: float) -> float:
    """Return the share of moves after a date whose title no earlier role had."""
    cutoff = np.quantile(starts, quantile, method="higher")
    roles = [role for titles, days in careers for role in zip(titles, days, strict=True)]
    seen = {title for title, day in roles if day < cutoff}
    targets = [
        title
        for titles, days in careers
        for title, day in zip(titles[1:], days[1:], strict=True)
        if day >= cutoff
    ]
    return sum(title not in seen for title in targets) / len(targets)


def population(name: str, num_careers: int, seed: int = 0) -> list[Career]:
    drawn = simulate(num_careers, seed, ProcessSettings(population=name))
    bounds = zip(drawn.offsets[:-1], drawn.offsets[1:], strict=True)
    return [(drawn.titles[a:b].tolist(), drawn.starts[a:b].tolist()) for a, b in bounds]


def real_careers(name: str) -> list[Career]:
    """Return the careers of one of `SETS`, without roles that have no start or end before their start."""
    rows: Callable[[Path], Iterable[tuple[str, str, str, str]]] = csv_rows
    path = DATA / f"{name}.csv"
    if not path.is_file():
        rows, path = json_rows, DATA / f"{name}.jsonl"
    roles: dict[str, set[tuple[int, int, str]]] = {}
    for key, title, start, end in rows(path):
        if start and title.strip() and (not end or end >= start[: len(end)]):
            ends = day_of(end) if end else day_of("9999")
            roles.setdefault(key, set()).add((day_of(start), ends, title.strip()))
    ordered = [sorted(career) for career in roles.values()]
    return [([title for *_, title in career], [day for day, *_ in career]) for career in ordered]


def csv_rows(path: Path) -> Iterable[tuple[str, str, str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["candidate_id"], row["title"], row["start_date"], row["end_date"]


def json_rows(path: Path) -> Iterable[tuple[str, str, str, str]]:
    """Yield roles, or terms of members of Congress with the chamber and the state as the title."""
    for line in path.read_text("utf-8").splitlines():
        person = json.loads(line)
        for role in person.get("roles", []):
            yield person["id"], role["title"], role["start_date"] or "", role["end_date"] or ""
        for term in person.get("terms", []):
            yield person["id"]["bioguide"], f"{term['type']} {term['state']}", term["start"], term["end"]


def day_of(text: str) -> int:
    """Return the number of the first day of a date with day, month or year precision."""
    year, month, day = [*map(int, text.split("-")), 1, 1][:3]
    return date(year, month, day).toordinal()


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """Return a table with a row for each statistic and a column for each set or population."""
    lines = [f"| | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    for key in next(iter(found.values())):
        values = [row[key] for row in found.values()]
        cells = ["" if np.isnan(v) else f"{v:,}" if isinstance(v, int) else f"{v:.2f}" for v in values]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
