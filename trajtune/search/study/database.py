"""A study in a database: its URL comes from the environment, and a database that is down is waited for."""

import os
import sys
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
from tenacity import (
    RetryCallState,
    Retrying,
    retry,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from trajtune.errors import RunError

T = TypeVar("T")

WRITER_PATIENCE_S: Final = 180.0
"""How long a search waits for its database: a restart takes seconds, a move to another host minutes."""

READER_PATIENCE_S: Final = 10.0
"""How long a command waits that only reads."""

_CONNECT_TIMEOUT_S: Final = 10
_REFUSALS: Final = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
"""What PostgreSQL says where waiting does not help."""


@dataclass(frozen=True)
class Patience:
    """Repeats an operation until the database answers.

    Attributes:
        url_variable: The environment variable with its URL.
        seconds: How long to wait.
    """

    url_variable: str
    seconds: float

    def __call__(self, operation: Callable[[], T]) -> T:
        """The operation's result, as soon as the database gives one.

        Raises:
            RunError: If it gives none in time.
        """
        try:
            return retrying(_is_transient, self.seconds, self._print_once)(operation)
        except (StorageInternalError, DBAPIError) as error:
            reason = _reason(error)
            if reason is None:
                raise
            # Without the cause, which may quote the URL.
            raise RunError(
                f"The study's database ({self.url_variable}) cannot be used: {reason}. Fix it or the URL "
                f"(a search waits {WRITER_PATIENCE_S:g} s), then go on with `trajtune search --resume`."
            ) from None

    def _print_once(self, state: RetryCallState) -> None:
        if state.attempt_number == 1:
            print(
                f"The study's database ({self.url_variable}) does not answer; trying again for "
                f"{self.seconds:g} s.",
                file=sys.stderr,
                flush=True,
            )


def retrying(
    is_transient: Callable[[BaseException], bool],
    seconds: float,
    before_sleep: Callable[[RetryCallState], None],
) -> Retrying:
    """Repeat what fails transiently, less and less often, for ``seconds``; then raise its last error."""
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=0.2, max=5),
        before_sleep=before_sleep,
        reraise=True,
    )


def writer_patience(url_variable: str) -> Patience:
    """The patience of a search with the database at the URL in an environment variable."""
    return Patience(url_variable, WRITER_PATIENCE_S)


def reader_patience(url_variable: str) -> Patience:
    """The patience of a command that only reads."""
    return Patience(url_variable, READER_PATIENCE_S)


def database_storage(patience: Patience) -> RDBStorage:
    """Optuna's storage in the database that ``patience`` is for; its tables are made if missing.

    Raises:
        RunError: If the variable is not set, holds no URL, or the database does not answer.
    """
    with usable_url(patience.url_variable) as url:
        return patience(lambda: _make_storage(url))


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


@retry(
    retry=retry_if_exception_type((IntegrityError, ProgrammingError)),
    stop=stop_after_attempt(5),
    wait=wait_random(0, 0.2),
    reraise=True,
)
def _make_storage(url: str) -> RDBStorage:
    """Connect, and make Optuna's tables if missing; another process may make them at the same time."""
    return RDBStorage(url, engine_kwargs=engine_options(url))


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
