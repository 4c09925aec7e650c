"""The site of `make docs` builds, is complete, and opens without a network."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from trajtune.cli import app
from trajtune.experiment.params import Params

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build docs/ as `make docs` does."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.slow
def test_the_site_builds_with_every_link_and_needs_no_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # with 404.html
    for page in pages:
        text = page.read_text("utf-8")
        assert (
            re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]+"', text) == []
        ), page
        assert "<!-- generate" not in text
        assert "<!-- readme" not in text
        assert "flowchart" not in text  # each one is drawn


@pytest.mark.slow
def test_numbered_steps_stay_numbered(site: Path) -> None:
    """A block between two steps that is not indented starts a new list at 1."""
    lists = 0
    for page in site.rglob("*.html"):
        for steps in re.findall(r"<ol>.*?</ol>", page.read_text("utf-8"), re.DOTALL):
            lists += 1
            assert steps.count("<li>") > 1, (page, steps[:200])
    assert lists >= 5


@pytest.mark.slow
def test_the_generated_pages_have_every_option_setting_and_param(site: Path) -> None:
    group: Any = typer.main.get_command(app)
    said = {
        name: (site / "reference" / f"{name}.html").read_text("utf-8")
        for name in ("cli", "experiment", "space")
    }
    for name, command in group.commands.items():
        assert f"trajtune {name}" in said["cli"]
        for option in (option for parameter in command.params for option in parameter.opts):
            assert option.upper() in said["cli"].upper(), f"{name} {option}"
    schema = json.loads((DOCS / "experiment.schema.json").read_text("utf-8"))
    for definition in schema["$defs"].values():
        for setting in definition.get("properties", {}):
            assert f"<code>{setting}</code>" in said["experiment"], setting
    for param in Params.model_fields:
        assert f"<code>{param}</code>" in said["space"], param


@pytest.mark.slow
def test_pages_and_their_search_work_from_the_disk(site: Path, browser: Any) -> None:
    page = browser.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else elsewhere.append(r.url))
    page.goto((site / "reference" / "cli.html").as_uri())
    page.locator(".md-search__input").fill("winner's curse")
    page.locator(".md-search-result__link", has_text="curse").first.click()
    page.wait_for_url("**/explanation/selection.html*")
    assert page.locator("h1").inner_text().startswith("Selection and the winner's curse")
    assert elsewhere == []
    page.close()


def test_the_reference_has_every_public_name() -> None:
    import trajtune

    shown = re.findall(
        r"^::: trajtune\.([\w.]+)$", (DOCS / "reference" / "api.md").read_text("utf-8"), re.MULTILINE
    )
    # The specification's name of a function that also has another name.
    names = [*(name.rpartition(".")[2] for name in shown), "test_career_changers"]
    assert {*trajtune.__all__, "search", "finalize"} <= set(names)
