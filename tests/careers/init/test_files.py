"""`trajtune init --from`: `prepare` reads common formats without settings by hand."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.careers.init.export_samples import PEOPLE, SAMPLES
from tests.cli.running import Trajtune
from tests.support.s3 import S3Store
from trajtune.careers.read import load_career_sequences
from trajtune.experiment.load import load_experiment

EXPECTED = {
    "people_data_labs": {"id_column": "id", "history_column": "experience", "title_key": "title.name"},
    "proxycurl": {
        "id_column": "public_identifier",
        "history_column": "experiences",
        "start_key": "starts_at",
    },
    "linkedin": {"id_column": None, "title_column": "Title", "start_column": "Started On"},
    "json_resume": {"history_column": "work", "title_key": "position"},
    "europass": {
        "history_column": "SkillsPassport",
        "history_key": "LearnerInfo.WorkExperience",
        "title_key": "Position.Label",
        "start_key": "Period.From",
        "end_key": "Period.To",
        "current_key": "Period.Current",
    },
    "orcid": {
        "id_column": "orcid-identifier.path",
        "history_column": "activities-summary",
        "history_key": "employments.affiliation-group.summaries",
        "title_key": "employment-summary.role-title",
    },
    "popolo_memberships": {"layout": "roles", "id_column": "person_id", "title_column": "role"},
    "popolo_document": {"layout": "roles", "id_column": "person_id", "title_column": "role"},
    "ranges": {"layout": "roles", "start_column": "dates", "end_column": "dates"},
    "nested_terms": {"id_column": "id.bioguide", "history_column": "terms"},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_init_and_prepare_read_each_common_format(
    name: str, trajtune: Trajtune, tmp_path: Path, ray_local: None
) -> None:
    path = SAMPLES[name](tmp_path)
    outcome = trajtune("init", "found.yaml", "--from", str(path), "--yes")
    assert outcome.code == 0, outcome
    experiment = load_experiment("found.yaml")
    assert experiment.source.kind != "simulated"
    layout = experiment.source.layout.model_dump()
    assert {key: layout[key] for key in EXPECTED[name]} == EXPECTED[name]
    assert "100.0% of 36 roles can be read" in outcome.err
    prepared = trajtune("prepare", "found.yaml")
    assert prepared.code == 0, prepared
    loaded = load_career_sequences(experiment.source, experiment.data)
    assert loaded.counts["careers"] == PEOPLE
    assert loaded.counts["roles"] == 3 * PEOPLE
    assert loaded.counts["roles_without_end"] == PEOPLE
    assert {len(titles) for titles in loaded.careers["titles"].to_pylist()} == {3}
    assert "BSc" not in str(loaded.careers["titles"].to_pylist())


def test_parquet_files_are_inspected(trajtune: Trajtune, tmp_path: Path, ray_local: None) -> None:
    roles = [{"title": "A", "start_date": "2010-01-01", "end_date": "2012-01-01"}]
    history = [
        [*roles, {**roles[0], "title": "B", "start_date": f"20{12 + at}-01-01", "end_date": None}]
        for at in range(6)
    ]
    pq.write_table(pa.table({"person_id": list(range(6)), "jobs": history}), tmp_path / "people.parquet")
    outcome = trajtune("init", "found.yaml", "--from", str(tmp_path / "people.parquet"), "--yes")
    assert outcome.code == 0, outcome
    layout = load_experiment("found.yaml").source.layout  # type: ignore[union-attr]
    assert (layout.id_column, layout.history_column) == ("person_id", "jobs")  # type: ignore[union-attr]
    assert trajtune("prepare", "found.yaml").code == 0


def test_files_without_careers_are_one_line(trajtune: Trajtune, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    outcome = trajtune("init", "found.yaml", "--from", "x.csv", "--yes")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert "x.csv (columns a, b" in line
    outcome = trajtune("init", "found.yaml", "--from", "nowhere", "--yes")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert "no CSV, JSON, JSON lines or Parquet file at nowhere" in line


def test_the_share_of_unreadable_roles_is_shown(trajtune: Trajtune, tmp_path: Path) -> None:
    rows = [
        {
            "person_id": at // 2,
            "title": "A",
            "start_date": f"20{at:02}-01-01" if at % 5 else "long ago",
            "end_date": None,
        }
        for at in range(20)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    outcome = trajtune("init", "found.yaml", "--from", "rows.jsonl", "--yes")
    assert outcome.code == 0, outcome
    sentence = "Tried on 20 rows: 80.0% of 20 roles can be read; the most frequent fault is unreadable_start."
    assert sentence in outcome.err
    assert sentence in (tmp_path / "found.yaml").read_text()


def test_files_in_an_object_store_are_inspected(
    trajtune: Trajtune, tmp_path: Path, s3_store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = SAMPLES["nested_terms"](tmp_path).read_bytes()
    s3_store.put("exports", "people/part 1.jsonl", lines)
    for name, value in s3_store.environment.items():
        monkeypatch.setenv(name, value)
    outcome = trajtune("init", "found.yaml", "--from", "s3://exports/people", "--yes")
    assert outcome.code == 0, outcome
    source = load_experiment("found.yaml").source
    assert (source.kind, source.path) == ("jsonl", "s3://exports/people")  # type: ignore[union-attr]
