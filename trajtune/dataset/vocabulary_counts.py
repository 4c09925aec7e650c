"""How often each title occurs: counted block by block, on Ray where train is more than one block.

Each block's counts are parted by title, and each part is added up for itself, so no process ever holds all
titles: those that train has too seldom for the vocabulary are left out before anything is brought together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.cluster import ray_session
from trajtune.dataset.titles import identity
from trajtune.experiment.settings import VocabularySettings

CAREERS_IN_A_BLOCK: Final = 500_000
"""If train is no more than one, all are counted here and now; starting Ray takes longer."""

_MOST_PARTS: Final = 16
_TRAIN: Final = "train"
_COUNTED = pa.schema(
    {
        "key": pa.string(),
        "surface": pa.string(),
        "is_visible": pa.bool_(),
        "split": pa.string(),
        "roles": pa.int64(),
        "targets": pa.int64(),
    }
)
_SUMS: Final = [("roles", "sum"), ("targets", "sum")]
_Part = tuple[pa.Table, pa.Table]
"""The rows of train that may become vocabulary, and those of any split that train has not."""


@dataclass(frozen=True)
class Tally:
    """What counting found.

    Attributes:
        train: How often train has each spelling of the titles that its vocabulary is to hold.
        unseen: For each split, how many roles and how many last roles have a title that no career of train
            has, in any spelling that counts as the same.
    """

    train: Mapping[str, int]
    unseen: Mapping[str, tuple[int, int]]


def tally_titles(
    titles: Mapping[str, pa.ChunkedArray],
    settings: VocabularySettings,
    *,
    careers_in_a_block: int = CAREERS_IN_A_BLOCK,
) -> Tally:
    """Count the titles of all splits.

    Args:
        titles: Of each split, a list of strings for each career; those of ``train`` alone become vocabulary.
        settings: Which of them are kept.
        careers_in_a_block: Counted at once, in one process.
    """
    blocks = [
        (split, begin)
        for split, careers in titles.items()
        for begin in range(0, len(careers), careers_in_a_block)
    ]

    def arguments() -> Iterator[tuple[str, pa.ListArray]]:
        for split, begin in blocks:
            # A copy of its own: what is sent elsewhere must not bring the rest of the column along.
            chunks = titles[split].slice(begin, careers_in_a_block).chunks
            yield split, pa.concat_arrays(chunks)

    if len(titles[_TRAIN]) <= careers_in_a_block:
        counted = [_count(*block, 1)[0] for block in arguments()]
        parts = [_add_up(settings, *counted)]
    else:
        parts = _on_ray(arguments(), min(_MOST_PARTS, len(blocks)), settings)
    train = _commonest(pa.concat_tables([kept for kept, _ in parts]), settings)
    unseen = pa.concat_tables([unseen for _, unseen in parts]).group_by("split").aggregate(_SUMS)
    found = {row["split"]: (row["roles_sum"], row["targets_sum"]) for row in unseen.to_pylist()}
    return Tally(
        dict(zip(train["surface"].to_pylist(), train["roles"].to_pylist(), strict=True)),
        {split: found.get(split, (0, 0)) for split in titles},
    )


def _on_ray(
    blocks: Iterator[tuple[str, pa.ListArray]], num_parts: int, settings: VocabularySettings
) -> list[_Part]:
    import ray

    with ray_session():
        count = ray.remote(num_cpus=1, num_returns=num_parts)(_count)
        add_up = ray.remote(num_cpus=1)(_add_up)
        of_blocks = [count.remote(*block, num_parts) for block in blocks]
        parts: list[_Part] = ray.get(
            [add_up.remote(settings, *part) for part in zip(*of_blocks, strict=True)]
        )
        return parts


def _count(split: str, titles: pa.ListArray, num_parts: int) -> list[pa.Table]:
    """Count a block's titles; the rows of a title are in the same part whichever block they are of."""
    coded = titles.flatten().dictionary_encode()
    surfaces, place = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    last = np.cumsum(pc.list_value_length(titles).to_numpy()) - 1
    visible = [identity(surface) for surface in surfaces]
    # What the service sees nothing of is its own form's only spelling.
    keys = [key or surface for key, surface in zip(visible, surfaces, strict=True)]
    counted = pa.table(
        {
            "key": keys,
            "surface": surfaces,
            "is_visible": [bool(key) for key in visible],
            "split": [split] * len(keys),
            "roles": np.bincount(place, minlength=len(keys)),
            "targets": np.bincount(place[last], minlength=len(keys)),
        },
        schema=_COUNTED,
    )
    part = np.array([crc32(key.encode()) % num_parts for key in keys], np.int64)
    return [counted.filter(pa.array(part == wanted)) for wanted in range(num_parts)]


def _add_up(settings: VocabularySettings, *counted: pa.Table) -> _Part:
    """Add the blocks' counts of a part up."""
    sums = pa.concat_tables(counted).group_by(["key", "surface", "is_visible", "split"]).aggregate(_SUMS)
    rows = sums.rename_columns({f"{column}_sum": column for column, _ in _SUMS})
    is_train = pc.equal(rows["split"], _TRAIN)
    train = rows.filter(is_train)
    unseen = rows.filter(pc.invert(pc.is_in(rows["key"], train["key"])))
    kept = _commonest(train.filter(train["is_visible"]), settings)
    return kept, unseen.select(["split", "roles", "targets"])


def _commonest(train: pa.Table, settings: VocabularySettings) -> pa.Table:
    """The spellings of the titles that are kept: the commonest; of equals the alphabetically first."""
    totals = train.group_by("key").aggregate([("roles", "sum")])
    totals = totals.filter(pc.greater_equal(totals["roles_sum"], settings.min_count))
    totals = totals.sort_by([("roles_sum", "descending"), ("key", "ascending")])
    return train.filter(pc.is_in(train["key"], totals["key"].slice(0, settings.max_titles)))
