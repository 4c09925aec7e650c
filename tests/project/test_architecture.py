"""Imports run in one direction, heavy packages only where they belong, and the diagram agrees."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.api import read_configuration

ROOT = Path(__file__).parents[2]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_keeps_the_contracts() -> None:
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("careers/parse/dates.py", "import trajtune.dataset.split", "Stages follow the data"),
        ("model/training/fit.py", "import trajtune.searching.run", "Stages follow the data"),
        ("searching/run.py", "import trajtune.dataset.test_split", "Only finalize opens the test split"),
        ("model/training/fit.py", "import ray", "Ray where something runs on it"),
        ("careers/parse/dates.py", "import torch", "torch where models"),
        ("dataset/titles.py", "import pydantic", "A bundle is read with numpy and onnxruntime alone"),
    ],
)
def test_an_import_that_breaks_a_contract_is_named(
    tmp_path: Path, module: str, line: str, contract: str
) -> None:
    shutil.copytree(ROOT / "trajtune", tmp_path / "trajtune", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "trajtune" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    outcome = lint_imports(tmp_path)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert re.search(rf"{contract}.* BROKEN", " ".join(outcome.stdout.split()))


def arrows(chain: list[list[str]]) -> set[tuple[str, str]]:
    return {pair for left, right in itertools.pairwise(chain) for pair in itertools.product(left, right)}


def test_the_diagrams_arrows_equal_the_contracts() -> None:
    (document,) = (ROOT / "docs").rglob("architecture.md")
    diagram = re.search(r"```mermaid\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    assert diagram is not None
    drawn: set[tuple[str, str]] = set()
    for line in diagram[1].splitlines():
        if "-->" in line:
            drawn |= arrows(
                [[re.sub(r"\[.*", "", node).strip() for node in end.split("&")] for end in line.split("-->")]
            )
    (stages,) = (
        c
        for c in read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
        if c["id"] == "stages"
    )
    layers = [
        [module.strip().removeprefix("trajtune.") for module in layer.split("|")]
        for layer in stages["layers"]
    ]
    assert drawn == arrows(layers[::-1])


def test_every_module_is_in_the_contracts() -> None:
    contracts = {c["id"]: c for c in read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]}
    placed = {m.strip() for layer in contracts["stages"]["layers"] for m in layer.split("|")}
    placed |= set(contracts["bundle"]["source_modules"])
    there = {f"trajtune.{path.stem}" for path in (ROOT / "trajtune").iterdir() if path.suffix == ".py"}
    there |= {f"trajtune.{path.parent.name}" for path in (ROOT / "trajtune").glob("*/__init__.py")}
    assert there - {"trajtune.__init__"} == placed
