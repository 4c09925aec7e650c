"""Reads careers from any source. Ray Data reads and parses blocks in parallel; then people are joined."""

import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from trajtune.careers.exchange.blocks import Head, career_block, error_block, head_of, roles_block
from trajtune.careers.exchange.by_person import CAREERS_IN_A_PARTITION
from trajtune.careers.exchange.faults import LONGEST_EXAMPLE, source_name
from trajtune.careers.exchange.join import joined_by_person
from trajtune.careers.exchange.partitioned import PartitionedCareers
from trajtune.careers.schema import LoadedCareers
from trajtune.careers.sources.read_file import PLACE
from trajtune.cluster import ray_data_for_reading, ray_session
from trajtune.errors import SnapshotLostError, SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource, JsonHistory, PostgresSource, SimulatedSource
from trajtune.notebook import LiveDisplay, html_bar, is_notebook
from trajtune.stages import stage, stage_ended
from trajtune.storage.retry import retrying

if TYPE_CHECKING:
    from ray.data import Dataset

URL_VARIABLE: Final = "POSTGRES_URL"
_READING: Final = "Reading careers"
_ATTEMPTS: Final = 3


def load_career_sequences(
    source: PostgresSource | FileSource | SimulatedSource,
    data: DataSettings,
    *,
    url: str | None = None,
    progress: bool = False,
) -> LoadedCareers:
    """Read every career of a source into this process. The order of the rows has no effect.

    Args:
        source: The source of the careers.
        data: Settings that say how rows become careers.
        url: URL of the database; None: the environment variable ``POSTGRES_URL``. Ignored for files and
            simulated careers.
        progress: Whether to show a progress bar on stderr, if it is a terminal.

    Returns:
        The careers, the quarantine with a reason for each entry, and counts that add up.

    Raises:
        SourceError: If there is nothing to read, or if too large a share of the rows cannot be used.
    """
    with ray_session():
        return read_partitions(source, data, url=url, progress=progress).loaded()


def read_partitions(
    source: PostgresSource | FileSource | SimulatedSource,
    data: DataSettings,
    *,
    url: str | None = None,
    progress: bool = False,
    careers_in_a_partition: int = CAREERS_IN_A_PARTITION,
) -> PartitionedCareers:
    """Read every career of a source in an open Ray session. Ray stores them if there are several partitions.

    Args:
        source: The source of the careers, as in `load_career_sequences`.
        data: Settings that say how rows become careers, as in `load_career_sequences`.
        url: URL of the database, as in `load_career_sequences`.
        progress: Whether to show a progress bar, as in `load_career_sequences`.
        careers_in_a_partition: Number of careers above which there are more partitions.

    Raises:
        SourceError: If there is nothing to read, or if too large a share of the rows cannot be used.
    """
    if isinstance(data.as_of, date) and data.as_of > date.today():
        raise SourceError(
            f"`data.as_of` must not lie in the future, but is {data.as_of}, and today is {date.today()}. "
            "Write the day on which the data was exported, or auto."
        )
    with ray_data_for_reading():
        if isinstance(source, FileSource):
            from trajtune.careers.sources.files import open_files

            rows = open_files(source, data.hireable_key)
            return _load(rows, source, data, {"path": source.path}, None, progress, careers_in_a_partition)
        if isinstance(source, SimulatedSource):
            from trajtune.careers.sources.embedded_postgres import embedded_postgres
            from trajtune.simulation.write_careers import simulated_table

            with embedded_postgres() as embedded:
                name = simulated_table(embedded, source.careers, source.seed, source.process)
                table, source_facts = PostgresSource(table=name), source.model_dump(mode="json")
                return _load_postgres(table, data, embedded, source_facts, progress, careers_in_a_partition)
        url = url or os.environ.get(URL_VARIABLE)
        if not url:
            raise SourceError(
                f"{URL_VARIABLE} is not set, so no database can be read. Set it, or use `kind: simulated`."
            )
        source_facts = {"query": source.query} if source.query is not None else {"table": source.table}
        return _load_postgres(source, data, url, source_facts, progress, careers_in_a_partition)


def _load_postgres(
    source: PostgresSource,
    data: DataSettings,
    url: str,
    source_facts: dict[str, Any],
    progress: bool,
    careers_in_a_partition: int,
) -> PartitionedCareers:
    import ray

    from trajtune.careers.sources.postgres.datasource import open_postgres

    def load() -> PartitionedCareers:
        with open_postgres(source, data.hireable_key, url, data.timezone) as (rows, plan):
            if plan.note:
                print(f"Note: {plan.note}", file=sys.stderr)
            num_blocks = len(plan.ranges)
            dataset = ray.data.read_datasource(rows, override_num_blocks=num_blocks)
            careers = _load(dataset, source, data, source_facts, num_blocks, progress, careers_in_a_partition)
            plan.check(careers.counts["rows_in"])
            return careers

    # If the connection that holds the snapshot is lost, reading must start again from the beginning.
    try:
        return retrying(
            load, lambda error: isinstance(error, SnapshotLostError), attempts=_ATTEMPTS, first_wait_s=1
        )
    except SnapshotLostError as error:
        raise SourceError(
            f"The database closed the connection that held the snapshot {_ATTEMPTS} times. "
            "See its log, and run again when it is steady."
        ) from error


def _load(
    rows: "Dataset",
    source: PostgresSource | FileSource,
    data: DataSettings,
    source_facts: dict[str, Any],
    num_blocks: int | None,
    progress: bool,
    careers_in_a_partition: int = CAREERS_IN_A_PARTITION,
) -> PartitionedCareers:
    today, layout = date.today(), source.layout
    parse = career_block if isinstance(layout, JsonHistory) else roles_block
    parse_block = partial(_parsed, parse, source_facts, layout=layout, settings=data, today=today)
    with _progress_bar(progress, num_blocks) as advance:
        blocks, heads = _read(rows, parse_block, advance)
    named = {"kind": source.kind, **source_facts}
    with stage("Joining rows by person", shown=progress):
        return joined_by_person(blocks, heads, named, data, layout, today, careers_in_a_partition)


def _parsed(
    parse: Callable[..., pa.Table], source_facts: dict[str, Any], rows: pa.Table, **arguments: Any
) -> pa.Table:
    """Parse a block. If it cannot be read, return a block that contains the error.

    The message of an unexpected error names the file or the source, and the line of code. The error is
    returned as data, because Ray does not keep the cause of an error that a mapped function raises.
    """
    try:
        return parse(rows, **arguments)
    except SourceError as error:
        return error_block(str(error))
    except Exception as error:  # noqa: BLE001 (an unexpected error may be of any kind)
        place = (rows.schema.metadata or {}).get(PLACE, source_name(source_facts).encode()).decode()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = " ".join(str(error).split())[:LONGEST_EXAMPLE]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return error_block(
            f"Cannot read {place}: {type(error).__name__}: {message} ({where}). trajtune did not "
            "foresee this: report it with this line and what `trajtune doctor` prints."
        )


def _read(
    rows: "Dataset", parse_block: Callable[[pa.Table], pa.Table], advance: Callable[[int], None]
) -> tuple[list[Any], list[Head]]:
    """Return references to the parsed blocks, and their heads. The blocks stay where they were parsed."""
    import ray

    parsed = rows.map_batches(
        parse_block, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, num_cpus=1
    )
    task = ray.remote(num_cpus=0)(head_of)
    blocks: list[Any] = []
    waiting: list[Any] = []
    heads: list[Head] = []
    try:
        for bundle in parsed.iter_internal_ref_bundles():
            for entry in bundle.blocks:
                advance(1)
                blocks.append(entry.ref)
                waiting.append(task.remote(entry.ref))
            done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=0) if waiting else ([], [])
            heads += _checked(ray.get(done))
        heads += _checked(ray.get(waiting))
    except ray.exceptions.RayError as error:
        raise _underlying_error(error) from None
    return blocks, heads


def _checked(heads: list[Head]) -> list[Head]:
    """Return the heads, or raise the error of the first block that could not be read."""
    for head in heads:
        if head.error is not None:
            raise SourceError(head.error)
    return heads


def _underlying_error(error: BaseException) -> BaseException:
    """Return the task's error if the user can fix it or if a retry helps; otherwise Ray's own error."""
    inner: BaseException | None = error
    while inner is not None:
        # Ray raises an error of both classes with a traceback as its text; `cause` is the original error.
        plain = getattr(inner, "cause", inner)
        for kind in (SourceError, SnapshotLostError):
            if isinstance(inner, kind):
                return kind(_without_retry_note(plain))
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error


def _without_retry_note(error: BaseException) -> str:
    """Return an error's message without Ray's note about retries and their settings."""
    return re.split(r"\s+Failed to [\w ]+ after \d+/\d+ attempts", str(error))[0]


def _notebook_bar(total: int | None) -> Callable[[int], None]:
    display, done = LiveDisplay(), [0]

    def advance(number: int) -> None:
        done[0] += number
        display.show(html_bar(done[0], total, _READING))

    advance(0)
    return advance


@contextmanager
def _progress_bar(progress: bool, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar in a terminal or a notebook, and yield the function that advances it."""
    if progress and is_notebook():
        yield _notebook_bar(total)
        return
    if not progress or not sys.stderr.isatty():
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    begun = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_READING, total=total)
        yield lambda number: bar.advance(task, number)
    stage_ended(_READING, time.monotonic() - begun)
