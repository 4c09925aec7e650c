"""Read careers from any source: Ray Data reads and parses blocks in parallel, and they are joined here."""

import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import career_part, join_parts, unpack
from trajtune.careers.reasons import REMEDIES, Reason
from trajtune.careers.role_rows import join_roles, role_block
from trajtune.careers.role_validation import EPOCH, last_day
from trajtune.careers.schema import LoadedCareers
from trajtune.careers.sources.read_file import PLACE
from trajtune.cluster import ray_data_for_reading, ray_session
from trajtune.errors import SnapshotLostError, SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import (
    FileSource,
    JsonHistory,
    Layout,
    PostgresSource,
    RoleRows,
    SimulatedSource,
)
from trajtune.notebook import LiveDisplay, html_bar, is_notebook
from trajtune.storage.retry import retrying

if TYPE_CHECKING:
    from ray.data import Dataset

URL_VARIABLE: Final = "POSTGRES_URL"
_ATTEMPTS: Final = 3
_LONGEST_EXAMPLE: Final = 120
_ERROR: Final = "error"


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
    if isinstance(data.as_of, date) and data.as_of > date.today():
        raise SourceError(
            f"`data.as_of` must not lie in the future, but is {data.as_of}, and today is {date.today()}. "
            "Write the day on which the data was exported, or auto."
        )
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
        with open_postgres(source, data.hireable_key, url, data.timezone) as (rows, plan):
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
            parse_block = partial(
                _parsed, career_part, source_facts, layout=layout, settings=data, today=today
            )
            parts = [part for block in _blocks(rows, parse_block, advance) for part in unpack(block)]
            part = join_parts(parts, data.merge_repeats)
        else:
            parse_block = partial(
                _parsed, role_block, source_facts, layout=layout, settings=data, today=today
            )
            part = join_roles(list(_blocks(rows, parse_block, advance)), data, layout)
    limit = last_day(data, today)
    return _checked_and_sorted(part, {"kind": source.kind, **source_facts}, data, limit, layout)


def _parsed(
    parse: Callable[..., pa.Table], source_facts: dict[str, Any], rows: pa.Table, **arguments: Any
) -> pa.Table:
    """Parse a block, or give a table with the column `_ERROR`.

    An error that nobody foresaw names the file, or the source, and the line of code. It travels as data,
    because Ray does not keep the cause of an error in a function of ours.
    """
    try:
        return parse(rows, **arguments)
    except SourceError as error:
        return pa.table({_ERROR: [str(error)]})
    except Exception as error:  # noqa: BLE001 (nobody foresaw it, so it may be of any kind)
        place = (rows.schema.metadata or {}).get(PLACE, _source_name(source_facts).encode()).decode()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = " ".join(str(error).split())[:_LONGEST_EXAMPLE]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        return pa.table(
            {
                _ERROR: [
                    f"Cannot read {place}: {type(error).__name__}: {message} ({where}). trajtune did not "
                    "foresee this: report it with this line and what `trajtune doctor` prints."
                ]
            }
        )


def _blocks(
    rows: "Dataset",
    parse_block: Callable[[pa.Table], pa.Table],
    advance: Callable[[int], None],
) -> Iterator[pa.Table]:
    """The result of ``parse_block`` for each block, as it arrives."""
    import ray

    parsed = rows.map_batches(
        parse_block, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, num_cpus=1
    )
    try:
        for block in parsed.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            advance(1)
            if block.column_names == [_ERROR]:
                raise SourceError(block[_ERROR][0].as_py())
            yield block
    except ray.exceptions.RayError as error:
        raise _underlying_error(error) from None


def _underlying_error(error: BaseException) -> BaseException:
    """The error that a Ray task raised, if it can be fixed or reading again helps; else Ray's own error."""
    inner: BaseException | None = error
    while inner is not None:
        # Ray raises an error of both classes whose text is a traceback; `cause` is the original error.
        plain = getattr(inner, "cause", inner)
        for kind in (SourceError, SnapshotLostError):
            if isinstance(inner, kind):
                return kind(_without_retry_note(plain))
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error


def _without_retry_note(error: BaseException) -> str:
    """An error's message without what Ray adds about its retries and their settings."""
    return re.split(r"\s+Failed to [\w ]+ after \d+/\d+ attempts", str(error))[0]


def _checked_and_sorted(
    part: Part, source: dict[str, Any], data: DataSettings, limit: date, layout: Layout = RoleRows()
) -> LoadedCareers:
    counts = part.counts
    assert counts["rows_in"] == sum(counts[f"rows_{fate}"] for fate in ("kept", "quarantined", "duplicate"))
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"]
    if not counts["rows_in"]:
        raise SourceError(f"{_source_name(source)} holds no row. Name another source.")
    _refuse_if_no_history_is_found(part, source, layout)
    _refuse_if_too_many_faults(part, source, data)
    _warn(counts)
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
    details = "; ".join(filter(None, (_example(part.quarantine, reason) for reason, _ in most_frequent)))
    rule = f"more than `data.max_quarantine_fraction` {data.max_quarantine_fraction:.0%} allows"
    raise SourceError(
        f"{_source_name(source)}: {share:.0%} of {rows_in:,} rows are at fault, {rule}, and "
        f"{part.counts['careers']:,} careers are left; the commonest reasons are {reasons}. "
        f"{details}{'. ' if details else ''}See docs/reference/careers.md and fix the source."
    )


def _example(quarantine: pa.Table, reason: str) -> str:
    """A value that is at fault for a reason, and the setting that may help."""
    entries = quarantine.filter(pc.equal(quarantine["reason"], reason))
    of_roles = entries.filter(pc.equal(entries["level"], "role"))  # a career's own detail may be a number
    example = pc.min((of_roles if len(of_roles) else entries)["detail"]).as_py()
    shown = " ".join((example or "").split())[:_LONGEST_EXAMPLE]
    remedy = REMEDIES.get(Reason[reason.upper()])
    words = [f"for example `{shown}`"] if shown else []
    words += [f"see {remedy}"] if remedy else []
    return f"{reason}: {', '.join(words)}" if words else ""


def _refuse_if_no_history_is_found(part: Part, source: dict[str, Any], layout: Layout) -> None:
    """Raise if no row has anything under ``history_key``."""
    counts = part.counts
    if not isinstance(layout, JsonHistory) or layout.history_key is None or counts["careers"]:
        return
    if not counts["histories_absent"] or counts["roles_in"]:
        return
    found = [detail for detail in part.quarantine["detail"].to_pylist() if ", but the keys " in detail]
    raise SourceError(
        f"{_source_name(source)}: no row holds `{layout.history_column}.{layout.history_key}`; most rows "
        f"have {Counter(found).most_common(1)[0][0]}. Fix `source.layout.history_key`."
    )


def _warn(counts: Mapping[str, int]) -> None:
    """Say on stderr what was read otherwise than it was perhaps meant."""
    if number := counts.get("lines_swallowed", 0):
        print(
            f"WARNING: {number:,} lines of CSV lie within a field of another row, which is in quarantine: a "
            "closing quote may be missing there.",
            file=sys.stderr,
        )
    if number := counts.get("currents_unreadable", 0):
        print(
            f"WARNING: {number:,} roles have a word for still held that is neither yes nor no: ignored.",
            file=sys.stderr,
        )


def _source_name(source: dict[str, Any]) -> str:
    return (
        "The query" if "query" in source else str(source.get("table") or source.get("path") or source["kind"])
    )


def _notebook_bar(total: int | None) -> Callable[[int], None]:
    display, done = LiveDisplay(), [0]

    def advance(number: int) -> None:
        done[0] += number
        display.show(html_bar(done[0], total, "Reading careers"))

    advance(0)
    return advance


@contextmanager
def _progress_bar(progress: bool, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yields the function that advances it."""
    if progress and is_notebook():
        yield _notebook_bar(total)
        return
    if not progress or not sys.stderr.isatty():
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading careers", total=total)
        yield lambda number: bar.advance(task, number)
