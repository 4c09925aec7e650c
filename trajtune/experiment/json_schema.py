"""Write JSON Schemas of experiment and space files: ``python -m trajtune.experiment.json_schema docs``."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from trajtune.experiment.params import Params
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import REQUIRED, Space

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema of experiment files."""
    return {"$schema": _DIALECT, **Experiment.model_json_schema()}


def space_schema() -> dict[str, Any]:
    """Return the JSON Schema of space files: a distribution or a fixed value for each param."""
    schema = Space.model_json_schema()
    entry = schema["properties"]["params"]["additionalProperties"]
    schema["$defs"]["Entry"] = entry
    schema["properties"]["params"] = {
        "type": "object",
        "properties": {
            name: {"$ref": "#/$defs/Entry", "description": field.description}
            for name, field in Params.model_fields.items()
        },
        "required": list(REQUIRED),
        "additionalProperties": False,
    }
    return {"$schema": _DIALECT, **schema}


def write_schemas(folder: Path) -> None:
    """Write ``experiment.schema.json`` and ``space.schema.json``."""
    for name, schema in (("experiment", experiment_schema()), ("space", space_schema())):
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.schema.json").write_text(text, "utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
