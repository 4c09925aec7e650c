"""Work on one partition at a time: in this process, or as tasks of Ray, which keeps what they make."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from trajtune.careers.exchange.by_person import packed, unpacked
from trajtune.errors import TrajtuneError

_MOST_WRITERS: Final = 2
"""Tasks at a time that write files on one machine."""

Content = dict[str, Any]


@dataclass(frozen=True)
class Partitions:
    """The partitions of some data, in order; a person is in one of them.

    Attributes:
        contents: The content of each partition: tables and more by name; or Ray's references to these.
        on_ray: Whether they are references. Tables are compressed in Ray's object store.
    """

    contents: Sequence[Any]
    on_ray: bool = False

    def each(
        self, function: Callable[..., Any], *shared: Any, own: Sequence[Any] = (), here: bool = False
    ) -> Iterator[Any]:
        """The result of a function for each partition, in their order.

        Args:
            function: Called with a partition's content, its item of ``own`` if there are any, and ``shared``.
            shared: Arguments that are the same for all partitions.
            own: An argument for each partition.
            here: Run it on this machine, because it writes files.
        """
        if not self.on_ray:
            yield from (function(*arguments, *shared) for arguments in self._arguments(own))
            return
        if here:
            yield from self._each_here(function, shared, own)
            return
        yield from _each_fetched(self._submit(_result, function, shared, own, 1))

    def map(
        self, function: Callable[..., tuple[Content, Any]], *shared: Any, own: Sequence[Any] = ()
    ) -> tuple["Partitions", Iterator[Any]]:
        """The new contents that a function makes of the partitions, and what it reports of each, as it comes.

        Args:
            function: As of `each`; returns a content, which stays where it is, and something small.
            shared: As of `each`.
            own: As of `each`.
        """
        if not self.on_ray:
            results = [function(*arguments, *shared) for arguments in self._arguments(own)]
            return Partitions([content for content, _ in results]), iter([report for _, report in results])
        pairs = self._submit(_content_and_report, function, shared, own, 2)
        return Partitions([content for content, _ in pairs], on_ray=True), _each_fetched(
            [reference for _, reference in pairs]
        )

    def columns(self, function: Callable[..., list[Any]], num: int, *shared: Any) -> list[list[Any]]:
        """The first results of a function for all partitions, the second ones, and so on; references on Ray.

        Args:
            function: As of `each`; returns ``num`` results.
            num: At least 2 on Ray.
            shared: As of `each`.
        """
        if not self.on_ray:
            rows = [function(content, *shared) for content in self.contents]
        else:
            rows = self._submit(_result, function, shared, (), num)
        return [list(column) for column in zip(*rows, strict=True)]

    def _arguments(self, own: Sequence[Any]) -> list[tuple[Any, ...]]:
        return (
            list(zip(self.contents, own, strict=True)) if own else [(content,) for content in self.contents]
        )

    def _submit(
        self,
        task: Callable[..., Any],
        function: Callable[..., Any],
        shared: tuple[Any, ...],
        own: Sequence[Any],
        num_returns: int,
    ) -> list[Any]:
        import ray

        remote = ray.remote(num_cpus=1, num_returns=num_returns)(task)
        once = [_reference(argument) for argument in shared]
        return [remote.remote(function, *arguments, *once) for arguments in self._arguments(own)]

    def _each_here(
        self, function: Callable[..., Any], shared: tuple[Any, ...], own: Sequence[Any]
    ) -> Iterator[Any]:
        """As `each`, on the node of this process, which may have no CPU for tasks: a few at a time."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        remote = ray.remote(num_cpus=0, scheduling_strategy=node)(_result)
        once = [_reference(argument) for argument in shared]
        running: list[Any] = []
        for arguments in self._arguments(own):
            running.append(remote.remote(function, *arguments, *once))
            if len(running) == _MOST_WRITERS:
                yield fetched(running.pop(0))
        yield from _each_fetched(running)


def _reference(argument: Any) -> Any:
    import ray

    return argument if isinstance(argument, ray.ObjectRef) else ray.put(argument)


def reduced_on_ray(function: Callable[..., Any], columns: Sequence[Sequence[Any]], shared: Any) -> list[Any]:
    """What a function makes of ``shared`` and each column of `Partitions.columns`."""
    import ray

    task, once = ray.remote(num_cpus=1)(function), ray.put(shared)
    return list(_each_fetched([task.remote(once, *column) for column in columns]))


def _result(function: Callable[..., Any], content: Any, *arguments: Any) -> Any:
    return function(opened(content), *arguments)


def _content_and_report(
    function: Callable[..., tuple[Content, Any]], content: Any, *arguments: Any
) -> tuple[Content, Any]:
    made, report = function(opened(content), *arguments)
    return {name: _PackedTable.of(value) for name, value in made.items()}, report


def opened(content: Any) -> Any:
    """A content with its tables decompressed, as functions get it."""
    if not isinstance(content, dict):
        return content
    return {name: v.table() if isinstance(v, _PackedTable) else v for name, v in content.items()}


@dataclass(frozen=True)
class _PackedTable:
    """A table in Arrow's stream format, compressed."""

    content: pa.Buffer

    @classmethod
    def of(cls, value: Any) -> Any:
        return cls(packed(value)) if isinstance(value, pa.Table) else value

    def table(self) -> pa.Table:
        return unpacked(self.content)


def _each_fetched(references: list[Any]) -> Iterator[Any]:
    while references:
        yield fetched(references.pop(0))


def fetched(reference: Any) -> Any:
    """A task's result in this process.

    Raises:
        TrajtuneError: What the task raised.
        OSError: What the task raised.
    """
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TrajtuneError | OSError):
            raise error.cause from None
        raise
