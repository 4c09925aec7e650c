"""trajtune: from work histories in PostgreSQL to a small calibrated model of the next role.

The names below are imported when they are first used, so that importing the package costs nothing.
"""

import os
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # for editors and type checkers; at run time each name is imported when it is used
    from trajtune.bundle import load_bundle as load_bundle
    from trajtune.dataset.prepare import prepare as prepare
    from trajtune.dataset.snapshot import open_snapshot as open_snapshot
    from trajtune.experiment.load import load_experiment as load_experiment
    from trajtune.finalizing.compare import compare as compare
    from trajtune.finalizing.run import finalize as finalize
    from trajtune.model.network.lstm import CareerTrajectoryLSTM as CareerTrajectoryLSTM
    from trajtune.searching.runs.directory import open_run as open_run
    from trajtune.searching.search import search as search
    from trajtune.steps.careers import generate_sequences as generate_sequences
    from trajtune.steps.careers import load_career_sequences as load_career_sequences
    from trajtune.steps.careers import temporal_split as temporal_split
    from trajtune.steps.evaluation import evaluate_calibration as evaluate_calibration
    from trajtune.steps.evaluation import evaluate_career_changers as evaluate_career_changers
    from trajtune.steps.evaluation import evaluate_model as evaluate_model
    from trajtune.steps.evaluation import generate_report as generate_report
    from trajtune.steps.evaluation import save_calibrator as save_calibrator
    from trajtune.steps.evaluation import test_career_changers as test_career_changers
    from trajtune.steps.evaluation import train_calibrator as train_calibrator
    from trajtune.steps.export import export_to_onnx as export_to_onnx
    from trajtune.steps.export import simplify_onnx as simplify_onnx
    from trajtune.steps.titles import TitleEncoder as TitleEncoder
    from trajtune.steps.training import create_dataloaders as create_dataloaders
    from trajtune.steps.training import evaluate as evaluate
    from trajtune.steps.training import train_epoch as train_epoch

# onnxruntime reads this when it is imported; else it collects telemetry and leaves a file in the
# temporary directory.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES: Final = {
    "load_career_sequences": "steps.careers",
    "temporal_split": "steps.careers",
    "generate_sequences": "steps.careers",
    "TitleEncoder": "steps.titles",
    "CareerTrajectoryLSTM": "model.network.lstm",
    "create_dataloaders": "steps.training",
    "train_epoch": "steps.training",
    "evaluate": "steps.training",
    "export_to_onnx": "steps.export",
    "simplify_onnx": "steps.export",
    "train_calibrator": "steps.evaluation",
    "save_calibrator": "steps.evaluation",
    "evaluate_calibration": "steps.evaluation",
    "evaluate_model": "steps.evaluation",
    "evaluate_career_changers": "steps.evaluation",
    "test_career_changers": "steps.evaluation",
    "generate_report": "steps.evaluation",
    "load_experiment": "experiment.load",
    "prepare": "dataset.prepare",
    "open_snapshot": "dataset.snapshot",
    "search": "searching.search",
    "open_run": "searching.runs.directory",
    "finalize": "finalizing.run",
    "load_bundle": "bundle",
    "compare": "finalizing.compare",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("trajtune")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'trajtune' has no attribute {name!r}")
    import_module("trajtune.notebook").silence_missing_widgets()
    return getattr(import_module(f"trajtune.{home}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
