"""`trajtune simulate`: the population that is asked for, and a file of an unknown kind is one line."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.cli.running import Trajtune, assert_one_line
from trajtune.experiment.sources import ProcessSettings
from trajtune.model.baselines.bayes import population_optimum
from trajtune.simulation.write_careers import write_simulated


def test_simulating_a_named_population(trajtune: Trajtune, tmp_path: Path) -> None:
    options = ("--careers", "300", "--population", "returning", "--json")
    outcome = trajtune("simulate", "--to", "careers.parquet", *options)
    assert outcome.code == 0, outcome
    found = json.loads(outcome.out)
    assert found["population"] == "returning"
    assert found["limit"]["nll"] > 0
    process = ProcessSettings(population="returning")
    write_simulated(300, 0, str(tmp_path / "same.parquet"), process)
    assert pq.read_table(tmp_path / "careers.parquet").equals(pq.read_table(tmp_path / "same.parquet"))
    assert found["limit"] == population_optimum(300, 0, process)


def test_simulating_into_a_file_of_an_unknown_kind(trajtune: Trajtune, tmp_path: Path) -> None:
    assert_one_line(
        trajtune("simulate", "--careers", "10", "--to", "careers.xlsx"), "SourceError", ".parquet"
    )
    assert list(tmp_path.iterdir()) == []
