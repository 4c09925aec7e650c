"""A study in a database. Its URL comes from the environment; operations retry while the database is down."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    PendingRollbackError,
    ProgrammingError,
)

from trajtune.errors import RunError
from trajtune.storage.database_url import FORM, connection_reason, is_lasting, url_fault
from trajtune.storage.retry import retrying

T = TypeVar("T")

WRITER_WAIT_S: Final = 180.0
"""Seconds that a search waits for its database; a restart takes seconds, a move to another host minutes."""

READER_WAIT_S: Final = 10.0
"""Seconds that a command waits if it only reads."""

_CONNECT_TIMEOUT_S: Final = 10
_PRIVILEGES: Final = ("42501", "25006", "3F000")
"""SQLSTATE codes if the user may not create or change tables: no privilege, read only, no schema."""


@dataclass(frozen=True)
class DatabaseRetries:
    """Repeats an operation until the database answers.

    Attributes:
        url_variable: The environment variable with its URL.
        seconds: Time limit of the retries, in seconds.
    """

    url_variable: str
    seconds: float

    def __call__(self, operation: Callable[[], T]) -> T:
        """Return the operation's result, retrying until the database answers.

        Raises:
            RunError: If the database does not answer in time.
        """
        url = os.environ.get(self.url_variable, "")
        try:
            return retrying(
                operation,
                lambda error: _is_transient(error, url),
                seconds=self.seconds,
                service=f"The study's database ({self.url_variable})",
            )
        except (StorageInternalError, DBAPIError) as error:
            if (refusal := _missing_privilege(error)) is not None:
                raise RunError(
                    f"The study's database ({self.url_variable}) does not let this user create tables: "
                    f"{refusal}. GRANT CREATE and USAGE on the schema to the user, or give another user."
                ) from None
            reason = _reason(error, url)
            if reason is None:
                raise
            # The cause is left out, because it may quote the URL.
            raise RunError(
                f"The study's database ({self.url_variable}) cannot be used: {reason}. Fix it or the URL "
                f"(a search waits {WRITER_WAIT_S:g} s), then continue with `trajtune search --resume`."
            ) from None


def writer_retries(url_variable: str) -> DatabaseRetries:
    """Return the retries of a search, whose database URL is in the environment variable."""
    return DatabaseRetries(url_variable, WRITER_WAIT_S)


def reader_retries(url_variable: str) -> DatabaseRetries:
    """Return the retries of a command that only reads."""
    return DatabaseRetries(url_variable, READER_WAIT_S)


def database_storage(retries: DatabaseRetries) -> RDBStorage:
    """Return Optuna's storage in the database of ``retries``; missing tables are created.

    Raises:
        RunError: If the variable is not set or contains no URL, or if the database does not answer.
    """
    with usable_url(retries.url_variable) as url:
        return retries(lambda: _make_storage(url))


@contextmanager
def usable_url(url_variable: str) -> Iterator[str]:
    """Provide the URL in an environment variable, in SQLAlchemy's form.

    Raises:
        RunError: If the variable is not set, or if SQLAlchemy refuses the URL in the block.
    """
    url = os.environ.get(url_variable, "").strip()
    if not url:
        raise RunError(
            f"The study is in a database, but {url_variable} is not set. Set it to the database's URL, "
            "or put it in .env."
        )
    if (fault := url_fault(url)) is not None:
        raise RunError(f"{url_variable} {fault}.")
    if url.startswith(("postgres://", "postgresql://")):
        url = f"postgresql+psycopg2://{url.partition('://')[2]}"
    try:
        yield url
    except (ArgumentError, NoSuchModuleError, ImportError):
        # The cause may quote the URL with its password.
        raise RunError(
            f"{url_variable} is not the URL of a database that can be used here. Write it as {FORM}."
        ) from None


def engine_options(url: str) -> dict[str, Any]:
    """Return options of SQLAlchemy's engine: dead connections are detected, and connecting has a timeout."""
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("postgresql"):
        options["connect_args"] = {"connect_timeout": _CONNECT_TIMEOUT_S}
    return options


def _make_storage(url: str) -> RDBStorage:
    """Connect and create missing Optuna tables; another process may create them at the same time."""
    return retrying(
        lambda: RDBStorage(url, engine_kwargs=engine_options(url)),
        lambda error: (
            isinstance(error, IntegrityError | ProgrammingError) and _missing_privilege(error) is None
        ),
        attempts=5,
    )


def _is_transient(error: BaseException, url: str) -> bool:
    """Return whether a retry may help: the database did not answer, but did not refuse either."""
    reason = _reason(error, url)
    return reason is not None and _missing_privilege(error) is None and not is_lasting(reason)


def _missing_privilege(error: BaseException) -> str | None:
    """Return the server's message if the user lacks a privilege, else None."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    original = cause.orig if isinstance(cause, DBAPIError) else None
    if getattr(original, "pgcode", None) not in _PRIVILEGES:
        return None
    return str(getattr(original, "diag").message_primary)  # noqa: B009 (psycopg2's alone)


def _reason(error: BaseException, url: str) -> str | None:
    """Return the database's message about why it cannot be used, or None if the error has another cause."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    if isinstance(cause, PendingRollbackError):
        # If reading all trials fails, Optuna tries another query on the same dead connection.
        return "the connection was cut in the middle of an answer"
    if not isinstance(cause, DBAPIError):
        return None
    if not cause.connection_invalidated and not isinstance(cause, OperationalError | InterfaceError):
        return None
    return connection_reason(str(cause.orig), url)
