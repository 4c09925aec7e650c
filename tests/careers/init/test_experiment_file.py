"""The experiment file that `trajtune init` writes."""

import json
from pathlib import Path

import yaml

from tests.careers.init.databases import Database, json_table, source, written
from tests.cli.running import Trajtune


def test_editors_find_the_schema_that_the_file_names_and_comments_are_yaml(
    trajtune: Trajtune, database: Database, tmp_path: Path
) -> None:
    json_table(database, "yes", ("title", "start_date", "end_date"), ("id", "work\nhistory: #"))
    experiment = written(trajtune("init", "--yes"))
    assert source(experiment).table == "yes"
    assert source(experiment).layout.model_dump()["history_column"] == "work\nhistory: #"
    first = (tmp_path / "experiment.yaml").read_text("utf-8").splitlines()[0]
    schema = json.loads((tmp_path / first.partition("$schema=")[2]).read_text("utf-8"))
    keys = yaml.safe_load((tmp_path / "experiment.yaml").read_text("utf-8"))
    assert set(keys) <= set(schema["properties"])
