"""Reads the files of a run that describe it, and checks them against the hashes in ``run.json``."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

from trajtune.errors import RunError
from trajtune.experiment.load import load_yaml
from trajtune.experiment.space import Space
from trajtune.searching.runs.find import MANIFEST
from trajtune.storage.path import StoredPath

EXPERIMENT: Final = "experiment.yaml"
SPACE: Final = "space.yaml"
CHANGED_SPACE: Final = "space"
"""Key of ``run.json`` after a change of the space, see `Run.manifest`."""


def read_manifest(path: StoredPath) -> dict[str, Any]:
    """Return the content of ``run.json``.

    Raises:
        RunError: If it cannot be read.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a run: it has no readable {MANIFEST}. Start a new search.") from error
    return manifest


def check_files(path: StoredPath, manifest: Mapping[str, Any]) -> None:
    """Check that the files of a run have not changed.

    Raises:
        RunError: If one is missing or has another content.
    """
    for file, expected in manifest.get("files", {}).items():  # runs of earlier versions have no hashes
        # A process that changed the space may have died before it wrote the file.
        before = manifest[CHANGED_SPACE]["before"] if file == SPACE and CHANGED_SPACE in manifest else None
        _check_unaltered(path / file, expected, before)


def space_content(path: StoredPath, manifest: Mapping[str, Any]) -> Any:
    """Return the content of the space: of ``space.yaml``, or of ``run.json`` if the space was changed."""
    if CHANGED_SPACE not in manifest:
        return load_yaml(path / SPACE)
    return yaml.safe_load(manifest[CHANGED_SPACE]["content"])


def space_yaml(space: Space) -> str:
    """Return the content of ``space.yaml``."""
    text: str = yaml.safe_dump(space.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    return text


def sha256(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _check_unaltered(path: StoredPath, expected: str, before: str | None) -> None:
    try:
        actual = sha256(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"The run needs {path}, but it is missing. Restore the file.") from error
    if actual not in (expected, before):
        raise RunError(
            f"{path} must not change after the run began, but its sha256 is {actual[:12]}... and {MANIFEST} "
            f"has {expected[:12]}.... Restore the file. To change settings of a run, use "
            "`trajtune search EXPERIMENT --resume`."
        )
