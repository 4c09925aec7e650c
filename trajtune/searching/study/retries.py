"""Retries of operations on a study whose database does not answer.

The functions of this package repeat their access to a study; Optuna's own storage does not. Each operation
must be safe to repeat, because a first attempt that was cut off may have done its work partly or completely.
A study in a journal file has no retries and needs none.
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
    """Repeat every operation on ``study`` by ``retries``."""
    _RETRIES[study] = retries


def with_retries(study: "optuna.Study", operation: Callable[[], T]) -> T:
    """The result of an operation on ``study``, which may run more than once."""
    retries = _RETRIES.get(study)
    return operation() if retries is None else retries(operation)


def retried(
    function: "Callable[Concatenate[optuna.Study, P], T]",
) -> "Callable[Concatenate[optuna.Study, P], T]":
    """Decorate a function whose first argument is a study, so that `with_retries` runs it."""

    @wraps(function)
    def repeated(study: "optuna.Study", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return with_retries(study, lambda: function(study, *args, **kwargs))

    return repeated
