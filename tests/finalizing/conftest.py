"""A fixture with the metrics of the finalized bundle."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def metrics(finalized: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"metrics.json holds {constant}")

    content: dict[str, Any] = json.loads((finalized / "metrics.json").read_text(), parse_constant=refuse)
    return content
