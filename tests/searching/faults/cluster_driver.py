"""Search on a cluster of two nodes in a separate process, and write the pid of the second raylet."""

import argparse
import os
from pathlib import Path

from ray.cluster_utils import Cluster

from tests.searching.faults.driver import RUN
from trajtune.dataset.snapshot import open_snapshot
from trajtune.experiment.load import load_experiment
from trajtune.searching.run import SessionFlags, start_search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="A path to a YAML file.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("raylet", type=Path, help="Where its process id is written.")
    arguments = parser.parse_args()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        (raylet,) = node.all_processes["raylet"]
        arguments.raylet.write_text(str(raylet.process.pid))
        experiment = load_experiment(arguments.experiment)
        start_search(
            experiment,
            open_snapshot(arguments.snapshot),
            name=RUN,
            flags=SessionFlags(address=cluster.address),
        )
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    os.environ["RAY_AUTH_MODE"] = "disabled"
    main()
