"""The notebook in docs/ runs as it is, shows progress in its cells, and the page has the same cells."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "tutorial" / "notebook.ipynb"


def source_of(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_the_page_has_the_cells_of_the_notebook() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    page = NOTEBOOK.with_suffix(".md").read_text("utf-8")
    programs = re.findall(r"```python\n(.*?)\n```", page, re.DOTALL)
    assert programs == [source_of(cell) for cell in cells if cell["cell_type"] == "code"]
    assert all(cell.get("outputs", []) == [] for cell in cells), "outputs are not kept"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_notebook_runs_and_its_cells_show_what_they_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TRAJTUNE_HOME", os.environ.get("TRAJTUNE_HOME") or str(tmp_path / "home"))
    monkeypatch.delenv("POSTGRES_URL", raising=False)
    notebook = nbformat.read(NOTEBOOK, 4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = {
        source_of(cell).splitlines()[0]: "\n".join(
            output.get("text", "") or "\n".join(map(str, output.get("data", {}).values()))
            for output in cell.outputs
        )
        for cell in cells
    }
    for program, said in [
        ("experiment =", "<progress"),
        ("experiment =", "<Snapshot "),
        ("run = search", "4 of 4 trials done: 4 complete"),
        ("run = search", "val_next_role_nll"),
        ("run.plot()", "best so far"),
        ("bundle =", "<Bundle bundles/notebook: "),
        ("predictions = ", "3 predictions"),
        ("predictions.to_frame()", "shown_min_months"),
        ("second =", "On val"),
    ]:
        (text,) = (text for line, text in shown.items() if line.startswith(program))
        assert said in text, (program, text)
    everything = "\n".join(shown.values())
    assert "Traceback" not in everything
    assert "\x1b[" not in everything, "no escape codes of a terminal"
    streams = [output for cell in cells for output in cell.outputs if output.output_type == "stream"]
    assert all("trial 0" not in output.text for output in streams), "the bar stands for the lines"
    # A notebook shows stderr in red. Only a library's or a repaired fault's notice may stand there.
    red = {line for output in streams if output.name == "stderr" for line in output.text.splitlines() if line}
    ours = [line for line in red if any(said in line for said in ("Best", "best", "ship", "gate", "val_"))]
    assert ours == [], red
