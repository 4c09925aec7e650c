"""Writes bundles to disk atomically."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trajtune.bundle.manifest import FILES, MANIFEST, manifest_sha256
from trajtune.errors import BundleError
from trajtune.storage.atomic import local_staging_directory, rename_directory
from trajtune.storage.files import write_json
from trajtune.storage.hashes import file_sha256


def refuse_existing(path: Path) -> None:
    """Raise if the path of a result exists, before any work is done.

    Raises:
        BundleError: If the path exists.
    """
    if path.exists() or path.is_symlink():
        raise BundleError(f"A result must have a new path, but {path} exists already. Give another path.")


def refuse_unservable(folder: Path) -> None:
    """Raise before any work if a folder's path would break the service.

    The service finds the files next to ``X.onnx`` by replacing the first ``.onnx`` in the whole path.

    Raises:
        BundleError: If ``.onnx`` is in the path, as it was given.
    """
    if ".onnx" in str(folder):
        raise BundleError(
            "The service finds no vocabulary where a folder has `.onnx` in its name, or a file has it twice, "
            f"but got {folder}. Give another path."
        )


@contextmanager
def bundle_directory(path: Path) -> Iterator[Path]:
    """Provide a hidden directory that is renamed to ``path`` if the block succeeds and removed if it fails.

    Raises:
        BundleError: If the disk is full or not writable, or if the path exists by then.
    """
    try:
        with local_staging_directory(path) as folder:
            yield folder
            refuse_existing(path)
            rename_directory(folder, path)
    except OSError as error:
        raise BundleError(
            f"Cannot write {path}: {error.strerror}. No file was left behind. Fix this and try again."
        ) from error


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest, as the last file: ``content``, the hash of every other file, and its own hash."""
    names = sorted(file.name for file in folder.iterdir() if file.name != MANIFEST)
    assert set(FILES) <= set(names), f"a bundle needs {FILES}, but this one has {names}"
    manifest = {**content, "files": {name: file_sha256(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**manifest, "manifest_sha256": manifest_sha256(manifest)})
