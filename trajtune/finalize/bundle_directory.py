"""Writing bundles: in a hidden directory that is renamed at the end, so no incomplete bundle is ever seen."""

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trajtune.bundle.manifest import FILES, MANIFEST, manifest_sha256
from trajtune.errors import BundleError
from trajtune.storage.hashes import file_sha256


def refuse_existing(path: Path) -> None:
    """Raise before any work if the path of the bundle exists.

    Raises:
        BundleError: If the path exists.
    """
    if path.exists() or path.is_symlink():
        raise BundleError(
            f"There is a {path} already, and bundles are never overwritten. Give another --out."
        )


@contextmanager
def bundle_directory(path: Path) -> Iterator[Path]:
    """A hidden directory that is renamed to ``path`` when the block succeeds, and removed when it fails.

    Raises:
        BundleError: If the disk is full or not writable, or the path exists by now.
    """
    hidden = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        hidden.mkdir()
        yield hidden
        refuse_existing(path)
        os.rename(hidden, path)
    except OSError as error:
        raise BundleError(f"Cannot write {path}: {error.strerror}. Nothing was left there.") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Delete the hidden directories of killed processes; those of running ones stay."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.new-*"):
        try:
            os.kill(int(folder.name.rpartition("-")[2]), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:  # a running process of another user
            continue
        else:
            if folder.name.endswith(f"-{os.getpid()}"):
                shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented JSON; NaN and infinity raise, since only a bug can cause them."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest last: ``content``, the hash of every other file in the folder, and its own."""
    names = sorted(file.name for file in folder.iterdir() if file.name != MANIFEST)
    assert set(FILES) <= set(names), f"a bundle needs {FILES}, but this one has {names}"
    manifest = {**content, "files": {name: file_sha256(folder / name) for name in names}}
    write_json(folder / MANIFEST, {**manifest, "manifest_sha256": manifest_sha256(manifest)})
