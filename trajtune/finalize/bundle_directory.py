"""Bundles on disk: written atomically, so that one exists complete or not at all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from trajtune.bundle.bundle import CALIBRATION, MANIFEST, MODEL, VOCABULARY, manifest_sha256, sha256
from trajtune.errors import BundleError
from trajtune.storage.atomic import local_staging_directory, rename_directory
from trajtune.storage.files import write_json

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
    try:
        with local_staging_directory(path) as folder:
            yield folder
            refuse_existing(path)
            rename_directory(folder, path)
    except OSError as error:
        raise BundleError(f"Cannot write {path}: {error.strerror}. Nothing was left there.") from error


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest last: ``content``, the hash of every other file in the folder, and its own."""
    names = sorted(file.name for file in folder.iterdir() if file.name != MANIFEST)
    assert set(FILES) <= set(names), f"a bundle needs {FILES}, but this one has {names}"
    whole = {**content, "files": {name: sha256(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**whole, "manifest_sha256": manifest_sha256(whole)})
