"""Read careers from any source: Ray Data reads and parses blocks in parallel, and they are joined here."""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import career_part, join_parts, unpack
from trajtune.careers.reasons import Reason
from trajtune.careers.role_rows import join_roles, role_block
from trajtune.careers.role_validation import EPOCH, last_day
from trajtune.careers.schema import LoadedCareers
from trajtune.cluster import ray_data_for_reading, ray_session
from trajtune.errors import SnapshotLostError, SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import FileSource, JsonHistory, PostgresSource, SimulatedSource
from trajtune.storage.object_store import explain
from trajtune.storage.retry import retrying

if TYPE_CHECKING:
    from ray.data import Dataset

URL_VARIABLE: Final = "POSTGRES_URL"
_ATTEMPTS: Final = 3


def load_career_sequences(
    source: PostgresSource | FileSource | SimulatedSource,
    data: DataSettings,
    *,
    url: str | None = None,
    progress: bool = False,
) -> LoadedCareers:
    """Read every career of a source; the order of its rows changes nothing.

    Args:
        source: Where the careers are.
        data: How rows become careers.
        url: The database; None: the environment's POSTGRES_URL. Ignored for files and simulated careers.
        progress: Show a progress bar on stderr if it is a terminal.

    Returns:
        The careers, what was left out with its reasons, and counts that balance.

    Raises:
        SourceError: If there is nothing to read, or too large a share of it cannot be used.
    """
    with ray_session(), ray_data_for_reading():
        if isinstance(source, FileSource):
            from trajtune.careers.sources.files import open_files

            rows = open_files(source, data.hireable_key)
            return _load(rows, source, data, {"path": source.path}, None, progress)
        if isinstance(source, SimulatedSource):
            from trajtune.careers.sources.embedded_postgres import embedded_postgres
            from trajtune.simulation.write_careers import simulated_table

            with embedded_postgres() as embedded:
                name = simulated_table(embedded, source.careers, source.seed, source.process)
                table, source_facts = PostgresSource(table=name), source.model_dump(mode="json")
                return _load_postgres(table, data, embedded, source_facts, progress)
        url = url or os.environ.get(URL_VARIABLE)
        if not url:
            raise SourceError(
                f"{URL_VARIABLE} is not set, so no database can be read. Set it, or use `kind: simulated`."
            )
        source_facts = {"query": source.query} if source.query is not None else {"table": source.table}
        return _load_postgres(source, data, url, source_facts, progress)


def _load_postgres(
    source: PostgresSource, data: DataSettings, url: str, source_facts: dict[str, Any], progress: bool
) -> LoadedCareers:
    import ray

    from trajtune.careers.sources.postgres.datasource import open_postgres

    def load() -> LoadedCareers:
        with open_postgres(source, data.hireable_key, url) as (rows, plan):
            if plan.note:
                print(f"Note: {plan.note}", file=sys.stderr)
            dataset = ray.data.read_datasource(rows, override_num_blocks=len(plan.ranges))
            loaded = _load(dataset, source, data, source_facts, len(plan.ranges), progress)
            plan.check(loaded.counts["rows_in"])
            return loaded

    # Without the connection that holds the snapshot, reading must begin again from the start.
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
) -> LoadedCareers:
    today = date.today()
    layout = source.layout
    with _progress_bar(progress, num_blocks) as advance:
        if isinstance(layout, JsonHistory):
            parse_block = partial(career_part, layout=layout, settings=data, today=today)
            parts = [part for block in _blocks(rows, parse_block, advance, source) for part in unpack(block)]
            part = join_parts(parts, data.merge_repeats)
        else:
            parse_block = partial(role_block, layout=layout, settings=data, today=today)
            part = join_roles(list(_blocks(rows, parse_block, advance, source)), data, layout)
    return _checked_and_sorted(part, {"kind": source.kind, **source_facts}, data, last_day(data, today))


def _blocks(
    rows: "Dataset",
    parse_block: Callable[[pa.Table], pa.Table],
    advance: Callable[[int], None],
    source: PostgresSource | FileSource,
) -> Iterator[pa.Table]:
    """The result of ``parse_block`` for each block, as it arrives."""
    import ray

    parsed = rows.map_batches(
        parse_block, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, num_cpus=1
    )
    try:
        for block in parsed.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            advance(1)
            yield block
    except ray.exceptions.RayError as error:
        raise _underlying_error(error, source) from None


def _underlying_error(error: BaseException, source: PostgresSource | FileSource) -> BaseException:
    """The error that a Ray task raised, if it can be fixed or reading again helps; else Ray's own error."""
    from ray.exceptions import UserCodeException

    inner: BaseException | None = error
    while inner is not None:
        # Ray raises an error of both classes whose text is a traceback; `cause` is the original error.
        plain = getattr(inner, "cause", inner)
        for kind in (SourceError, SnapshotLostError):
            if isinstance(inner, kind):
                return kind(_without_retry_note(plain))
        in_a_reader = isinstance(inner, ValueError | OSError) and not isinstance(inner, UserCodeException)
        if isinstance(source, FileSource) and in_a_reader:
            return SourceError(f"Cannot read {source.path} as {source.kind}: {_file_error(plain)}.")
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error


def _without_retry_note(error: BaseException) -> str:
    """An error's message without what Ray adds about its retries and their settings."""
    return re.split(r"\s+Failed to [\w ]+ after \d+/\d+ attempts", str(error))[0]


def _file_error(error: BaseException) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8. Write it as UTF-8"
    if match := re.search(r"Failed to read CSV file: (.*?)\. Please check", str(error)):
        return f"{match[1]} is not UTF-8, or has lines of different numbers of columns. Fix that file"
    return explain(_without_retry_note(error))


def _checked_and_sorted(part: Part, source: dict[str, Any], data: DataSettings, limit: date) -> LoadedCareers:
    counts = part.counts
    assert counts["rows_in"] == sum(counts[f"rows_{fate}"] for fate in ("kept", "quarantined", "duplicate"))
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"]
    if not counts["rows_in"]:
        raise SourceError(f"{_source_name(source)} holds no row. Name another source.")
    _refuse_if_too_many_faults(part, source, data)
    if data.hireable_key is not None and not counts["labels_known"]:
        raise SourceError(
            f"No career has a label under `{data.hireable_key}`. Fix `data.hireable_key`, or leave it out."
        )
    by_id = part.careers.sort_by("candidate_id")
    quarantine = part.quarantine.sort_by([(name, "ascending") for name in part.quarantine.column_names])
    latest = EPOCH + timedelta(days=part.latest or 0)
    as_of = data.as_of if isinstance(data.as_of, date) else min(latest, limit)
    return LoadedCareers(by_id.combine_chunks(), quarantine.combine_chunks(), counts, source, as_of)


def _refuse_if_too_many_faults(part: Part, source: dict[str, Any], data: DataSettings) -> None:
    """Raise if too many rows are at fault; `Reason.TOO_FEW_ROLES` is no fault, so it does not count."""
    num_rows = Counter[str]()
    for reason, number in zip(
        *(part.quarantine[name].to_pylist() for name in ("reason", "num_rows")), strict=True
    ):
        num_rows[reason] += number
    rows_in = part.counts["rows_in"]
    share = (sum(num_rows.values()) - num_rows[Reason.TOO_FEW_ROLES.code]) / rows_in
    if share <= data.max_quarantine_fraction and part.counts["careers"]:
        return
    most_frequent = sorted(num_rows.items(), key=lambda item: (-item[1], item[0]))[:3]
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in most_frequent)
    rule = f"more than `data.max_quarantine_fraction` {data.max_quarantine_fraction:.0%} allows"
    raise SourceError(
        f"{_source_name(source)}: {share:.0%} of {rows_in:,} rows are at fault, {rule}, and "
        f"{part.counts['careers']:,} careers are left; the commonest reasons are {reasons}. "
        "See docs/reference/careers.md and fix the source."
    )


def _source_name(source: dict[str, Any]) -> str:
    return (
        "The query" if "query" in source else str(source.get("table") or source.get("path") or source["kind"])
    )


@contextmanager
def _progress_bar(progress: bool, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yields the function that advances it."""
    if not progress or not sys.stderr.isatty():
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading careers", total=total)
        yield lambda number: bar.advance(task, number)
