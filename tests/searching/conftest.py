"""A snapshot so small that a complete search on it takes seconds."""

import pytest

from tests.support.careers import ladder_careers, loaded
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment


@pytest.fixture(scope="session")
def small_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot of 120 ladder careers."""
    folder = tmp_path_factory.mktemp("small")
    experiment = validate(Experiment, {"storage": {"snapshots": str(folder)}}, "test")
    return snapshot_of(loaded(ladder_careers(120)), experiment)
