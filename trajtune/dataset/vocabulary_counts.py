"""Count how often each title occurs, block by block, on Ray if train is more than one block.

Each block's counts are partitioned by title, and each partition is summed by itself, so no process ever holds
all titles: those that are too rare in train for the vocabulary are dropped before the partitions are joined.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.cluster import ray_session
from trajtune.dataset.identity.rule import TitleRule
from trajtune.experiment.settings import VocabularySettings

CAREERS_IN_A_BLOCK: Final = 500_000
"""If train is one block, all splits are counted in this process, because starting Ray takes longer."""

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
"""The rows of train that may become vocabulary, and the rows of any split whose title is not in train."""


@dataclass(frozen=True)
class VocabularyCounts:
    """Counts of titles.

    Attributes:
        train: How often each spelling of the vocabulary's titles occurs in train.
        unseen: For each split, the number of roles and of last roles whose title is in no career of train,
            in any spelling that counts as the same.
    """

    train: Mapping[str, int]
    unseen: Mapping[str, tuple[int, int]]


def count_titles(
    titles: Mapping[str, pa.ChunkedArray],
    settings: VocabularySettings,
    rule: TitleRule,
    *,
    careers_in_a_block: int = CAREERS_IN_A_BLOCK,
) -> VocabularyCounts:
    """Count the titles of all splits.

    Args:
        titles: For each split, a list of strings for each career; only those of ``train`` become vocabulary.
        settings: Which titles are kept.
        rule: Which titles are one title.
        careers_in_a_block: Number of careers that one process counts at a time.
    """
    blocks = [
        (split, begin)
        for split, careers in titles.items()
        for begin in range(0, len(careers), careers_in_a_block)
    ]

    def arguments() -> Iterator[tuple[str, pa.ListArray]]:
        for split, begin in blocks:
            # A copy, so that the rest of the column is not sent to Ray with the slice.
            chunks = titles[split].slice(begin, careers_in_a_block).chunks
            yield split, pa.concat_arrays(chunks)

    if len(titles[_TRAIN]) <= careers_in_a_block:
        counted = [_count_block(rule, *block, 1)[0] for block in arguments()]
        parts = [_sum_part(settings, *counted)]
    else:
        parts = _on_ray(arguments(), min(_MOST_PARTS, len(blocks)), settings, rule)
    train = _kept_titles(pa.concat_tables([kept for kept, _ in parts]), settings)
    unseen = pa.concat_tables([unseen for _, unseen in parts]).group_by("split").aggregate(_SUMS)
    num_unseen = {row["split"]: (row["roles_sum"], row["targets_sum"]) for row in unseen.to_pylist()}
    return VocabularyCounts(
        dict(zip(train["surface"].to_pylist(), train["roles"].to_pylist(), strict=True)),
        {split: num_unseen.get(split, (0, 0)) for split in titles},
    )


def _on_ray(
    blocks: Iterator[tuple[str, pa.ListArray]],
    num_parts: int,
    settings: VocabularySettings,
    rule: TitleRule,
) -> list[_Part]:
    import ray

    with ray_session():
        count = ray.remote(num_cpus=1, num_returns=num_parts)(_count_block)
        add_up = ray.remote(num_cpus=1)(_sum_part)
        shared = ray.put(rule)  # once: synonyms may be many
        of_blocks = [count.remote(shared, *block, num_parts) for block in blocks]
        parts: list[_Part] = ray.get(
            [add_up.remote(settings, *part) for part in zip(*of_blocks, strict=True)]
        )
        return parts


def _count_block(rule: TitleRule, split: str, titles: pa.ListArray, num_parts: int) -> list[pa.Table]:
    """Count a block's titles; a title's rows are in the same partition for every block."""
    coded = titles.flatten().dictionary_encode()
    surfaces, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    last = np.cumsum(pc.list_value_length(titles).to_numpy()) - 1
    identified = [rule.key(surface) for surface in surfaces]
    # Titles that nothing identifies, because they have no letter, are counted under their own spelling.
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
    """Sum the blocks' counts of a partition."""
    sums = pa.concat_tables(counted).group_by(["key", "surface", "is_identified", "split"]).aggregate(_SUMS)
    rows = sums.rename_columns({f"{column}_sum": column for column, _ in _SUMS})
    is_train = pc.equal(rows["split"], _TRAIN)
    train = rows.filter(is_train)
    unseen = rows.filter(pc.invert(pc.is_in(rows["key"], train["key"])))
    kept = _kept_titles(train.filter(train["is_identified"]), settings)
    return kept, unseen.select(["split", "roles", "targets"])


def _kept_titles(train: pa.Table, settings: VocabularySettings) -> pa.Table:
    """The spellings of the titles that are kept: the most frequent; of equals the alphabetically first."""
    totals = train.group_by("key").aggregate([("roles", "sum")])
    totals = totals.filter(pc.greater_equal(totals["roles_sum"], settings.min_count))
    totals = totals.sort_by([("roles_sum", "descending"), ("key", "ascending")])
    return train.filter(pc.is_in(train["key"], totals["key"].slice(0, settings.max_titles)))
