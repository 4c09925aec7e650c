"""Sums what is in quarantine over blocks and partitions, and raises if it is too much."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from trajtune.careers.reasons import REMEDIES, Reason
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings

LONGEST_EXAMPLE: Final = 120


@dataclass(frozen=True)
class Faults:
    """Counts of quarantine entries. The counts of several quarantines can be added.

    Attributes:
        entries: Number of entries with each reason.
        rows: Number of source rows of the entries with each reason.
        examples: Alphabetically first detail for each reason and level.
    """

    entries: Mapping[str, int]
    rows: Mapping[str, int]
    examples: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, quarantine: pa.Table) -> "Faults":
        """Count the entries of a table `careers.schema.QUARANTINE`."""
        entries, rows = Counter[str](), Counter[str]()
        examples = {}
        sums = quarantine.group_by(["reason", "level"]).aggregate(
            [("num_rows", "count"), ("num_rows", "sum"), ("detail", "min")]
        )
        for row in sums.to_pylist():
            entries[row["reason"]] += row["num_rows_count"]
            rows[row["reason"]] += row["num_rows_sum"]
            examples[row["reason"], row["level"]] = row["detail_min"]
        return cls(entries, rows, examples)

    def __add__(self, other: "Faults") -> "Faults":
        examples = dict(self.examples)
        for key, detail in other.examples.items():
            examples[key] = min(detail, examples.get(key, detail))
        return Faults(_summed(self.entries, other.entries), _summed(self.rows, other.rows), examples)

    def example(self, reason: str) -> str:
        """Return an example value for a reason, and the setting that may help."""
        # The detail of a role comes first, because the detail of a career may be just a number.
        detail = self.examples.get((reason, "role"), self.examples.get((reason, "career"), ""))
        shown = " ".join(detail.split())[:LONGEST_EXAMPLE]
        remedy = REMEDIES.get(Reason[reason.upper()])
        words = [f"for example `{shown}`"] if shown else []
        words += [f"see {remedy}"] if remedy else []
        return f"{reason}: {', '.join(words)}" if words else ""


NO_FAULTS: Final = Faults({}, {}, {})


def _summed(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def refuse_if_too_many_faults(
    faults: Faults, counts: Mapping[str, int], source: Mapping[str, Any], data: DataSettings
) -> None:
    """Raise if too many rows are at fault. `Reason.TOO_FEW_ROLES` is not a fault and does not count.

    Raises:
        SourceError: If too many rows are at fault, or no career is left. The message names the most frequent
            reasons, with an example and a remedy for each.
    """
    rows_in = counts["rows_in"]
    share = (sum(faults.rows.values()) - faults.rows.get(Reason.TOO_FEW_ROLES.code, 0)) / rows_in
    if share <= data.max_quarantine_fraction and counts["careers"]:
        return
    most_frequent = sorted(faults.rows.items(), key=lambda item: (-item[1], item[0]))[:3]
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in most_frequent)
    details = "; ".join(filter(None, (faults.example(reason) for reason, _ in most_frequent)))
    rule = f"more than `data.max_quarantine_fraction` {data.max_quarantine_fraction:.0%} allows"
    raise SourceError(
        f"{source_name(source)}: {share:.0%} of {rows_in:,} rows are at fault, {rule}, and "
        f"{counts['careers']:,} careers are left; the commonest reasons are {reasons}. "
        f"{details}{'. ' if details else ''}See docs/reference/careers.md and fix the source."
    )


def source_name(source: Mapping[str, Any]) -> str:
    """Return the source as one word or a path, for messages."""
    return (
        "The query" if "query" in source else str(source.get("table") or source.get("path") or source["kind"])
    )
