"""Reading careers from sources of any kind."""

import pytest

from tests.careers.sources.postgres.reading import Execute, fill, history, load
from trajtune.careers.read import load_career_sequences
from trajtune.dataset.identity.unicode_key import identity
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import PostgresSource, ProcessSettings, SimulatedSource
from trajtune.simulation.generator import num_titles
from trajtune.simulation.simulate import days_since_epoch, simulate
from trajtune.simulation.spellings import NUM_SPELLINGS, spelling_table

SMALL = ProcessSettings(num_families=3, num_specialisations=3)


def test_the_simulated_source_gives_the_drawn_careers(tmp_path, monkeypatch, ray_local):
    monkeypatch.setenv("TRAJTUNE_HOME", str(tmp_path))
    source = SimulatedSource(careers=300, seed=5, process=SMALL)
    loaded = load_career_sequences(source, DataSettings(hireable_key="hireable"))
    careers = simulate(300, 5, SMALL)
    assert loaded.source["kind"] == "simulated"
    assert ProcessSettings.model_validate(loaded.source["process"]) == SMALL
    rows = sorted(loaded.careers.to_pylist(), key=lambda row: int(row["candidate_id"]))
    surface = spelling_table(SMALL)
    for i, row in enumerate(rows):
        roles = slice(careers.offsets[i], careers.offsets[i + 1])
        numbers = int(careers.languages[i]) * num_titles(SMALL) + careers.titles[roles].astype(int)
        written = [
            surface[number * NUM_SPELLINGS + form]
            for number, form in zip(numbers, careers.spellings[roles], strict=True)
        ]
        assert [identity(title) for title in row["titles"]] == [identity(title) for title in written]
        assert [days_since_epoch(day) for day in row["starts"]] == careers.starts[roles].tolist()
        assert [day is None for day in row["ends"]] == careers.held[roles].tolist()
        assert row["hireable"] == careers.hireable[i]
    assert len(rows) == 300


@pytest.mark.usefixtures("ray_local")
def test_a_missing_url_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("POSTGRES_URL", raising=False)
    with pytest.raises(SourceError, match="POSTGRES_URL is not set"):
        load_career_sequences(PostgresSource(), DataSettings())


@pytest.mark.usefixtures("ray_local")
def test_too_many_faulty_rows_stop_with_the_most_frequent_reasons(database: str, execute: Execute):
    execute("create table faulty (id int, work_history jsonb)")
    rows = (
        [(i, history("A", "B")) for i in range(6)] + [(i, '{"a": 1}') for i in range(6, 9)] + [(None, "[]")]
    )
    execute("insert into faulty values %s", rows)
    with pytest.raises(SourceError, match="40% of 10 rows.*unreadable_history 3, no_id 1"):
        load(database, table="faulty")
    assert load(database, DataSettings(max_quarantine_fraction=0.4), table="faulty").careers.num_rows == 6


@pytest.mark.usefixtures("ray_local")
def test_a_label_key_that_nobody_has_is_an_error(database: str, execute: Execute):
    fill(execute, "unlabelled", 3)
    with pytest.raises(SourceError, match="No career has a label under `good`"):
        load(database, DataSettings(hireable_key="good"), table="unlabelled")
