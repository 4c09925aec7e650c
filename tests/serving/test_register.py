"""Registering a bundle in a real MLflow store, and what is refused before the store is asked."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import trajtune  # noqa: F401 - a fixture
from tests.cli.running import PASSWORD, Trajtune, assert_one_line
from tests.serving.bundles import passed
from trajtune.bundle.bundle import load_bundle
from trajtune.errors import ServingError
from trajtune.finalizing.verify import verify
from trajtune.serving.register import Registered, register
from trajtune.storage.hashes import file_sha256
from trajtune.storage.mlflow_store import URI_VARIABLE

NAME = "next role"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store in a database, with its files in the working directory."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(URI_VARIABLE, uri)
        yield uri


@pytest.fixture(scope="module")
def versions(
    store: str, finalized: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Registered, Registered, Path]:
    """A bundle whose gates passed, then one whose gates did not; and the first one's folder."""
    good = passed(finalized, tmp_path_factory.mktemp("passed") / "good")
    return register(good, NAME), register(finalized, NAME), good


@pytest.mark.slow
def test_the_alias_is_set_only_where_every_gate_passed(
    store: str, versions: tuple[Registered, Registered, Path]
) -> None:
    from mlflow import MlflowClient

    good, bad, _ = versions
    assert good == Registered(NAME, 1, "champion", is_new=True)
    assert bad == Registered(NAME, 2, None, is_new=True)
    assert MlflowClient(store).get_model_version_by_alias(NAME, "champion").version in (1, "1")


@pytest.mark.slow
def test_what_is_registered_is_the_graph_with_its_signature_and_the_whole_bundle(
    store: str, versions: tuple[Registered, Registered, Path], tmp_path: Path
) -> None:
    import mlflow
    import mlflow.pyfunc

    bundle = versions[2]
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{NAME}@champion", dst_path=str(tmp_path)))
    assert verify(folder / "bundle") == verify(bundle)
    assert file_sha256(folder / "model.onnx") == file_sha256(bundle / "trajectory-lstm.onnx")
    assert not list(folder.glob("*.data"))

    loaded = mlflow.pyfunc.load_model(str(folder))
    opened = load_bundle(bundle)
    inputs, outputs = loaded.metadata.signature.inputs, loaded.metadata.signature.outputs
    assert {spec.name: (spec.type, spec.shape) for spec in inputs} == {
        "title_ids": (np.dtype("int64"), (-1, -1)),
        "lengths": (np.dtype("int64"), (-1,)),
    }
    assert [spec.name for spec in outputs][:3] == ["next_role_logits", "tenure_pred", "hireability"]
    assert outputs.inputs[0].shape == (-1, opened.encoder.vocab_size)
    example = {"title_ids": np.array([[1, 2], [3, 0]]), "lengths": np.array([2, 1])}
    expected = opened.graph.run(example["title_ids"], example["lengths"])
    for name, array in loaded.predict(example).items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.slow
def test_the_run_has_the_params_and_the_numbers_on_test(
    store: str, versions: tuple[Registered, Registered, Path]
) -> None:
    from mlflow import MlflowClient

    bundle = versions[2]
    client = MlflowClient(store)
    version = client.get_model_version(NAME, "1")
    run = client.get_run(version.run_id)
    metrics = json.loads((bundle / "metrics.json").read_text())
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/next_role_nll"] == metrics["test"]["next_role_nll"]
    low, high = metrics["test"]["next_role_top1_interval"]
    assert run.data.metrics["test/next_role_top1_interval_low"] == low
    assert run.data.metrics["test/next_role_top1_interval_high"] == high
    assert run.data.params == {name: str(value) for name, value in manifest["params"].items()}
    assert version.tags["trajtune.manifest_sha256"] == manifest["manifest_sha256"]
    assert version.tags["trajtune.gate.parity"] == "True"


@pytest.mark.slow
def test_a_bundle_is_registered_once(store: str, versions: tuple[Registered, Registered, Path]) -> None:
    from mlflow import MlflowClient

    again = register(versions[2], NAME, "candidate")
    assert again == Registered(NAME, 1, "candidate", is_new=False)
    client = MlflowClient(store)
    assert len(client.search_model_versions(f"name = '{NAME}'")) == 2
    assert sorted(client.get_model_version(NAME, "1").aliases) == ["candidate", "champion"]


@pytest.mark.slow
def test_the_command_says_which_version_and_why_there_is_no_alias(
    versions: tuple[Registered, Registered, Path],
    store: str,
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
) -> None:
    outcome = trajtune("register", str(versions[2]), "--mlflow", NAME)
    assert (outcome.code, outcome.out) == (0, "next role, version 1, alias champion\n")
    outcome = trajtune("register", str(finalized), "--mlflow", NAME, "--json")
    assert json.loads(outcome.out) == {"name": NAME, "version": 2, "alias": None, "is_new": False}
    assert outcome.err.splitlines() == [
        "This bundle is version 2 already.",
        "Warning: not every gate passed, so no alias champion was set.",
    ]


@pytest.mark.slow
def test_a_run_that_could_not_be_completed_is_marked_and_makes_no_version(
    store: str,
    versions: tuple[Registered, Registered, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow import MlflowClient

    def full(*arguments: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full)
    with pytest.raises(ServingError, match=r"names \(OSError\)\. Start the server"):
        register(versions[2], "another")
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("another")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert client.search_model_versions("name = 'another'") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "uri", [f"http://me:{PASSWORD}@127.0.0.1:9", f"postgresql://me:{PASSWORD}@127.0.0.1:9/x"]
)
def test_a_store_that_is_away_is_one_line_without_its_password(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
) -> None:
    monkeypatch.setenv(URI_VARIABLE, uri)
    outcome = trajtune("register", str(finalized), "--mlflow", NAME)
    assert_one_line(outcome, "ServingError: MLflow cannot use the store that MLFLOW_TRACKING_URI names (")
    assert os.environ[URI_VARIABLE] == uri


def test_without_a_store_named_it_says_what_to_set(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(URI_VARIABLE, raising=False)
    outcome = trajtune("register", str(finalized), "--mlflow", NAME)
    assert_one_line(outcome, "ServingError", "MLFLOW_TRACKING_URI is not set")


@pytest.mark.parametrize(
    ("name", "alias", "message"),
    [
        ("a/b", "champion", "--mlflow is 'a/b'"),
        ("", "champion", "--mlflow is ''"),
        ("..", "champion", "--mlflow is '..'"),
        (NAME, "latest", "--alias is 'latest'"),
        (NAME, "Latest", "--alias is 'Latest'"),
        (NAME, "v12", "--alias is 'v12'"),
        (NAME, "", "--alias is ''"),
        (NAME, "a b", "--alias is 'a b'"),
    ],
)
def test_a_name_that_is_none_is_refused_before_anything_else(name: str, alias: str, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        register(Path("nowhere"), name, alias)


def test_a_damaged_bundle_is_refused_before_the_store_is_asked(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(URI_VARIABLE, "http://127.0.0.1:9")
    copy = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    (copy / "metrics.json").write_text("{}")
    outcome = trajtune("register", str(copy), "--mlflow", NAME)
    assert_one_line(outcome, "BundleError", "metrics.json was altered")
