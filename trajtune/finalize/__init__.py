"""From a run to a bundle: refit, calibrate, export, evaluate once.

``from trajtune.finalize import finalize`` imports it when it is first used, since its parts need less.
"""

from typing import Any

__all__ = ["finalize"]


def __getattr__(name: str) -> Any:
    if name != "finalize":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trajtune.finalize.run import finalize

    return finalize
