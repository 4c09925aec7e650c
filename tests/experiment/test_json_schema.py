"""The schemas in docs/ match the code, and the shipped files name them."""

import json
from pathlib import Path

import pytest

from trajtune.experiment.json_schema import experiment_schema, space_schema
from trajtune.experiment.params import Params
from trajtune.experiment.settings import Experiment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "schema"), [("experiment", experiment_schema()), ("space", space_schema())])
def test_the_schema_in_docs_matches_the_code(name: str, schema: object) -> None:
    written = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text("utf-8"))

    assert written == schema, "run `python -m trajtune.experiment.json_schema docs`"


@pytest.mark.parametrize(("folder", "name"), [("experiments", "experiment"), ("search_spaces", "space")])
def test_every_shipped_file_names_its_schema_for_editors(folder: str, name: str) -> None:
    files = sorted((ROOT / folder).glob("*.yaml"))

    assert files
    for file in files:
        first = file.read_text("utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema=../docs/{name}.schema.json", file.name


def test_editors_can_complete_every_key() -> None:
    assert set(experiment_schema()["properties"]) == set(Experiment.model_fields)
    assert set(space_schema()["properties"]["params"]["properties"]) == set(Params.model_fields)


@pytest.mark.parametrize("schema", [experiment_schema(), space_schema()], ids=["experiment", "space"])
def test_every_setting_has_a_description(schema: dict) -> None:
    """Editors and the generated reference show these descriptions."""
    undescribed = [
        f"{name}.{key}"
        for name, definition in schema["$defs"].items()
        for key, setting in definition.get("properties", {}).items()
        if "description" not in setting and "const" not in setting
    ]
    assert undescribed == []
