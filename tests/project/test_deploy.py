"""The recipes in deploy/: valid for Kubernetes, Ray and the linter, correct for trajtune, without secrets."""

import json
import re
import shlex
import subprocess
import sys
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import ray.autoscaler
import yaml

from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

DEPLOY = Path(__file__).parents[2] / "deploy"
JOBS = ("kuberay-rayjob.yaml", "kuberay-rayjob-gpu.yaml")
DOCUMENTS: dict[str, dict[str, Any]] = {
    name: {document["kind"]: document for document in yaml.safe_load_all((DEPLOY / name).read_text("utf-8"))}
    for name in JOBS
}
CLUSTERS = {name: documents["RayJob"]["spec"]["rayClusterSpec"] for name, documents in DOCUMENTS.items()}
TEMPLATES: dict[str, dict[str, Any]] = {
    name: {
        "head": cluster["headGroupSpec"]["template"],
        **{group["groupName"]: group["template"] for group in cluster["workerGroupSpecs"]},
    }
    for name, cluster in CLUSTERS.items()
}

of_each_job = pytest.mark.parametrize("job", JOBS)


def accepted(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.33", strict=True)


@of_each_job
@pytest.mark.parametrize("kind", ["ConfigMap", "NetworkPolicy"])
def test_kubernetes_accepts_its_resources(job: str, kind: str) -> None:
    accepted(DOCUMENTS[job][kind])


@of_each_job
@pytest.mark.parametrize("name", ["head", "trials"])
def test_kubernetes_accepts_each_pod(job: str, name: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", **TEMPLATES[job][name]}
    accepted(pod)
    pod["spec"] = {**pod["spec"], "volumess": []}
    with pytest.raises(kubernetes_validate.ValidationError, match="volumess"):
        accepted(pod)


def set_at(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy of ``document`` with ``value`` at the dotted ``path``; numbers index lists."""
    copy = deepcopy(document)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    at: Any = copy
    for step in parents:
        at = at[step]
    at[last] = value
    return copy


@of_each_job
@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("spec.entryPoint", "trajtune status"),
        ("spec.backoffLimit", "3"),
        ("spec.submissionMode", "KubernetesJob"),
        ("spec.rayClusterSpec.authOptions.mode", "tokens"),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
        ("spec.rayClusterSpec.workerGroupSpecs.0.maxReplica", 10),
    ],
)
def test_kuberay_accepts_the_job_and_the_schema_detects_errors(job: str, path: str, wrong: object) -> None:
    """No package contains KubeRay's schema; rayjob.schema.json has the declarations of its types."""
    schema = json.loads((Path(__file__).parents[1] / "rayjob.schema.json").read_text("utf-8"))
    jsonschema.validate(DOCUMENTS[job]["RayJob"], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(set_at(DOCUMENTS[job]["RayJob"], path, wrong), schema)


@of_each_job
def test_the_job_runs_without_root_and_within_limits(job: str) -> None:
    for template in TEMPLATES[job].values():
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in template["spec"]["containers"]:
            assert container["resources"].keys() == {"requests", "limits"}
    assert CLUSTERS[job]["authOptions"] == {"mode": "token"}
    assert CLUSTERS[job]["rayVersion"] == version("ray")


@of_each_job
def test_urls_come_from_secrets_and_only_to_the_head(job: str) -> None:
    names = {}
    for name, template in TEMPLATES[job].items():
        (container,) = template["spec"]["containers"]
        names[name] = {variable["name"] for variable in container["env"]}
        for variable in container["env"]:
            if re.search("URL|KEY|TOKEN|PASSWORD|SECRET", variable["name"]):
                assert list(variable["valueFrom"]) == ["secretKeyRef"], variable["name"]
    assert names["head"] - names["trials"] == {"POSTGRES_URL", "TRAJTUNE_STUDY_URL"}


@of_each_job
def test_its_experiment_is_valid_and_stores_nothing_on_a_pod(job: str) -> None:
    content = yaml.safe_load(DOCUMENTS[job]["ConfigMap"]["data"]["experiment.yaml"])
    storage = validate(Experiment, content, "deploy").storage
    assert storage.study_url_variable == "TRAJTUNE_STUDY_URL"
    entrypoint = DOCUMENTS[job]["RayJob"]["spec"]["entrypoint"]
    assert set(re.findall(r"s3://\S+/runs(?=/(?:long|gpu))", entrypoint)) == {storage.runs}
    assert storage.snapshots.startswith("s3://")


def test_the_job_on_gpus_starts_without_one_and_gives_each_trial_its_share() -> None:
    job = "kuberay-rayjob-gpu.yaml"
    content = yaml.safe_load(DOCUMENTS[job]["ConfigMap"]["data"]["experiment.yaml"])
    share = validate(Experiment, content, "deploy").search.gpus_per_trial
    (workers,) = CLUSTERS[job]["workerGroupSpecs"]
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert workers["replicas"] == workers["minReplicas"] == 0
    assert int(limits["nvidia.com/gpu"]) / share == int(limits["cpu"]), "a CPU for each trial"


@of_each_job
def test_its_command_has_only_existing_flags(job: str) -> None:
    shell, flag, script = shlex.split(DOCUMENTS[job]["RayJob"]["spec"]["entrypoint"])
    assert (shell, flag) == ("bash", "-c")
    commands = re.findall(r"trajtune (\w+) ([^;>]*)", script)
    assert [command for command, _ in commands] == ["status", "search", "search"]
    for command, arguments in commands:
        said = subprocess.run(
            [Path(sys.executable).with_name("trajtune"), command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        for name in re.findall(r"--[\w-]+", arguments):
            assert re.search(rf"{name}\b", said.stdout), name


def test_ray_accepts_the_cluster() -> None:
    content = yaml.safe_load((DEPLOY / "cluster.yaml").read_text("utf-8"))
    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text("utf-8"))
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        jsonschema.validate({**content, "max_worker": 1}, schema)
    assert content["head_node_type"] in content["available_node_types"]
    (start,) = [command for command in content["head_start_ray_commands"] if "--head" in command]
    assert "--dashboard-host=127.0.0.1" in start


def test_the_clusters_experiment_stores_nothing_on_a_machine_and_is_copied_to_the_head() -> None:
    content = yaml.safe_load((DEPLOY / "cluster.yaml").read_text("utf-8"))
    ((there, here),) = content["file_mounts"].items()
    assert f"trajtune search {there} " in (DEPLOY / "cluster.yaml").read_text("utf-8")
    experiment = yaml.safe_load((DEPLOY.parent / here).read_text("utf-8"))
    storage = validate(Experiment, experiment, here).storage
    assert (storage.runs[:5], storage.snapshots[:5], storage.study_url_variable) == (
        *("s3://", "s3://"),
        "TRAJTUNE_STUDY_URL",
    )


def test_no_recipe_holds_an_address_with_a_password() -> None:
    for path in DEPLOY.iterdir():
        assert not re.search(r"://[^/\s.]+:[^/\s]+@", path.read_text("utf-8")), path


def test_the_image_is_linted_and_pinned_and_runs_without_root() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    linted = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["1000"]
    assert f"ray[default]=={version('ray')}" in text
    assert f"torch=={version('torch').partition('+')[0]}" in text
