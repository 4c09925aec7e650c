"""Assigns people to partitions by a hash of their ids. The number of rows sets the number of partitions."""

from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CAREERS_IN_A_PARTITION: Final = 2**17
"""Number of careers above which there are more partitions, up to `BUCKETS` partitions."""

BUCKETS: Final = 128
"""Number of buckets of each block. Blocks are divided before the number of partitions is known.

It is a power of two.
"""

_ROLES_OF_A_CAREER: Final = 4


def num_partitions(
    counts: Mapping[str, int], rows_are_roles: bool, careers_in_a_partition: int = CAREERS_IN_A_PARTITION
) -> int:
    """Return the number of partitions, a power of two. It depends on the number of rows, not on the machine.

    Args:
        counts: Counts as in `LoadedCareers`; only ``rows_in`` is used.
        rows_are_roles: Whether a row of the source is a role.
        careers_in_a_partition: Number of careers above which there are more partitions.
    """
    careers = counts["rows_in"] // (_ROLES_OF_A_CAREER if rows_are_roles else 1)
    wanted = max(1, -(-careers // careers_in_a_partition))
    return int(min(BUCKETS, 1 << (wanted - 1).bit_length()))


def buckets_of(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the bucket of each id, int64 ``[N]``, from 0 to `BUCKETS` - 1; 0 where the id is missing."""
    coded = (ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids).dictionary_encode()
    texts = coded.dictionary.cast(pa.binary()).to_pylist()
    found = np.array([crc32(text) * BUCKETS >> 32 for text in texts] + [0], np.int64)
    buckets: NDArray[np.int64] = found[coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]
    return buckets


def by_bucket(buckets: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    """Return the buckets that occur, each with the indices of its rows."""
    order = np.argsort(buckets, kind="stable")
    found, firsts = np.unique(buckets[order], return_index=True)
    return list(zip(found.tolist(), np.split(order, firsts[1:]), strict=True)) if len(found) else []


def packed(table: pa.Table) -> pa.Buffer:
    """Write a table in Arrow's stream format, compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpacked(content: Any) -> pa.Table:
    """Read a table that `packed` wrote."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
