"""Retries of operations on a study whose database does not answer.

The functions of this package retry their access to a study; Optuna's storage does not. Each operation must be
safe to repeat, because an interrupted first attempt may have done its work partly or completely. A study in a
journal file has no retries and needs none.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import optuna

    from trajtune.searching.study.database import DatabaseRetries

P = ParamSpec("P")
T = TypeVar("T")


_RETRIES: "Final[WeakKeyDictionary[optuna.Study, DatabaseRetries]]" = WeakKeyDictionary()


def set_retries(study: "optuna.Study", retries: "DatabaseRetries") -> None:
    """Use ``retries`` for every operation on ``study``."""
    _RETRIES[study] = retries


def with_retries(study: "optuna.Study", operation: Callable[[], T]) -> T:
    """Run an operation on ``study``, with retries, and return its result."""
    retries = _RETRIES.get(study)
    return operation() if retries is None else retries(operation)


def retried(
    function: "Callable[Concatenate[optuna.Study, P], T]",
) -> "Callable[Concatenate[optuna.Study, P], T]":
    """Decorate a function whose first argument is a study so that it runs with retries."""

    @wraps(function)
    def repeated(study: "optuna.Study", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return with_retries(study, lambda: function(study, *args, **kwargs))

    return repeated
