"""Works on one partition at a time, in this process or in Ray tasks, whose results stay in Ray."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from trajtune.careers.exchange.by_person import packed, unpacked
from trajtune.errors import TrajtuneError

_MOST_WRITERS: Final = 2
"""Maximum number of tasks that write files on one machine at once."""

Content = dict[str, Any]


@dataclass(frozen=True)
class Partitions:
    """The partitions of some data, in order. All data of a person is in one partition.

    Attributes:
        contents: Content of each partition: tables and other values by name, or Ray's reference to them.
        on_ray: Whether the contents are references. Tables are compressed in Ray's object store.
    """

    contents: Sequence[Any]
    on_ray: bool = False

    def each(
        self, function: Callable[..., Any], *shared: Any, own: Sequence[Any] = (), here: bool = False
    ) -> Iterator[Any]:
        """Yield the result of a function for each partition, in order.

        Args:
            function: Function of a partition's content, its item of ``own`` if given, and ``shared``.
            shared: Arguments that are the same for all partitions.
            own: One argument per partition; empty for none.
            here: Whether to run the function on this machine, because it writes files.
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
        """Return the partitions that a function makes from these, and an iterator over its reports.

        Args:
            function: Function as in `each`. It returns a content, which is not moved, and a small report.
            shared: Arguments that are the same for all partitions.
            own: One argument per partition; empty for none.
        """
        if not self.on_ray:
            results = [function(*arguments, *shared) for arguments in self._arguments(own)]
            return Partitions([content for content, _ in results]), iter([report for _, report in results])
        pairs = self._submit(_content_and_report, function, shared, own, 2)
        return Partitions([content for content, _ in pairs], on_ray=True), _each_fetched(
            [reference for _, reference in pairs]
        )

    def columns(self, function: Callable[..., list[Any]], num: int, *shared: Any) -> list[list[Any]]:
        """Return the first results of a function for all partitions, then the second results, and so on.

        On Ray they are references.

        Args:
            function: Function of a partition's content and ``shared``. It returns ``num`` results.
            num: Number of results; at least 2 on Ray.
            shared: Arguments that are the same for all partitions.
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
        """Do the same as `each` on this node, which may have no CPU for tasks: a few tasks at a time."""
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
    """Return the result of a function of ``shared`` and each column of `Partitions.columns`."""
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
    """Return a content with its tables decompressed, in the form that functions receive."""
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
    """Fetch a task's result into this process.

    Raises:
        TrajtuneError: If the task raised it.
        OSError: If the task raised it.
    """
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TrajtuneError | OSError):
            raise error.cause from None
        raise
