"""The hyperparameter search: space, study, trials on Ray.

``from trajtune.search import search``; imported when it is used, since reading a run needs less.
"""

from typing import Any

__all__ = ["search"]


def __getattr__(name: str) -> Any:
    if name != "search":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trajtune.search.run import search

    return search
