"""Verifies that a bundle is unchanged: hashes, contract, predictions for probe careers. Needs no torch."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.manifest import (
    ADDED,
    CALIBRATION,
    CHECKPOINT,
    FILES,
    MANIFEST,
    METRICS,
    PROBES,
    manifest_sha256,
    read_manifest,
)
from trajtune.dataset.titles import UNKNOWN
from trajtune.errors import BundleError
from trajtune.storage.hashes import file_sha256

_INPUTS: Final = {"title_ids": ["batch", "seq_len"], "lengths": ["batch"]}
_OUTPUTS: Final = ["next_role_logits", "tenure_pred", "hireability"]
_COMPARED: Final = ("tenure_pred", "hireability", "top5_probabilities")
_RELATIVE: Final = 1e-4
_ABSOLUTE: Final = 1e-5
_TABLE: Final = 1e-6
_STEP: Final = 2e-3
"""Tolerance of the calibrated confidence: a probability may be off by 1e-4 and the slope is at most 20."""


def verify(path: str | Path) -> dict[str, Any]:
    """Check everything about a bundle that can be checked on the machine that will serve it.

    Args:
        path: The bundle's directory.

    Returns:
        ``files``, ``titles`` and ``probes`` (numbers of what was checked), ``max_abs_error`` (of the probes'
        probabilities), ``gates_passed`` (at finalize) and ``source``.

    Raises:
        BundleError: If files are missing, altered or added (all are listed; hidden files are ignored), or if
            a file is malformed, or at the first deviation from the serving contract or from torch.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    _check_files(folder, manifest)
    _check_formats(folder)
    bundle = load_bundle(folder)
    _check_contract(bundle)
    with _well_formed(folder, CALIBRATION):
        _check_calibration(folder)
    with _well_formed(folder, PROBES):
        probes = _check_probes(bundle)
    with _well_formed(folder, MANIFEST):
        return {
            "files": len(manifest["files"]),
            "titles": bundle.encoder.vocab_size - 1,
            **probes,
            "gates_passed": manifest["gates_passed"],
            "source": manifest["source"]["kind"],
        }


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    hashes: dict[str, str] = manifest["files"]
    missing = sorted(name for name in {*FILES} - {*ADDED} | {*hashes} if not (folder / name).is_file())
    altered = sorted(name for name in {*hashes} - {*missing} if file_sha256(folder / name) != hashes[name])
    if manifest.get("manifest_sha256") != manifest_sha256(manifest):
        altered.append(MANIFEST)
    faults = [f"{name} is missing" for name in missing] + [f"{name} was altered" for name in altered]
    # The file system or the machine's owner creates hidden files: .nfs..., .DS_Store.
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    added = [f"{name} was added" for name in sorted(there - {*FILES, *hashes, MANIFEST})]
    if faults or added:
        # Added files can be removed.
        remedy = "Finalize again" if faults else "Remove it"
        raise BundleError(f"{folder} must be unchanged, but {', '.join([*faults, *added])}. {remedy}.")


def _check_formats(folder: Path) -> None:
    """Check the format of files that nothing below reads; a right hash does not show that."""
    with _well_formed(folder, METRICS):
        _read_json(folder, METRICS).keys()
    if not zipfile.is_zipfile(folder / CHECKPOINT):
        raise _malformed(folder, CHECKPOINT)


@contextmanager
def _well_formed(folder: Path, name: str) -> Iterator[None]:
    """Report errors in the content of a file as one line."""
    try:
        yield
    except BundleError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _malformed(folder, name) from error


def _malformed(folder: Path, name: str) -> BundleError:
    return BundleError(f"{folder / name} is malformed, though its hash is right. Finalize again.")


def _read_json(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def _check_contract(bundle: Bundle) -> None:
    graph, encoder, where = bundle.graph, bundle.encoder, bundle.path
    if graph.inputs != _INPUTS or list(graph.outputs)[:3] != _OUTPUTS:
        raise BundleError(f"{where}: the graph has {graph.inputs} and {list(graph.outputs)}. Finalize again.")
    out_of_range = [
        key for key, index in encoder.title_to_idx.items() if not UNKNOWN < index < encoder.vocab_size
    ]
    if out_of_range:
        raise BundleError(
            f"{where}: the title {out_of_range[0]!r} has an index out of range. Finalize again."
        )


def _check_calibration(where: Path) -> None:
    content = _read_json(where, CALIBRATION)
    x, y, ends = content["breakpoints"], content["values"], [content["minX"], content["maxX"]]
    if len(x) != len(y) or x != sorted(x) or y != sorted(y) or [x[0], x[-1]] != ends:
        raise BundleError(f"{where}: {CALIBRATION} must be a rising table, but is not. Finalize again.")


def _check_probes(bundle: Bundle) -> dict[str, Any]:
    probes, table = (_read_json(bundle.path, name) for name in (PROBES, CALIBRATION))
    pairs = list(zip(probes["careers"], probes["expected"], strict=True))
    worst = 0.0
    for number, (career, expected) in enumerate(pairs, start=1):
        ids = bundle.encode(career)
        outputs = bundle.graph.run(np.array([ids]), np.array([len(ids)]))
        answer = {name: array[0] for name, array in outputs.items()}
        confidence = answer["next_role_confidence"]
        by_table = np.interp(answer["top5_probabilities"][0], table["breakpoints"], table["values"])
        step = np.abs(confidence - expected["next_role_confidence"]).max()
        same = (
            ids == expected["ids"]
            and answer["top5_ids"].tolist() == expected["top5_ids"]
            and all(np.allclose(answer[name], expected[name], _RELATIVE, _ABSOLUTE) for name in _COMPARED)
            and step < _STEP
            and abs(confidence[0] - by_table) < _TABLE
        )
        if not same:
            raise BundleError(
                f"{bundle.path}: the prediction for probe career {number} differs from torch's. "
                "Finalize again."
            )
        worst = max(worst, float(np.abs(answer["top5_probabilities"] - expected["top5_probabilities"]).max()))
    return {"probes": len(pairs), "max_abs_error": worst}
