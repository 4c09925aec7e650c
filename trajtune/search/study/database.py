"""A study in a database: its URL comes from the environment, and a database that is down is waited for."""

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
from trajtune.storage.retry import retrying

T = TypeVar("T")

WRITER_WAIT_S: Final = 180.0
"""How long a search waits for its database: a restart takes seconds, a move to another host minutes."""

READER_WAIT_S: Final = 10.0
"""How long a command waits that only reads."""

_CONNECT_TIMEOUT_S: Final = 10
_REFUSALS: Final = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
"""What PostgreSQL says where waiting does not help."""


@dataclass(frozen=True)
class DatabaseRetries:
    """Repeats an operation until the database answers.

    Attributes:
        url_variable: The environment variable with its URL.
        seconds: How long to try.
    """

    url_variable: str
    seconds: float

    def __call__(self, operation: Callable[[], T]) -> T:
        """The operation's result, as soon as the database gives one.

        Raises:
            RunError: If it gives none in time.
        """
        try:
            return retrying(
                operation,
                _is_transient,
                seconds=self.seconds,
                service=f"The study's database ({self.url_variable})",
            )
        except (StorageInternalError, DBAPIError) as error:
            reason = _reason(error)
            if reason is None:
                raise
            # Without the cause, which may quote the URL.
            raise RunError(
                f"The study's database ({self.url_variable}) cannot be used: {reason}. Fix it or the URL "
                f"(a search waits {WRITER_WAIT_S:g} s), then go on with `trajtune search --resume`."
            ) from None


def writer_retries(url_variable: str) -> DatabaseRetries:
    """The retries of a search with the database at the URL in an environment variable."""
    return DatabaseRetries(url_variable, WRITER_WAIT_S)


def reader_retries(url_variable: str) -> DatabaseRetries:
    """The retries of a command that only reads."""
    return DatabaseRetries(url_variable, READER_WAIT_S)


def database_storage(retries: DatabaseRetries) -> RDBStorage:
    """Optuna's storage in the database that ``retries`` is for; its tables are made if missing.

    Raises:
        RunError: If the variable is not set, holds no URL, or the database does not answer.
    """
    with usable_url(retries.url_variable) as url:
        return retries(lambda: _make_storage(url))


@contextmanager
def usable_url(url_variable: str) -> Iterator[str]:
    """The URL in an environment variable, as SQLAlchemy takes it.

    Raises:
        RunError: If the variable is not set, or SQLAlchemy refuses the URL in the block.
    """
    url = os.environ.get(url_variable)
    if not url:
        raise RunError(
            f"The study is in a database, but {url_variable} is not set. Set it to the database's URL, "
            "or put it in .env."
        )
    if url.startswith(("postgres://", "postgresql://")):
        url = f"postgresql+psycopg2://{url.partition('://')[2]}"
    try:
        yield url
    except (ArgumentError, NoSuchModuleError, ImportError):
        # The cause may quote the URL with its password.
        raise RunError(
            f"{url_variable} is not the URL of a database that can be used here. Write it as "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None


def engine_options(url: str) -> dict[str, Any]:
    """Options of SQLAlchemy's engine: dead connections are noticed, and connecting does not wait for ever."""
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("postgresql"):
        options["connect_args"] = {"connect_timeout": _CONNECT_TIMEOUT_S}
    return options


def _make_storage(url: str) -> RDBStorage:
    """Connect, and make Optuna's tables if missing; another process may make them at the same time."""
    return retrying(
        lambda: RDBStorage(url, engine_kwargs=engine_options(url)),
        lambda error: isinstance(error, IntegrityError | ProgrammingError),
        attempts=5,
    )


def _is_transient(error: BaseException) -> bool:
    """Whether the database did not answer; a refusal will be the same again."""
    reason = _reason(error)
    return reason is not None and not any(refusal in reason for refusal in _REFUSALS)


def _reason(error: BaseException) -> str | None:
    """Why a database cannot be used, in its words; None if the error has another cause."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    if isinstance(cause, PendingRollbackError):
        # If reading all trials fails, Optuna reads them another way, on the same dead connection.
        return "the connection was cut in the middle of an answer"
    if not isinstance(cause, DBAPIError):
        return None
    if not cause.connection_invalidated and not isinstance(cause, OperationalError | InterfaceError):
        return None
    return next(iter(str(cause.orig).strip().splitlines()), type(cause.orig).__name__)
