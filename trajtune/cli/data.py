"""Careers in, snapshot out: ``simulate`` and ``prepare``."""

from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson, ExperimentName, Verbose
from trajtune.cli.inputs import database_url, experiment_of
from trajtune.cli.output import as_json_text


def simulate(
    careers: Annotated[int, typer.Option(min=1, help="How many.")],
    to: Annotated[
        str,
        typer.Option(help="`postgres` (the database in POSTGRES_URL), or a .parquet, .jsonl or .csv file."),
    ],
    seed: Annotated[int, typer.Option(help="Same seed, same careers.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write simulated careers, and print the limit of what any model could reach on them.

    Example: trajtune simulate --careers 20000 --to careers.parquet
    """
    from trajtune.experiment.sources import ProcessSettings
    from trajtune.model.baselines.bayes import population_limit
    from trajtune.simulation.writing import write_simulated

    write_simulated(careers, seed, database_url() if to == "postgres" else to)
    limit = population_limit(careers, seed, ProcessSettings())
    if as_json:
        print(as_json_text({"careers": careers, "seed": seed, "to": to, "limit": limit}))
        return
    print(f"{careers:,} simulated careers in {'the table candidates' if to == 'postgres' else to}")
    print("The best that any model could reach on their last moves:")
    for name, value in limit.items():
        print(f"  {name:<28} {value:.4g}" if isinstance(value, float) else f"  {name:<28} {value}")


def prepare(experiment: ExperimentName = None, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """Read the careers, split them in time and write a snapshot.

    Example: trajtune prepare experiments/default.yaml
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.data_report import DATA_REPORT
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.summary import summary

    resolved = experiment_of(experiment)
    with ray_session(verbose=verbose):
        snapshot = prepare_snapshot(resolved, progress=True)
    if as_json:
        print(as_json_text({"snapshot": str(snapshot.path), **snapshot.manifest}))
        return
    print(summary(snapshot))
    print(f"  report      {snapshot.path / DATA_REPORT}")
