"""trajtune: from work histories in PostgreSQL to a small calibrated model of the next role.

The names below are imported when they are first used, so that importing the package costs nothing.
"""

import os
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

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
    return getattr(import_module(f"trajtune.{home}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
