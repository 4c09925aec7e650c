"""File names of a bundle, and the manifest with their hashes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trajtune.errors import BundleError
from trajtune.storage.hashes import file_sha256

MODEL: Final = "trajectory-lstm.onnx"
VOCABULARY: Final = "trajectory-lstm-vocab.json"
CALIBRATION: Final = "trajectory-lstm-calibration.json"
CALIBRATOR: Final = "calibrator.pkl"
CHECKPOINT: Final = "best.pt"
METRICS: Final = "metrics.json"
REPORT: Final = "evaluation_report.md"
HTML_REPORT: Final = "report.html"
MODEL_CARD: Final = "MODEL_CARD.md"
PROBES: Final = "probes.json"
TEST_PEOPLE: Final = "test_people.npz"
FILES: Final = (
    *(MODEL, VOCABULARY, CALIBRATION, CALIBRATOR, CHECKPOINT),
    *(METRICS, REPORT, HTML_REPORT, MODEL_CARD, PROBES, TEST_PEOPLE),
)
"""Every file of a bundle except the manifest, which contains their hashes."""

ADDED: Final = (TEST_PEOPLE,)
"""Those that bundles of earlier versions lack."""

MANIFEST: Final = "manifest.json"
SCHEMA_VERSION: Final = 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a bundle.

    Raises:
        BundleError: If there is no bundle, or this version cannot read its manifest.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(
            f"No bundle at {folder}. Give the directory that `trajtune finalize` printed."
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST} cannot be read: {error}. Finalize the run again.") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise BundleError(f"{folder / MANIFEST} is not the manifest of a bundle. Finalize the run again.")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise BundleError(
            f"This trajtune reads bundles of version {SCHEMA_VERSION}, but {folder} has "
            f"{manifest.get('schema_version')}. Finalize the run again."
        )
    return manifest


def check_file(folder: Path, name: str, manifest: dict[str, Any]) -> None:
    """Check one file against its hash in the manifest.

    Raises:
        BundleError: If the file is missing, unreadable or changed.
    """
    try:
        digest = file_sha256(folder / name)
    except FileNotFoundError as error:
        raise BundleError(f"{folder} has no {name}. Finalize the run again.") from error
    except OSError as error:
        raise BundleError(
            f"{folder / name} cannot be read: {error.strerror}. Check its permissions."
        ) from error
    if digest != manifest["files"].get(name):
        raise BundleError(
            f"{folder / name} is not the file that was written: its sha256 differs. Finalize the run again."
        )


def manifest_sha256(manifest: Mapping[str, Any]) -> str:
    """Return the hash of a manifest without its entry ``manifest_sha256``, which stores this hash."""
    content = {name: value for name, value in manifest.items() if name != "manifest_sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
