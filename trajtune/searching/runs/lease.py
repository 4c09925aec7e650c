"""The lease of a run in an object store: only one process at a time searches in a run.

Files in an object store cannot be locked, so the lease is a row in the database that contains the study. Its
holder renews it. It expires `EXPIRES_S` seconds after the last renewal, by the database's clock. Then another
process may take it.
"""

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from trajtune.errors import RunError
from trajtune.searching.runs.lock import StillHeld
from trajtune.searching.study.database import (
    READER_WAIT_S,
    WRITER_WAIT_S,
    DatabaseRetries,
    engine_options,
    usable_url,
)

EXPIRES_S: Final = 15.0
"""Seconds after which the lease of a killed holder expires."""

_RENEWAL_INTERVAL_S: Final = 3.0
_POLL_INTERVAL_S: Final = 0.5

_TABLE: Final = sql.Table(
    "trajtune_leases",
    sql.MetaData(),
    sql.Column("run", sql.String(512), primary_key=True),
    sql.Column("holder", sql.String(200), nullable=False),
    sql.Column("renewals", sql.Integer, nullable=False),
    sql.Column("renewed", sql.DateTime(timezone=True), nullable=False),
)
_NOW: Final = sql.func.now(type_=sql.DateTime(timezone=True))


class Lease:
    """The right to write into a run.

    Args:
        url_variable: The environment variable with the database's URL.
        run: Path or URI of the run; it must be the same text for every process that writes to the run.
    """

    def __init__(self, url_variable: str, run: str) -> None:
        self._url_variable, self._run = url_variable, run
        # Readable in the table, and unique for this attempt.
        self._holder = f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(4)}"
        self._lost = False

    def is_held(self) -> bool:
        """Return whether the lease is valid; true for some seconds after its holder was killed."""
        with self._engine() as engine:
            row = DatabaseRetries(self._url_variable, READER_WAIT_S)(lambda: self._read(engine))
        return row is not None and row.age_s <= EXPIRES_S

    @contextmanager
    def hold(self) -> Iterator[StillHeld]:
        """Hold the lease while the block runs.

        Yields:
            A check that raises `RunError` once another process has taken the lease.

        Raises:
            RunError: If another process holds the lease, or if the database does not answer.
        """
        retries = DatabaseRetries(self._url_variable, WRITER_WAIT_S)
        with self._engine() as engine:
            retries(lambda: _create(engine))
            self._acquire(engine, retries)
            ended = threading.Event()
            renewing = threading.Thread(target=self._renew, args=(engine, ended), daemon=True)
            renewing.start()
            try:
                yield self._still_held
            finally:
                ended.set()
                renewing.join()
                mine = (_TABLE.c.run == self._run) & (_TABLE.c.holder == self._holder)
                with suppress(RunError):  # otherwise the lease expires by itself
                    DatabaseRetries(self._url_variable, READER_WAIT_S)(
                        lambda: _write(engine, sql.delete(_TABLE).where(mine))
                    )

    def _acquire(self, engine: sql.Engine, retries: DatabaseRetries) -> None:
        """Take the lease, at the latest when it expires; raise if its holder renews it."""
        first = None
        while (other := retries(lambda: self._try_take(engine))) is not None:
            if first is None:
                first = other
                print(
                    f"{other.holder} held {self._run} a moment ago. Waiting up to {EXPIRES_S:g} s to see "
                    "whether it is still searching.",
                    file=sys.stderr,
                    flush=True,
                )
            if (other.holder, other.renewals) != (first.holder, first.renewals):
                raise RunError(
                    f"Another process searches in {self._run}: {other.holder}. Wait until it ends, or "
                    "stop it with Ctrl-C."
                )
            time.sleep(_POLL_INTERVAL_S)

    def _try_take(self, engine: sql.Engine) -> "_LeaseRow | None":
        """Take the lease if it is free or has expired; otherwise return the row of its holder."""
        values = {"holder": self._holder, "renewals": 0, "renewed": _NOW}
        row = self._read(engine)
        if row is None:
            with suppress(IntegrityError):  # another process may be faster
                _write(engine, sql.insert(_TABLE).values(run=self._run, **values))
        elif row.age_s > EXPIRES_S:
            unchanged = (_TABLE.c.holder == row.holder) & (_TABLE.c.renewals == row.renewals)
            statement = sql.update(_TABLE).where((_TABLE.c.run == self._run) & unchanged)
            _write(engine, statement.values(**values))
        # The reply to the write may be lost, so the row decides.
        row = self._read(engine) or _LeaseRow("another process", 0, 0.0)
        return None if row.holder == self._holder else row

    def _renew(self, engine: sql.Engine, ended: threading.Event) -> None:
        mine = (_TABLE.c.run == self._run) & (_TABLE.c.holder == self._holder)
        renewal = sql.update(_TABLE).where(mine).values(renewals=_TABLE.c.renewals + 1, renewed=_NOW)
        while not ended.wait(_RENEWAL_INTERVAL_S):
            try:
                self._lost = _write(engine, renewal) == 0
            except SQLAlchemyError:
                continue  # while the database does not answer, no other process can take the lease
            if self._lost:
                return

    def _still_held(self) -> None:
        if self._lost:
            raise RunError(
                f"Another process has taken over {self._run}, because this one did not renew its lease for "
                f"{EXPIRES_S:g} s. This process stops. All recorded results are kept."
            )

    def _read(self, engine: sql.Engine) -> "_LeaseRow | None":
        with engine.connect() as connection:
            if not sql.inspect(connection).has_table(_TABLE.name):
                return None
            row = connection.execute(
                sql.select(_TABLE.c.holder, _TABLE.c.renewals, _TABLE.c.renewed, _NOW).where(
                    _TABLE.c.run == self._run
                )
            ).first()
        return None if row is None else _LeaseRow(row[0], row[1], (row[3] - row[2]).total_seconds())

    @contextmanager
    def _engine(self) -> Iterator[sql.Engine]:
        with usable_url(self._url_variable) as url:
            engine = sql.create_engine(url, **engine_options(url))
        try:
            yield engine
        finally:
            engine.dispose()


class _LeaseRow(NamedTuple):
    """A row of the lease table."""

    holder: str
    renewals: int
    age_s: float


def _create(engine: sql.Engine) -> None:
    """Create the table; if two processes do so at once, one of them gets an error from PostgreSQL."""
    try:
        _TABLE.metadata.create_all(engine)
    except (IntegrityError, ProgrammingError):
        if not sql.inspect(engine).has_table(_TABLE.name):
            raise


def _write(engine: sql.Engine, statement: sql.Executable) -> int:
    """Execute a statement and return the number of rows that it changed."""
    with engine.begin() as connection:
        return int(connection.execute(statement).rowcount)
