"""Reads the careers of a search while Ray starts."""

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trajtune.dataset.arrays import CareerArrays
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.newest_careers import train_careers

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

Careers = tuple[CareerArrays, CareerArrays]
"""The careers of train and of val."""


@contextmanager
def read_ahead(snapshot: "Snapshot", settings: SearchSettings) -> Iterator[Callable[[], Careers]]:
    """Read the careers of a search in a thread, and yield the function that waits for them.

    An error of reading is raised by that function. The end of the block waits until the reading has ended.
    """

    def read() -> Careers:
        return train_careers(snapshot, settings), snapshot.read("val").arrays

    with ThreadPoolExecutor(1, "read careers") as thread:
        reading = thread.submit(read)
        # Ray Tune imports pandas. Ray's own modules are not imported in a thread: their imports are circular.
        thread.submit(importlib.import_module, "pandas")
        yield reading.result
