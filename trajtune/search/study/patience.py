"""What is asked of a study is asked again until its database answers.

The functions of this package repeat themselves where they access a study; Optuna's own storage does not.
Each of them may be repeated, because a first attempt that was cut off may have done all or a part of its
work. A study in a journal file has no patience and needs none.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import optuna

    from trajtune.search.study.database import Patience

P = ParamSpec("P")
T = TypeVar("T")


_PATIENCE: "Final[WeakKeyDictionary[optuna.Study, Patience]]" = WeakKeyDictionary()


def set_patience(study: "optuna.Study", patience: "Patience") -> None:
    """Let everything that is asked of ``study`` be repeated by ``patience``."""
    _PATIENCE[study] = patience


def patiently(study: "optuna.Study", operation: Callable[[], T]) -> T:
    """The result of an operation on ``study``, which may be run more than once."""
    patience = _PATIENCE.get(study)
    return operation() if patience is None else patience(operation)


def patient(
    function: "Callable[Concatenate[optuna.Study, P], T]",
) -> "Callable[Concatenate[optuna.Study, P], T]":
    """Run a function of a study patiently."""

    @wraps(function)
    def repeated(study: "optuna.Study", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return patiently(study, lambda: function(study, *args, **kwargs))

    return repeated
