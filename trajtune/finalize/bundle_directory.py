"""Bundles on disk: written beside their place and renamed, so that one is there whole or not at all."""

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from trajtune.bundle.bundle import CALIBRATION, MANIFEST, MODEL, VOCABULARY, manifest_sha256, sha256
from trajtune.errors import BundleError

CALIBRATOR: Final = "calibrator.pkl"
CHECKPOINT: Final = "best.pt"
METRICS: Final = "metrics.json"
REPORT: Final = "evaluation_report.md"
HTML_REPORT: Final = "report.html"
MODEL_CARD: Final = "MODEL_CARD.md"
PROBES: Final = "probes.json"
FILES: Final = (
    *(MODEL, VOCABULARY, CALIBRATION, CALIBRATOR, CHECKPOINT),
    *(METRICS, REPORT, HTML_REPORT, MODEL_CARD, PROBES),
)
"""Every file of a bundle beside its manifest, which holds their hashes."""


def refuse_existing(path: Path) -> None:
    """Raise before any work if there is something where the bundle is to be.

    Raises:
        BundleError: If the path exists.
    """
    if path.exists() or path.is_symlink():
        raise BundleError(
            f"There is a {path} already, and bundles are never overwritten. Give another --out."
        )


@contextmanager
def bundle_directory(path: Path) -> Iterator[Path]:
    """A hidden directory beside ``path`` that becomes it when the block ends well, and else is gone.

    Raises:
        BundleError: If the disk is full or not writable, or the path came into being meanwhile.
    """
    beside = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        beside.mkdir()
        yield beside
        refuse_existing(path)
        os.rename(beside, path)
    except OSError as error:
        raise BundleError(f"Cannot write {path}: {error.strerror}. Nothing was left there.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Delete what a killed finalize left beside ``path``; one that still runs keeps its own."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.new-*"):
        try:
            os.kill(int(folder.name.rpartition("-")[2]), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:  # alive, and somebody else's
            continue
        else:
            if folder.name.endswith(f"-{os.getpid()}"):
                shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented JSON; NaN and infinity are our own mistake and raise."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest last: ``content``, the hash of every other file in the folder, and its own."""
    names = sorted(file.name for file in folder.iterdir() if file.name != MANIFEST)
    assert set(FILES) <= set(names), f"a bundle needs {FILES}, but this one has {names}"
    whole = {**content, "files": {name: sha256(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**whole, "manifest_sha256": manifest_sha256(whole)})
