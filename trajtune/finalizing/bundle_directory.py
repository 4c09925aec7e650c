"""Bundles on disk: written atomically, so that one exists complete or not at all."""

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
    """Raise before any work if the path of a result exists.

    Raises:
        BundleError: If the path exists.
    """
    if path.exists() or path.is_symlink():
        raise BundleError(f"There is a {path} already, and results are never overwritten. Give another path.")


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
    """A hidden directory that is renamed to ``path`` when the block succeeds, and removed when it fails.

    Raises:
        BundleError: If the disk is full or not writable, or the path exists by now.
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
    manifest = {**content, "files": {name: file_sha256(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**manifest, "manifest_sha256": manifest_sha256(manifest)})
