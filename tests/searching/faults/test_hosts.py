"""A search on hosts that share only a database and a bucket; the network, a host and the driver fail."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.searching.faults.killing import check_invariants
from tests.searching.faults.test_kill import experiment
from tests.support.gate import gate_to
from tests.support.hosts import OUTSIDE, Host, hosts, why_no_hosts
from tests.support.marked_password import PASSWORD
from tests.support.postgres_server import database_server
from tests.support.s3 import S3Store
from trajtune.errors import RunError
from trajtune.experiment.load import save_experiment, validate
from trajtune.experiment.settings import Experiment
from trajtune.searching.runs.directory import open_run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, read_trials
from trajtune.storage import path as paths
from trajtune.storage.path import children, stored_path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_no_hosts() is not None, reason=str(why_no_hosts())),
]

BIN = Path(sys.executable).parent
PORT = "6390"
MORE_THAN_CAN_END = 1000
RUN = "s3://hosts/runs/long"
SNAPSHOTS = "s3://hosts/snapshots"


@pytest.fixture
def shared(
    s3_store: S3Store, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[Host], dict[str, str]]]:
    """Four hosts, and the environment variables for their database and bucket."""
    s3_store.put("hosts", "there", b"")
    with (
        hosts(4) as made,
        database_server(tmp_path_factory.mktemp("shared")) as server,
        gate_to(s3_store.url, OUTSIDE) as (_, s3_url),
        gate_to(f"http://127.0.0.1:{server.port}", OUTSIDE) as (_, database_url),
    ):
        url = f"postgresql://postgres:{PASSWORD}@{database_url.removeprefix('http://')}/postgres"
        environment = {
            **S3Store(s3_url).environment,
            "TRAJTUNE_STUDY_URL": url,
            "POSTGRES_URL": url,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        paths._filesystem_of.cache_clear()
        yield made, environment
        paths._filesystem_of.cache_clear()


def test_a_search_on_three_hosts_survives_the_network_a_host_and_its_driver(
    shared: tuple[list[Host], dict[str, str]], tmp_path: Path
) -> None:
    (one, two, three, four), environment = shared
    subprocess.run([BIN / "trajtune", "simulate", "--careers", "3000", "--to", "postgres"], check=True)
    # Trials are long. With short ones, Tune gives the next trial to a process that has just finished, and
    # never waits for a process that starts on a new host.
    pruner = {"name": "asha", "grace_period": 6}
    content = experiment(tmp_path, trials=MORE_THAN_CAN_END, max_failures=20, pruner=pruner).model_dump()
    content["storage"] = {
        "runs": RUN.rpartition("/")[0],
        "study_url_variable": "TRAJTUNE_STUDY_URL",
        "snapshots": SNAPSHOTS,
    }
    content["finalize"] = {"top_k": 1, "seeds": 1, "workers": 2}  # each worker is on another host
    save_experiment(validate(Experiment, content, "test"), one.path("/tmp/experiment.yaml"))
    one.run(str(BIN / "trajtune"), "prepare", "/tmp/experiment.yaml", environment=environment)
    (snapshot,) = children(stored_path(SNAPSHOTS))

    join(one, one, environment)
    join(two, one, environment)
    address = ("--address", f"{one.address}:{PORT}")
    search = ("search", "/tmp/experiment.yaml", "--snapshot", str(snapshot), "--run", "long", *address)
    driver = one.start(str(BIN / "trajtune"), *search, environment=environment)
    wait_until(driver, lambda trials: epochs_on(trials, two) >= 3, "the second host trains")

    join(three, one, environment)
    wait_until(driver, lambda trials: epochs_on(trials, three) >= 3, "the host that has joined trains")

    two.cut()
    time.sleep(60)
    two.reconnect()
    wait_until(
        driver, lambda trials: num_epochs(trials) >= 20, "the search continues without the second host"
    )

    three.kill()
    before = num_epochs(read_trials(read_study(open_run(RUN).path)))
    wait_until(
        driver, lambda trials: num_epochs(trials) >= before + 3, "the search continues without the third host"
    )

    (trajtune,) = psutil.Process(driver.pid).children()
    trajtune.kill()
    join(four, one, environment)
    # The progress of the search depends on the machine; a few more trials keep both hosts busy in any case.
    started = sum(trial.state != "WAITING" for trial in read_trials(read_study(open_run(RUN).path)))
    resume = ("search", "--resume", RUN, "--trials", str(started + 6), *address)
    resumed = four.run(str(BIN / "trajtune"), *resume, environment=environment, timeout=400)
    trials = check_invariants(open_run(RUN), started + 6)
    trained_on = {epoch["node"] for trial in trials for epoch in trial.epochs}
    assert trained_on == {host.name for host in (one, two, three, four)}

    output = four.run(
        *(str(BIN / "trajtune"), "finalize", RUN, "--out", "/tmp/bundle", *address),
        environment=environment,
        timeout=300,
    )
    assert output.splitlines()[-1] == "/tmp/bundle", output
    four.run(str(BIN / "trajtune"), "verify", "/tmp/bundle", environment=environment)
    print(resumed[-300:])


def join(host: Host, head: Host, environment: dict[str, str]) -> None:
    """Start Ray on a host, in the cluster whose head is on ``head``, and wait until it has joined."""
    where = ("--head", "--port", PORT, "--include-dashboard", "false")
    if host is not head:
        where = ("--address", f"{head.address}:{PORT}")
    command = ("start", *where, "--node-ip-address", host.address, "--num-cpus", "1", "--block")
    ray = host.start(str(BIN / "ray"), *command, environment=environment)
    assert ray.stdout is not None
    for line in ray.stdout:
        if "Ray runtime started" in line:
            return
    raise AssertionError(f"Ray does not start on {host.name}")


def wait_until(driver: "subprocess.Popen[str]", reached: object, what: str) -> None:
    """Wait until the study satisfies ``reached``, while the driver runs."""
    assert callable(reached)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and driver.poll() is None:
        try:
            if reached(read_trials(read_study(open_run(RUN).path))):
                return
        except (RunError, FileNotFoundError, KeyError):
            pass  # the run or its study is being created
        time.sleep(0.5)
    driver.kill()
    raise AssertionError(f"not reached: {what}; {driver.communicate()[0][-3000:]}")


def epochs_on(trials: list[TrialRecord], host: Host) -> int:
    return sum(epoch["node"] == host.name for trial in trials for epoch in trial.epochs)


def num_epochs(trials: list[TrialRecord]) -> int:
    return sum(len(trial.epochs) for trial in trials)
