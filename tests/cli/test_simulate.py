"""`trajtune simulate`: named populations, and errors of one line."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from psycopg2.extensions import make_dsn

from tests.careers.sources.test_embedded_postgres import ask
from tests.cli.running import PASSWORD, Trajtune, assert_one_line
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


def test_a_negative_seed_is_refused(trajtune: Trajtune, tmp_path: Path) -> None:
    outcome = trajtune("simulate", "--careers", "20", "--to", "careers.csv", "--seed", "-1")
    assert outcome.code == 2
    assert "--seed" in outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_simulating_into_a_database_given_as_settings(
    trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, own_database: str
) -> None:
    settings = make_dsn(own_database, password=PASSWORD)
    assert settings.startswith("user=")
    monkeypatch.setenv("POSTGRES_URL", settings)
    outcome = trajtune("simulate", "--careers", "40", "--to", "postgres", "--json")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["to"] == "postgres"
    assert ask(own_database, "select count(*) from candidates") == 40
    outcome = trajtune("simulate", "--careers", "30", "--to", own_database, "--json")
    assert json.loads(outcome.out)["to"] == "the table `candidates`"
    assert ask(own_database, "select count(*) from candidates") == 30
