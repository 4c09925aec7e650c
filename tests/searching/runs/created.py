"""Runs that were created, but not searched."""

from pathlib import Path

from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run


def experiment(directory: Path, **search: object) -> Experiment:
    content = {"search": {"space": "smoke", **search}, "storage": {"runs": str(directory / "runs")}}
    return validate(Experiment, content, "test")


def create(directory: Path, name: str | None = None) -> Run:
    return create_run(
        experiment(directory),
        load_space("smoke"),
        name=name,
        snapshot_path=directory / "snapshot",
        snapshot_id="abc",
    )
