"""Reading the careers of a search while Ray starts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.newest_careers import train_careers
from trajtune.searching.tune.careers import read_ahead


def test_the_careers_read_ahead_are_those_of_the_snapshot(small_snapshot: Snapshot) -> None:
    settings = SearchSettings(max_train_careers=50)
    with read_ahead(small_snapshot, settings) as careers:
        train, val = careers()
    assert train.num_careers == 50
    expected = train_careers(small_snapshot, settings), small_snapshot.read("val").arrays
    for found, own in zip((train, val), expected, strict=True):
        columns = own.to_dict()
        for name, column in found.to_dict().items():
            np.testing.assert_array_equal(column, columns[name])


def test_an_error_of_reading_is_raised_by_whoever_asks_for_the_careers(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    gone = replace(small_snapshot, path=tmp_path / "gone")
    with (
        read_ahead(gone, SearchSettings()) as careers,
        pytest.raises(FileNotFoundError, match="gone"),
    ):
        careers()


def test_an_error_inside_the_block_is_the_one_that_is_raised(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    gone = replace(small_snapshot, path=tmp_path / "gone")
    with pytest.raises(RunError, match="Ray"), read_ahead(gone, SearchSettings()):
        raise RunError("Ray did not start.")
