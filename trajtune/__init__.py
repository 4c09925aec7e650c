"""trajtune: from work histories in PostgreSQL to a small calibrated model of the next role.

The names below are imported when they are first used, so that importing the package costs nothing.
`search` and `finalize` share their names with the packages they stand in:
``from trajtune.search import search``, ``from trajtune.finalize import finalize``.
"""

import os
from importlib import import_module
from typing import Any, Final

# onnxruntime reads this when it is imported; else it collects telemetry and leaves a file in the
# temporary directory.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES: Final = {
    "load_career_sequences": "careers.read",
    "temporal_split": "dataset.split",
    "generate_sequences": "dataset.sequences",
    "TitleEncoder": "dataset.titles",
    "prepare": "dataset.prepare",
    "CareerTrajectoryLSTM": "model.network.lstm",
    "create_dataloaders": "model.batches",
    "train_epoch": "model.training.epoch",
    "evaluate": "model.training.epoch",
    "export_to_onnx": "finalize.export.to_onnx",
    "simplify_onnx": "finalize.export.to_onnx",
    "train_calibrator": "finalize.calibrate.isotonic",
    "save_calibrator": "finalize.calibrate.isotonic",
    "evaluate_calibration": "finalize.evaluate.evaluate",
    "evaluate_model": "finalize.evaluate.evaluate",
    "evaluate_career_changers": "finalize.evaluate.career_changers",
    "generate_report": "finalize.report.markdown",
    "load_bundle": "bundle",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'trajtune' has no attribute {name!r}")
    return getattr(import_module(f"trajtune.{home}"), name)
