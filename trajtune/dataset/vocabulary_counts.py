"""Counts how often each title occurs, partition by partition.

The counts of each partition are divided into parts by title, and each part is summed separately. Titles that
are too rare in train for the vocabulary are dropped before the parts are joined. So no process ever holds all
titles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.careers.exchange.partitions import Partitions, reduced_on_ray
from trajtune.dataset.identity.rule import TitleRule
from trajtune.dataset.split import SPLITS
from trajtune.experiment.settings import VocabularySettings

_MOST_PARTS: Final = 16
_TRAIN: Final = "train"
_COUNTED = pa.schema(
    {
        "key": pa.string(),
        "surface": pa.string(),
        "is_identified": pa.bool_(),
        "split": pa.string(),
        "roles": pa.int64(),
        "targets": pa.int64(),
    }
)
_SUMS: Final = [("roles", "sum"), ("targets", "sum")]
_Part = tuple[pa.Table, pa.Table]
"""Rows of train that may enter the vocabulary, and rows of all splits whose title is not in train."""


@dataclass(frozen=True)
class VocabularyCounts:
    """Counts of titles.

    Attributes:
        train: Number of occurrences in train of each spelling of the vocabulary's titles.
        unseen: Number of roles and of last roles in each split whose title occurs in no career of train, in
            any spelling of that title.
    """

    train: Mapping[str, int]
    unseen: Mapping[str, tuple[int, int]]


def count_titles(splits: Partitions, settings: VocabularySettings, rule: TitleRule) -> VocabularyCounts:
    """Count the titles of all splits.

    Args:
        splits: Partitions with one table per split. The column ``titles`` has a list of strings for each
            career. Only titles of ``train`` enter the vocabulary.
        settings: Settings that decide which titles are kept.
        rule: Rule that decides which titles are one title.
    """
    num_parts = max(2, min(_MOST_PARTS, len(splits.contents))) if splits.on_ray else 1
    counted = splits.columns(_count_partition, num_parts, rule, num_parts)
    parts = (
        reduced_on_ray(_sum_part, counted, settings) if splits.on_ray else [_sum_part(settings, *counted[0])]
    )
    train = _kept_titles(pa.concat_tables([kept for kept, _ in parts]), settings)
    unseen = pa.concat_tables([unseen for _, unseen in parts]).group_by("split").aggregate(_SUMS)
    num_unseen = {row["split"]: (row["roles_sum"], row["targets_sum"]) for row in unseen.to_pylist()}
    return VocabularyCounts(
        dict(zip(train["surface"].to_pylist(), train["roles"].to_pylist(), strict=True)),
        {split: num_unseen.get(split, (0, 0)) for split in SPLITS},
    )


def _count_partition(splits: Mapping[str, pa.Table], rule: TitleRule, num_parts: int) -> list[pa.Table]:
    """Count the titles of a partition. The rows of a title are in the same part in every partition."""
    blocks = [
        _count_block(rule, split, splits[split]["titles"].combine_chunks(), num_parts) for split in SPLITS
    ]
    return [pa.concat_tables(part) for part in zip(*blocks, strict=True)]


def _count_block(rule: TitleRule, split: str, titles: pa.ListArray, num_parts: int) -> list[pa.Table]:
    """Count the titles of one split. The rows of a title are always in the same part."""
    coded = titles.flatten().dictionary_encode()
    surfaces, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    last = np.cumsum(pc.list_value_length(titles).to_numpy()) - 1
    identified = [rule.key(surface) for surface in surfaces]
    # Titles whose key is empty, because they have no letter or digit, are counted under their own spelling.
    keys = [key or surface for key, surface in zip(identified, surfaces, strict=True)]
    counted = pa.table(
        {
            "key": keys,
            "surface": surfaces,
            "is_identified": [bool(key) for key in identified],
            "split": [split] * len(keys),
            "roles": np.bincount(codes, minlength=len(keys)),
            "targets": np.bincount(codes[last], minlength=len(keys)),
        },
        schema=_COUNTED,
    )
    part = np.array([crc32(key.encode()) % num_parts for key in keys], np.int64)
    return [counted.filter(pa.array(part == wanted)) for wanted in range(num_parts)]


def _sum_part(settings: VocabularySettings, *counted: pa.Table) -> _Part:
    """Sum the counts of one part over all partitions."""
    sums = pa.concat_tables(counted).group_by(["key", "surface", "is_identified", "split"]).aggregate(_SUMS)
    rows = sums.rename_columns({f"{column}_sum": column for column, _ in _SUMS})
    is_train = pc.equal(rows["split"], _TRAIN)
    train = rows.filter(is_train)
    unseen = rows.filter(pc.invert(pc.is_in(rows["key"], train["key"])))
    kept = _kept_titles(train.filter(train["is_identified"]), settings)
    return kept, unseen.select(["split", "roles", "targets"])


def _kept_titles(train: pa.Table, settings: VocabularySettings) -> pa.Table:
    """Return the spellings of the most frequent titles, which are kept. Ties are in alphabetical order."""
    totals = train.group_by("key").aggregate([("roles", "sum")])
    totals = totals.filter(pc.greater_equal(totals["roles_sum"], settings.min_count))
    totals = totals.sort_by([("roles_sum", "descending"), ("key", "ascending")])
    return train.filter(pc.is_in(train["key"], totals["key"].slice(0, settings.max_titles)))
