"""Work on partitions gives the same in this process and on Ray."""

from typing import Any

import pyarrow as pa
import pytest
import ray

from trajtune.careers.exchange.partitions import Content, Partitions
from trajtune.errors import SourceError

TABLES = [pa.table({"n": [number, number + 1]}) for number in range(5)]


def doubled(content: Content, own: int, factor: int) -> tuple[Content, int]:
    numbers = [factor * number for number in content["table"]["n"].to_pylist()]
    return {"table": pa.table({"n": numbers}), "own": own}, sum(numbers)


def seen(content: Content) -> Any:
    return content["table"]["n"].to_pylist(), content["own"]


def halves(content: Content) -> list[Any]:
    return content["table"]["n"].to_pylist()  # type: ignore[no-any-return]


def refusing(content: Content, kind: type[Exception]) -> None:
    raise kind("Give another one.")


@pytest.fixture(params=[False, True], ids=["here", "on Ray"])
def partitions(request: pytest.FixtureRequest, ray_local: None) -> Partitions:
    contents: list[Any] = [{"table": table} for table in TABLES]
    return Partitions(
        [ray.put(content) for content in contents] if request.param else contents, request.param
    )


def test_each_partition_becomes_a_new_one_in_its_place(partitions: Partitions) -> None:
    made, reports = partitions.map(doubled, 2, own=range(5))
    assert list(reports) == [2, 6, 10, 14, 18]
    expected = [([2 * number, 2 * number + 2], number) for number in range(5)]
    assert list(made.each(seen)) == list(made.each(seen, here=True)) == expected


def test_columns_hold_one_result_of_every_partition(partitions: Partitions) -> None:
    first, second = partitions.columns(halves, 2)
    if partitions.on_ray:
        first, second = ray.get(first), ray.get(second)
    assert (first, second) == ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5])


@pytest.mark.parametrize("kind", [SourceError, OSError])
def test_an_error_that_a_person_can_fix_arrives_as_it_was_raised(
    partitions: Partitions, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        list(partitions.each(refusing, kind))
    assert str(caught.value) == "Give another one."
