"""One process at a time searches in a run: the lease of one that lies in an object store.

No file there can be locked, so the lease stands in the database that holds the study. Its holder renews it
while it lives; who finds it not renewed for `EXPIRES_S` seconds, by the database's clock, takes it.
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
from trajtune.search.runs.lock import StillHeld
from trajtune.search.study.database import (
    READER_PATIENCE_S,
    WRITER_PATIENCE_S,
    Patience,
    engine_options,
    usable_url,
)

EXPIRES_S: Final = 15.0
"""How long a lease outlives its holder."""

_RENEWED_EVERY_S: Final = 3.0
_ASKED_EVERY_S: Final = 0.5

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
        run: What is leased; the same for all who write into it.
    """

    def __init__(self, url_variable: str, run: str) -> None:
        self._url_variable, self._run = url_variable, run
        # Readable for whoever looks into the table, and of this attempt alone.
        self._holder = f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(4)}"
        self._lost = False

    def is_held(self) -> bool:
        """Whether somebody has renewed it lately; true for some seconds after its holder was killed."""
        with self._engine() as engine:
            found = Patience(self._url_variable, READER_PATIENCE_S)(lambda: self._read(engine))
        return found is not None and found.age_s <= EXPIRES_S

    @contextmanager
    def hold(self) -> Iterator[StillHeld]:
        """Hold it for the block; what the block gets raises once another has taken the lease over.

        Raises:
            RunError: If another process holds it, or the database does not answer.
        """
        patience = Patience(self._url_variable, WRITER_PATIENCE_S)
        with self._engine() as engine:
            patience(lambda: _create(engine))
            self._wait(engine, patience)
            ended = threading.Event()
            renewing = threading.Thread(target=self._renew, args=(engine, ended), daemon=True)
            renewing.start()
            try:
                yield self._still_held
            finally:
                ended.set()
                renewing.join()
                mine = (_TABLE.c.run == self._run) & (_TABLE.c.holder == self._holder)
                with suppress(RunError):  # it expires by itself
                    Patience(self._url_variable, READER_PATIENCE_S)(
                        lambda: _write(engine, sql.delete(_TABLE).where(mine))
                    )

    def _wait(self, engine: sql.Engine, patience: Patience) -> None:
        """Take the lease; wait for it as long as nobody renews it."""
        first = None
        while (found := patience(lambda: self._take(engine))) is not None:
            if first is None:
                first = found
                print(
                    f"{self._run} was searched a moment ago by {found.holder}; waiting up to {EXPIRES_S:g} s "
                    "to see whether it still is.",
                    file=sys.stderr,
                    flush=True,
                )
            if (found.holder, found.renewals) != (first.holder, first.renewals):
                raise RunError(
                    f"Another process searches in {self._run}: {found.holder}. Wait for it, or stop it with "
                    "Ctrl-C there."
                )
            time.sleep(_ASKED_EVERY_S)

    def _take(self, engine: sql.Engine) -> "_Found | None":
        """Make the lease ours, if it is nobody's or was not renewed; gives whose it is otherwise."""
        values = {"holder": self._holder, "renewals": 0, "renewed": _NOW}
        found = self._read(engine)
        if found is None:
            with suppress(IntegrityError):  # another may be quicker
                _write(engine, sql.insert(_TABLE).values(run=self._run, **values))
        elif found.age_s > EXPIRES_S:
            unchanged = (_TABLE.c.holder == found.holder) & (_TABLE.c.renewals == found.renewals)
            statement = sql.update(_TABLE).where((_TABLE.c.run == self._run) & unchanged)
            _write(engine, statement.values(**values))
        # An answer may have got lost on the way, so what counts is what stands there now.
        found = self._read(engine) or _Found("another process", 0, 0.0)
        return None if found.holder == self._holder else found

    def _renew(self, engine: sql.Engine, ended: threading.Event) -> None:
        mine = (_TABLE.c.run == self._run) & (_TABLE.c.holder == self._holder)
        renewal = sql.update(_TABLE).where(mine).values(renewals=_TABLE.c.renewals + 1, renewed=_NOW)
        while not ended.wait(_RENEWED_EVERY_S):
            try:
                self._lost = _write(engine, renewal) == 0
            except SQLAlchemyError:
                continue  # the database is away: nobody else can take the lease meanwhile
            if self._lost:
                return

    def _still_held(self) -> None:
        if self._lost:
            raise RunError(
                f"Another process has taken {self._run} over, because this one did not renew its lease for "
                f"{EXPIRES_S:g} s. This one ends; what it wrote stays, and nothing is lost."
            )

    def _read(self, engine: sql.Engine) -> "_Found | None":
        with engine.connect() as connection:
            if not sql.inspect(connection).has_table(_TABLE.name):
                return None
            row = connection.execute(
                sql.select(_TABLE.c.holder, _TABLE.c.renewals, _TABLE.c.renewed, _NOW).where(
                    _TABLE.c.run == self._run
                )
            ).first()
        return None if row is None else _Found(row[0], row[1], (row[3] - row[2]).total_seconds())

    @contextmanager
    def _engine(self) -> Iterator[sql.Engine]:
        with usable_url(self._url_variable) as url:
            engine = sql.create_engine(url, **engine_options(url))
        try:
            yield engine
        finally:
            engine.dispose()


class _Found(NamedTuple):
    """A lease as it stands in the database."""

    holder: str
    renewals: int
    age_s: float


def _create(engine: sql.Engine) -> None:
    """Make the table; of two who do so at once, PostgreSQL lets one fail."""
    try:
        _TABLE.metadata.create_all(engine)
    except (IntegrityError, ProgrammingError):
        if not sql.inspect(engine).has_table(_TABLE.name):
            raise


def _write(engine: sql.Engine, statement: sql.Executable) -> int:
    """Rows that were changed."""
    with engine.begin() as connection:
        return int(connection.execute(statement).rowcount)
