"""Each command in the README and docs/ runs or is parsed, and each file in them loads.

Commands run in the order of `PAGES`, in one directory. trajtune's commands run in this process. `NOT_RUN`
lists the commands that do not run, with the reason; those of trajtune are still parsed.
"""

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main
import yaml

from tests.project.commands_not_run import NOT_RUN
from trajtune.cli import app
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.simulation.write_careers import write_simulated

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    DOCS / "tutorial" / "first_hour.md",  # creates the run and the bundle `first`, which the other pages use
    DOCS / "tutorial" / "notebook.md",
    *sorted((DOCS / "how-to").glob("*.md")),
    *sorted((DOCS / "cookbook").glob("*.md")),
    ROOT / "README.md",
    *sorted((DOCS / "reference").glob("*.md")),
    *sorted((DOCS / "explanation").glob("*.md")),
    *sorted(DOCS.glob("*.md")),
]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLACEHOLDER_URL = "postgresql://user:password@host/"


PYTHON_NOT_RUN = {
    DOCS / "tutorial" / "notebook.md": "searches; tests/project/test_notebook.py runs the same cells",
    DOCS / "reference" / "api.md": "searches and finalizes, as commands do; its imports are tried",
    DOCS / "cookbook" / "us_congress.md": "converts a downloaded file; its imports are tried",
    DOCS / "explanation" / "simulation.md": "stands in for a program; its imports are tried",
}


class Command(NamedTuple):
    page: Path
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)

    @property
    def key(self) -> str:
        return shlex.join(self.words) if "'" not in self.text else self.text.partition("  #")[0].strip()

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text}"


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    """Yield the text after the language of each fence, and its block without the indent of a list."""
    fence = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for indent, language, title, body in fence.findall(page.read_text("utf-8")):
        if language in languages:
            yield title, re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        for _, body in blocks(page, "console"):
            found += [Command(page, line[2:]) for line in body.splitlines() if line.startswith("$ ")]
        for _, body in blocks(page, "bash", "sh"):
            found += [Command(page, line) for line in body.splitlines() if line and not line.startswith("#")]
    return found


COMMANDS = commands()


def shown_outputs() -> dict[str, str]:
    """Return the output that pages show for a command: the `text` fence after the command's."""
    found = {}
    for page in PAGES:
        following = re.compile(r"^```console\n([^`]*)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
        for said, output in following.findall(page.read_text("utf-8")):
            found[Command(page, said.splitlines()[-1][2:]).key] = output
    return found


SHOWN = shown_outputs()


def labels(output: str) -> set[str]:
    """Return the first column of each line, without hashes and numbers, which differ between machines."""
    lines = [re.split(r"  +", line.strip())[0] for line in output.splitlines()]
    return {re.sub(r"\b[0-9a-f]{16}\b|\d[\d.,]*", "#", line) for line in lines} - {"", "..."}


def parse(words: list[str]) -> None:
    """Check that the command and each option exist and have a value, without running it."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("trajtune", list(words))
    name, command, rest = group.resolve_command(context, list(words))
    if "--help" not in rest:
        command.make_context(name, rest, parent=context)


def is_trajtune(words: list[str]) -> bool:
    return Path(words[0]).name == "trajtune"


def test_all_pages_are_tested() -> None:
    assert sorted(PAGES) == sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("command", [c for c in COMMANDS if is_trajtune(c.words)], ids=str)
def test_every_command_of_trajtune_in_the_docs_parses(command: Command) -> None:
    parse(command.words[1:])


def test_an_invalid_command_is_detected() -> None:
    for words in (
        ["serch"],
        ["search", "--trails", "3"],
        ["search", "--trials"],
        ["search", "--trials", "many"],
    ):
        with pytest.raises(Exception, match=r"(?i)no such|requires an argument|valid integer"):
            parse(words)


def test_every_example_in_the_help_parses() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        examples = re.findall(r"Example: (trajtune .*)", command.help)
        assert examples, name
        for example in examples:
            parse(shlex.split(example)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_sentences_exist(page: Path) -> None:
    """For example, `trajtune search --resume RUN` in a sentence."""
    group: Any = typer.main.get_command(app)
    for span in re.findall(r"`trajtune ([^`]+)`", page.read_text("utf-8")):
        name = span.split()[0]
        if name.isupper():  # an MLflow experiment is called `trajtune RUN`
            continue
        known = {option for parameter in group.params for option in parameter.opts}
        if not name.startswith("--"):
            assert name in group.commands, f"trajtune {span}"
            known = {option for p in group.commands[name].params for option in p.opts}
        for option in re.findall(r"--[a-z][\w-]*", span):
            assert option in {*known, "--help"}, f"trajtune {span}"


def test_pages_named_in_code_and_shipped_files_exist() -> None:
    for folder in ("trajtune", "experiments", "search_spaces", "benchmarks"):
        for file in (ROOT / folder).rglob("*.*"):
            text = file.read_text("utf-8") if file.suffix in {".py", ".yaml"} else ""
            for name in re.findall(r"\bdocs/[\w./-]*\w", text):
                assert (ROOT / name).exists(), f"{file.relative_to(ROOT)} names {name}"


def first_column(section: str) -> set[str]:
    """Return the names in code quotes in the first column of a table in the README."""
    readme = (ROOT / "README.md").read_text("utf-8")
    below = readme.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return {
        name for row in re.findall(r"^\| (`[^|]*) \|", below, re.MULTILINE) for name in row.split("`")[1::2]
    }


def test_the_readme_has_every_command() -> None:
    group: Any = typer.main.get_command(app)
    named = {row.removeprefix("trajtune ").split()[0] for row in first_column("Commands")}
    assert named == set(group.commands)


def test_every_shipped_experiment_and_space_is_documented() -> None:
    readme, spaces = (
        (ROOT / "README.md").read_text("utf-8"),
        (DOCS / "how-to" / "space.md").read_text("utf-8"),
    )
    ready = readme.partition("Ready experiments, by name:")[2].partition("\n\n")[0]
    assert {file.stem for file in (ROOT / "experiments").iterdir()} <= set(ready.split("`")[1::2])
    assert {file.stem for file in (ROOT / "search_spaces").iterdir()} <= set(spaces.split("`")[1::2])


def test_make_and_benchmarks_have_what_the_docs_call() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for page in PAGES:
        text = page.read_text("utf-8")
        for target in re.findall(r"`make ([\w-]+)`|^\$ make ([\w-]+)", text, re.MULTILINE):
            assert "".join(target) in targets, page
        for name, arguments in re.findall(r"python (?:-m )?benchmarks[./](\w+)(?:\.py)?([^`\n]*)", text):
            source = (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")
            for option in re.findall(r"--[\w-]+", arguments):
                assert f'"{option}"' in source, f"{page}: {name} {option}"


def test_every_command_that_is_not_run_is_in_the_docs() -> None:
    assert set(NOT_RUN) - {command.key for command in COMMANDS} == set()


def test_shown_output_is_of_commands_that_run() -> None:
    assert len(SHOWN) >= 4
    assert set(SHOWN) - set(NOT_RUN) == set(SHOWN)


FILE = re.compile(r"(?<![\w./-])((?:trajtune|tests|docs|benchmarks|experiments|search_spaces)/[\w./-]*\w)")
TESTS = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_tests_named_in_the_docs_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in FILE.findall(text):
        assert (ROOT / name).exists(), f"{page.relative_to(ROOT)} names {name}"
    for name, rest in re.findall(r"`(test_\w+)(\.\.\.)?`", text):
        assert f"def {name}" + ("" if rest else "(") in TESTS, f"{page.relative_to(ROOT)} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_yaml_in_the_docs_is_an_experiment_or_a_space(page: Path) -> None:
    for _, body in blocks(page, "yaml"):
        content = yaml.safe_load(body) or {}
        validate(Space if "params" in content else Experiment, content, str(page))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_in_the_docs_runs_or_says_why_not(
    tmp_path: Path,
    own_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    ray_local: None,
) -> None:
    """Run the commands of each page in order, with a database of simulated careers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAJTUNE_HOME", str(tmp_path / "home"))
    write_simulated(600, 0, own_database)
    done, took = set(), []
    for page in PAGES:
        monkeypatch.delenv("POSTGRES_URL", raising=False)
        for title, body in blocks(page, "yaml"):
            if name := re.search(r'title="(.+?)"', title):
                Path(name[1]).write_text(body, "utf-8")
        for command in (c for c in COMMANDS if c.page == page):
            words, begun = command.words, time.monotonic()
            if words[0] == "export":
                name_, _, value = words[1].partition("=")
                assert value.startswith(PLACEHOLDER_URL), command
                monkeypatch.setenv(name_, own_database)
            elif words[0] == "curl":
                continue  # asks a server; tests/serving/test_app.py does
            elif command.key not in {*NOT_RUN, *done} and (CHROMIUM or "picture" not in command.text):
                done.add(command.key)
                code, said = run(command, monkeypatch, capfd)
                assert code == 0, f"{command}\n{said}"
                assert "Traceback" not in said, f"{command}\n{said}"
                unsaid = labels(SHOWN.get(command.key, "")) - labels(said)
                assert not unsaid, f"{command} does not say {sorted(unsaid)} any more, but\n{said}"
                took.append(f"{time.monotonic() - begun:.1f} s {command}")
        for _, body in blocks(page, "python"):
            program = ast.parse(body)
            if page in PYTHON_NOT_RUN:
                program.body = [
                    line for line in program.body if isinstance(line, ast.Import | ast.ImportFrom)
                ]
            exec(compile(program, page, "exec"), {})
    assert {file.name for file in Path("bundles/first").iterdir()} == first_column("What is in a bundle")
    print(*took, sep="\n")


def run(
    command: Command, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Run trajtune's commands in this process, which has imported Ray and torch, and others in a shell."""
    if not is_trajtune(command.words):
        text = re.sub(r"^python\b", sys.executable, command.text)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        bash = subprocess.run(
            ["bash", "-c", text], capture_output=True, text=True, timeout=60, env=environment
        )
        return bash.returncode, bash.stdout + bash.stderr
    monkeypatch.setattr(sys, "argv", ["trajtune", *command.words[1:]])
    capfd.readouterr()
    module, _, function = SCRIPTS["trajtune"].partition(":")
    with pytest.raises(SystemExit) as caught:
        getattr(importlib.import_module(module), function)()
    code = caught.value.code
    return code if isinstance(code, int) else int(code is not None), "\n".join(capfd.readouterr())
