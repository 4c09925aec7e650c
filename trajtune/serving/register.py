"""Registers a bundle with MLflow: the graph as MLflow's ONNX flavour, and every file of the bundle beside it.

Needs the extra `tracking` alone; mlflow-skinny is enough.
"""

import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.manifest import METRICS, MODEL, PROBES
from trajtune.errors import ServingError
from trajtune.finalizing.verify import verify
from trajtune.serving.about import gates_not_passed
from trajtune.storage.mlflow_store import URI_VARIABLE, few_retries, quiet_mlflow, refused

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION: Final = "champion"
FILES: Final = "bundle"
"""Folder of the registered model that holds the bundle's files."""

_SHA256: Final = "trajtune.manifest_sha256"
_NAME: Final = re.compile(r"\w[\w .-]*")
_ALIAS: Final = re.compile(r"(?!(?i:latest)$)(?!(?i:v)\d+$)[\w-]+", re.ASCII)
_PACKAGES: Final = ("numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Registered:
    """A registered version.

    Attributes:
        name: Name of the registered model.
        version: Number of the version, from 1.
        alias: Alias that points to the version now; None: gates did not pass, and no alias was set.
        is_new: False if the same bundle was registered before; then nothing was uploaded.
    """

    name: str
    version: int
    alias: str | None
    is_new: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def register(path: Path, name: str, alias: str = CHAMPION) -> Registered:
    """Register a bundle as a version of a model in the MLflow store that `URI_VARIABLE` names.

    The alias is set only if every gate passed when the bundle was made. A bundle that is registered already
    keeps its version, and only the alias is set.

    Args:
        path: The bundle's directory.
        name: Name of the registered model; made if it is not there.
        alias: Name by which the version is found, as ``models:/NAME@ALIAS``.

    Raises:
        BundleError: If the bundle is not as it was written.
        ServingError: If the extra is not installed, no store is named, the store refuses, or a name is none.
    """
    _check_names(name, alias)
    uri = _uri()
    verify(path)
    bundle = load_bundle(path)
    passed = gates_not_passed(bundle) is None
    with _store():
        from mlflow import MlflowClient

        client = MlflowClient(uri)
        version = _version_of(client, name, bundle)
        is_new = version is None
        if version is None:
            version = _upload(client, name, bundle)
        if passed:
            client.set_registered_model_alias(name, alias, str(version))
    return Registered(name, version, alias if passed else None, is_new)


def _check_names(name: str, alias: str) -> None:
    if not _NAME.fullmatch(name):
        raise ServingError(
            "A model's name has letters, digits, spaces, `_`, `.` and `-`, "
            f"but --mlflow is {name!r}. Give another."
        )
    if not _ALIAS.fullmatch(alias):
        raise ServingError(
            "An alias has letters, digits, `_` and `-`, and is neither `latest` nor a version such as `v1`, "
            f"but --alias is {alias!r}. Give another."
        )


def _uri() -> str:
    if importlib.util.find_spec("mlflow") is None:
        raise ServingError(
            "Registering needs mlflow, which is not installed. Run `pip install 'trajtune[tracking]'`."
        )
    uri = os.environ.get(URI_VARIABLE)
    if not uri:
        raise ServingError(
            f"{URI_VARIABLE} is not set. Set it to the address of the MLflow server, or put it in .env."
        )
    return uri


@contextmanager
def _store() -> Iterator[None]:
    """Whatever the store raises becomes one line without its address."""
    quiet_mlflow()
    with few_retries():
        try:
            yield
        except Exception as error:  # noqa: BLE001 - what may be raised differs from store to store
            code = getattr(error, "error_code", None)
            said = f": {code}" if isinstance(code, str) and re.fullmatch("[A-Z_]+", code) else ""
            raise ServingError(
                f"{refused(error)}{said}. Start the server, or fix the address and its permissions."
            ) from None


def _version_of(client: "MlflowClient", name: str, bundle: Bundle) -> int | None:
    """The version that holds this bundle; None: there is none."""
    sha256 = bundle.manifest["manifest_sha256"]
    found = [
        int(each.version)
        for each in client.search_model_versions(f"name = '{name}'")
        if each.tags.get(_SHA256) == sha256
    ]
    return max(found, default=None)


def _upload(client: "MlflowClient", name: str, bundle: Bundle) -> int:
    """Log the bundle in a run of the experiment ``name``, and make a version of it."""
    from mlflow.exceptions import MlflowException

    manifest = bundle.manifest
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    tags = _tags(bundle)
    run = client.create_run(experiment_id, run_name=bundle.path.resolve().name, tags=tags).info.run_id
    try:
        for key, value in manifest.get("params", {}).items():
            client.log_param(run, key, value)
        for key, number in _numbers(bundle).items():
            client.log_metric(run, key, number)
        source, model_id = _log_model(run, bundle)
        client.log_model_artifacts(model_id, str(bundle.path), FILES)
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # Tagged last, so that a version without the tag is one whose registration was interrupted.
        version = client.create_model_version(name, source, run, tags=tags)
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)
    return int(version.version)


def _tags(bundle: Bundle) -> dict[str, str]:
    manifest = bundle.manifest
    gates = {f"trajtune.gate.{gate}": str(passed) for gate, passed in manifest.get("gates", {}).items()}
    return {
        _SHA256: manifest["manifest_sha256"],
        "trajtune.run": str(manifest.get("run")),
        "trajtune.snapshot": str(manifest.get("snapshot")),
        "trajtune.as_of": str(manifest.get("as_of")),
        "trajtune.gates_passed": str(bool(manifest.get("gates_passed"))),
        **gates,
    }


def _numbers(bundle: Bundle) -> dict[str, float]:
    """The numbers on test; an interval is two of them, and an undefined one is left out."""
    test: Mapping[str, Any] = json.loads((bundle.path / METRICS).read_text("utf-8")).get("test", {})
    found: dict[str, float] = {}
    for name, value in test.items():
        if isinstance(value, list) and len(value) == 2:
            ends = {f"{name}_low": value[0], f"{name}_high": value[1]}
        else:
            ends = {name: value}
        for key, number in ends.items():
            if isinstance(number, int | float):
                found[f"test/{key}"] = float(number)
    return found


def _log_model(run: str, bundle: Bundle) -> tuple[str, str]:
    """The graph with its signature and an example, in one file; its URI and its id."""
    from importlib.metadata import version

    import mlflow
    import mlflow.onnx
    import onnx

    example = _example(bundle)
    with mlflow.start_run(run_id=run):
        logged = mlflow.onnx.log_model(
            onnx.load(bundle.path / MODEL),
            name="model",
            signature=_signature(bundle, example),
            input_example=example,
            pip_requirements=[f"{package}=={version(package)}" for package in _PACKAGES],
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
            metadata={"as_of": bundle.manifest.get("as_of"), "files": FILES},
        )
    return logged.model_uri, logged.model_id


def _example(bundle: Bundle) -> dict[str, NDArray[np.int64]]:
    """The first of the bundle's probe careers as the graph takes it."""
    career = json.loads((bundle.path / PROBES).read_text("utf-8"))["careers"][0]
    ids = bundle.encode(career)
    return {"title_ids": np.array([ids], np.int64), "lengths": np.array([len(ids)], np.int64)}


def _signature(bundle: Bundle, example: Mapping[str, NDArray[Any]]) -> Any:
    """The graph's inputs and outputs; -1 is a dimension that varies."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    graph = bundle.graph
    answer = graph.run(example["title_ids"], example["lengths"])

    def schema(shapes: Mapping[str, list[int | str]], arrays: Mapping[str, NDArray[Any]]) -> Any:
        specs = [
            TensorSpec(arrays[name].dtype, tuple(n if isinstance(n, int) else -1 for n in shape), name)
            for name, shape in shapes.items()
        ]
        return Schema(specs)

    return ModelSignature(schema(graph.inputs, example), schema(graph.outputs, answer))
