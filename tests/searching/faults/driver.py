"""Start a search, or resume it if it exists, in a separate process."""

import argparse
from pathlib import Path

from trajtune.dataset.snapshot import open_snapshot
from trajtune.experiment.load import load_experiment
from trajtune.searching.run import resume_search, start_search
from trajtune.searching.runs.resume_check import Expected

RUN = "run"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="A path to a YAML file.")
    parser.add_argument("snapshot", type=Path)
    arguments = parser.parse_args()
    experiment = load_experiment(arguments.experiment)
    run = Path(experiment.storage.runs) / RUN
    if run.exists():
        resume_search(run, expected=Expected(experiment=experiment), trials=experiment.search.trials)
    else:
        start_search(experiment, open_snapshot(arguments.snapshot), name=RUN)


if __name__ == "__main__":
    main()
