"""A study in a database: its URL comes from the environment, and a database that is away is waited for."""

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
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
"""How long somebody who only looks waits."""

_CONNECT_TIMEOUT_S: Final = 10
_REFUSALS: Final = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
"""What PostgreSQL says where waiting does not help."""

_METHODS: Final = (
    "_create_new_trial",
    "_get_best_trial_id",
    "_get_trials",
    "_set_trial_param",
    "create_new_study",
    "get_all_studies",
    "get_study_directions",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_system_attrs",
    "get_study_user_attrs",
    "get_trial",
    "get_trial_id_from_study_id_trial_number",
    "set_study_system_attr",
    "set_study_user_attr",
    "set_trial_intermediate_value",
    "set_trial_system_attr",
    "set_trial_user_attr",
)
"""All through which Optuna's cache reaches the database, except `set_trial_state_values`."""


def database_storage(url_variable: str, *, patience_s: float | None = None) -> "PatientStorage":
    """The storage at the URL in an environment variable.

    Args:
        url_variable: Its name.
        patience_s: How long each operation waits for the database; None: as a search does.

    Raises:
        RunError: If the variable is not set, is no URL, or the database does not answer.
    """
    with usable_url(url_variable) as url:
        return PatientStorage(url, Patience(url_variable, patience_s or WRITER_PATIENCE_S))


@contextmanager
def usable_url(url_variable: str) -> Iterator[str]:
    """The URL in an environment variable, as SQLAlchemy takes it; a block that cannot use it says so.

    Raises:
        RunError: If the variable is not set, or SQLAlchemy refuses it in the block.
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
    """How SQLAlchemy is to connect: what is dead is noticed, and who does not answer is given up."""
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("postgresql"):
        options["connect_args"] = {"connect_timeout": _CONNECT_TIMEOUT_S}
    return options


@dataclass(frozen=True)
class Patience:
    """Does what is asked of a database as soon as it answers.

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
        retrying = Retrying(
            retry=retry_if_exception(_is_away),
            stop=stop_after_delay(self.seconds),
            wait=wait_exponential(multiplier=0.2, max=5),
            before_sleep=self._say,
            reraise=True,
        )
        try:
            return retrying(operation)
        except (StorageInternalError, DBAPIError) as error:
            reason = _reason(error)
            if reason is None:
                raise
            # Without the cause, which may quote the URL.
            raise RunError(
                f"The study's database ({self.url_variable}) cannot be used: {reason}. Mend it or the URL "
                f"(a search waits {WRITER_PATIENCE_S:g} s), then go on with `trajtune search --resume`."
            ) from None

    def _say(self, state: RetryCallState) -> None:
        if state.attempt_number == 1:
            print(
                f"The study's database ({self.url_variable}) does not answer; trying again for "
                f"{self.seconds:g} s.",
                file=sys.stderr,
                flush=True,
            )


class PatientStorage(RDBStorage):
    """Optuna's storage in a database, which waits when the database goes away.

    What was asked for is asked again until the database answers. The
    database may have done it the first time and died before it said so; with one writer, which the
    run's lock makes sure of, each operation then gives the same again. The exception is a new trial: the one
    that nobody heard of is RUNNING in the study, and the searcher takes what is RUNNING there.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        self._patience = patience
        patience(lambda: _making_tables(self, url))

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """As Optuna's; an end that stands in the database already is this one."""
        attempts = 0

        def write() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                return RDBStorage.set_trial_state_values(self, trial_id, state, values)
            except UpdateFinishedTrialError:
                if attempts > 1 and RDBStorage.get_trial(self, trial_id).state == state:
                    return True
                raise

        return self._patience(write)


@retry(
    retry=retry_if_exception_type((IntegrityError, ProgrammingError)),
    stop=stop_after_attempt(5),
    wait=wait_random(0, 0.2),
    reraise=True,
)
def _making_tables(storage: RDBStorage, url: str) -> None:
    """Connect, and make Optuna's tables in an empty database; somebody else may be making them, too."""
    RDBStorage.__init__(storage, url, engine_kwargs=engine_options(url))


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def patient(self: PatientStorage, *arguments: Any, **options: Any) -> Any:
        return self._patience(lambda: method(self, *arguments, **options))

    return patient


for _name in _METHODS:
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))


def _is_away(error: BaseException) -> bool:
    """Whether the database did not answer, rather than refuse."""
    reason = _reason(error)
    return reason is not None and not any(refusal in reason for refusal in _REFUSALS)


def _reason(error: BaseException) -> str | None:
    """What a database that cannot be used says; None if the fault is another."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    if isinstance(cause, PendingRollbackError):
        # Where reading all trials breaks off, Optuna reads them another way, on the same dead connection.
        return "the connection was cut in the middle of an answer"
    if not isinstance(cause, DBAPIError):
        return None
    if not cause.connection_invalidated and not isinstance(cause, OperationalError | InterfaceError):
        return None
    return next(iter(str(cause.orig).strip().splitlines()), type(cause.orig).__name__)
