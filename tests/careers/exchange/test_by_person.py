"""Who is in which partition depends on the person's id and the number of rows alone."""

import numpy as np
import pyarrow as pa
import pytest

from trajtune.careers.exchange.by_person import BUCKETS, buckets_of, num_partitions, packed, unpacked


def test_a_person_is_in_the_same_bucket_whoever_else_is_there() -> None:
    ids = pa.array([f"p{number}" for number in range(1_000)] + [None, "", "工程师"])
    together = buckets_of(ids)
    alone = [int(buckets_of(ids.slice(at, 1))[0]) for at in range(len(ids))]
    assert together.tolist() == alone
    chunked = pa.chunked_array([ids.slice(500), ids.slice(0, 500)])
    assert buckets_of(chunked).tolist() == alone[500:] + alone[:500]
    assert together[1_000] == 0
    assert len(buckets_of(ids.slice(0, 0))) == 0


@pytest.mark.parametrize("form", ["{}", "user-{:08}", "{:032x}"])
def test_buckets_are_about_equally_full(form: str) -> None:
    counts = np.bincount(buckets_of(pa.array([form.format(at) for at in range(128_000)])), minlength=BUCKETS)
    assert len(counts) == BUCKETS
    assert counts.min() > 700
    assert counts.max() < 1_300


def test_the_number_of_partitions_is_a_power_of_two_that_rows_alone_decide() -> None:
    numbers = [num_partitions({"rows_in": rows}, False, 10) for rows in (0, 1, 10, 11, 20, 21, 40, 41, 10**6)]
    assert numbers == [1, 1, 1, 2, 2, 4, 4, 8, BUCKETS]
    assert num_partitions({"rows_in": 40}, True, 10) == 1
    assert num_partitions({"rows_in": 44}, True, 10) == 2


def test_a_packed_table_is_the_same_again() -> None:
    table = pa.table({"titles": [["a", "b"], []], "hireable": pa.array([None, 1], pa.float32())})
    assert unpacked(packed(table)).equals(table)
    assert unpacked(packed(table.slice(1))).equals(table.slice(1))
