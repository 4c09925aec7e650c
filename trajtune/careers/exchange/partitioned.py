"""The careers of a source in partitions, with the counts and the as-of date of the complete source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa

from trajtune.careers.exchange.by_person import (
    BUCKETS,
    CAREERS_IN_A_PARTITION,
    buckets_of,
    num_partitions,
)
from trajtune.careers.exchange.partitions import Content, Partitions
from trajtune.careers.schema import QUARANTINE, LoadedCareers


@dataclass(frozen=True)
class PartitionedCareers:
    """Careers that were read, in partitions.

    Attributes:
        partitions: Partitions with the tables ``careers``, sorted by id, and ``quarantine``.
        quarantine: Any number of further partitions with a table ``quarantine``, which has all other entries.
        reasons: Number of entries with each reason, in all quarantines.
        counts: Counts as in `LoadedCareers`.
        source: Description of the source, as in `LoadedCareers`.
        as_of: The day that the data describes, as in `LoadedCareers`.
    """

    partitions: Partitions
    quarantine: Partitions
    reasons: Mapping[str, int]
    counts: Mapping[str, int]
    source: Mapping[str, Any]
    as_of: date

    @property
    def rows_are_roles(self) -> bool:
        """Whether a row of the source is a role."""
        return self.counts["rows_in"] != self.counts["careers_in"]

    def loaded(self) -> LoadedCareers:
        """Return the same careers as one table in this process."""
        found = list(self.partitions.each(_content))
        quarantine = [content["quarantine"] for content in [*found, *self.quarantine.each(_content)]]
        careers = pa.concat_tables([content["careers"] for content in found])
        return LoadedCareers(
            careers.sort_by("candidate_id").combine_chunks(),
            sorted_quarantine(quarantine),
            self.counts,
            self.source,
            self.as_of,
        )

    def after(
        self, partitions: Partitions, counts: Mapping[str, int], reasons: Mapping[str, int]
    ) -> "PartitionedCareers":
        """Return the careers with new partitions, after adding changes to the counts and the reasons."""
        return replace(
            self,
            partitions=partitions,
            counts={name: number + counts.get(name, 0) for name, number in self.counts.items()},
            reasons=Counter(self.reasons) + Counter(reasons),
        )


def partitioned(
    loaded: LoadedCareers, careers_in_a_partition: int = CAREERS_IN_A_PARTITION
) -> PartitionedCareers:
    """Divide careers in this process into the same partitions as if they had been read in partitions.

    Args:
        loaded: The careers that were read.
        careers_in_a_partition: Number of careers above which there are more partitions.
    """
    is_roles = loaded.counts["rows_in"] != loaded.counts["careers_in"]
    num = num_partitions(loaded.counts, is_roles, careers_in_a_partition)
    tables = [loaded.careers]
    if num > 1:
        of = buckets_of(loaded.careers["candidate_id"]) * num // BUCKETS
        tables = [loaded.careers.filter(pa.array(of == number)).combine_chunks() for number in range(num)]
    nothing = QUARANTINE.empty_table()
    return PartitionedCareers(
        Partitions([{"careers": table, "quarantine": nothing} for table in tables]),
        Partitions([{"quarantine": loaded.quarantine}]),
        Counter(loaded.quarantine["reason"].to_pylist()),
        loaded.counts,
        loaded.source,
        loaded.as_of,
    )


def _content(content: Content) -> Content:
    return content


def sorted_quarantine(parts: Sequence[pa.Table]) -> pa.Table:
    """Join the entries of several quarantines, sorted by all columns."""
    table = pa.concat_tables([QUARANTINE.empty_table(), *parts])
    return table.sort_by([(name, "ascending") for name in table.column_names]).combine_chunks()
