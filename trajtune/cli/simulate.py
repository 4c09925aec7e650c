"""``trajtune simulate``: write simulated careers."""

from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson, database_url
from trajtune.cli.output import as_json_text
from trajtune.experiment.populations import LARGEST_SEED, Population
from trajtune.stages import loading


def simulate(
    careers: Annotated[int, typer.Option(min=1, help="Number of careers.")],
    to: Annotated[
        str,
        typer.Option(help="`postgres` (the database in POSTGRES_URL), or a .parquet, .jsonl or .csv file."),
    ],
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Seed of the generator; the same seed gives the same careers."
        ),
    ] = 0,
    population: Annotated[
        Population, typer.Option(help="Kind of careers; see `source.process.population`.")
    ] = "default",
    as_json: AsJson = False,
) -> None:
    """Write simulated careers, and print the best that any model could reach on them.

    Example: trajtune simulate --careers 20000 --to careers.parquet
    """
    with loading(shown=not as_json):
        from trajtune.experiment.sources import ProcessSettings
        from trajtune.model.baselines.bayes import population_optimum
        from trajtune.page.format import number
        from trajtune.simulation.write_careers import write_simulated, write_simulated_table

    settings = ProcessSettings(population=population)
    if to == "postgres":
        written = write_simulated_table(careers, seed, database_url(), settings)
    else:
        written = write_simulated(careers, seed, to, settings)
    shown = to if to == "postgres" else written  # a URL is not repeated
    optimum = population_optimum(careers, seed, settings)
    if as_json:
        print(
            as_json_text(
                {"careers": careers, "seed": seed, "population": population, "to": shown, "limit": optimum}
            )
        )
        return
    print(f"{careers:,} simulated careers in {written}")
    print("The best that any model could reach on their last moves:")
    for name, value in optimum.items():
        print(f"  {name:<28} {number(value)}")
