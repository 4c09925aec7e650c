"""The README and docs/: each command in them runs or parses, and each file in them loads.

Commands run in the order of `PAGES`, in one directory, in this process where they are trajtune's. What
does not run is listed in `NOT_RUN` with the reason; commands of trajtune parse all the same.
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

from trajtune.cli import app
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.simulation.write_careers import write_simulated

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    DOCS / "tutorial" / "first_hour.md",  # makes the run and the bundle `first`, which the others use
    *sorted((DOCS / "how-to").glob("*.md")),
    ROOT / "README.md",
    *sorted((DOCS / "reference").glob("*.md")),
    *sorted((DOCS / "explanation").glob("*.md")),
    DOCS / "index.md",
]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLACEHOLDER_URL = "postgresql://user:password@host/"

LONG = "takes minutes; runs in a small form"
NOT_RUN = {
    "make demo": "takes minutes; `trajtune search smoke` and `finalize` are the same in a small form",
    "make test": "runs the tests; this one is a part of `make test-all`",
    "trajtune demo": "takes minutes; `trajtune search smoke` and `finalize` are the same in a small form",
    ".venv/bin/trajtune predict bundles/20261128-033807 'Software Engineer' 'Senior Software Engineer'": (
        "belongs to the demo's transcript; predicts from bundles/first in the tutorial"
    ),
    "trajtune search --resume first --snapshot /data/snapshots/ba79788855e99130": (
        "is of another place; tests/searching/test_run.py moves a project"
    ),
    "trajtune init experiment.yaml": "asks on a terminal; tests/cli/test_init.py answers",
    "trajtune search --trials 50": f"{LONG} with --resume, and `prepare` reads the same database",
    "trajtune finalize": f"{LONG}: `trajtune finalize first`",
    "trajtune search mine.yaml --run mine": f"{LONG}: `trajtune search smoke`, and with --dry-run",
    "trajtune finalize mine": f"{LONG}: `trajtune finalize first`",
    "trajtune finalize first --out bundles/gated --require-gates": (
        "exits 3 as it should; tests/finalizing/test_run.py requires gates"
    ),
    "ray start --head --port=6379": "starts a cluster; tests/searching/faults/test_faults.py has one",
    "ray start --address=HEAD:6379": "joins a cluster; tests/searching/faults/test_faults.py has one",
    "cd /shared/work": "is not on this machine",
    "trajtune search cluster --run long --address auto": (
        "needs a cluster; tests/project/test_shipped_files.py searches the experiment in a small form"
    ),
    "trajtune status long": "is of the cluster's run; runs for `first`",
    "trajtune finalize long --address auto": "is of the cluster's run; runs for `first`",
    "trajtune search gpu --dry-run": "needs a GPU; test_shipped_files.py searches it on the CPU",
    "trajtune search gpu": "needs a GPU; test_shipped_files.py searches it on the CPU",
    "trajtune search smoke --json-log": "runs without --json-log; tests/searching/show/test_json_log.py",
    "trajtune dashboard first --port 8080": "serves until stopped; tests/searching/show/test_dashboard.py",
    "pip install 'trajtune[dashboard]'": "installs; the tests' extra holds it",
    "pip install 'trajtune[serve]'": "installs; the tests' extra holds it",
    "trajtune serve bundles/first --port 8000": "serves until stopped; tests/serving/test_serve.py",
    "trajtune serve champion/bundle": "serves until stopped; tests/serving/test_serve.py",
    "trajtune register bundles/first --mlflow next-role": "needs a store; tests/serving/test_register.py",
    "mlflow artifacts download --artifact-uri models:/next-role@champion --dst-path champion": (
        "needs a store; tests/serving/test_register.py downloads in Python"
    ),
    "npm install onnxruntime-node@1.30.0": "installs; tests/service does it",
}


PYTHON_NOT_RUN = {
    DOCS / "reference" / "api.md": "searches and finalizes, as commands do; its imports are tried",
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
    """What follows the language on a fence's first line, and the block, without the indent of a list."""
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
    """What a page shows below a command as its output: the `text` fence that follows the command's."""
    found = {}
    for page in PAGES:
        following = re.compile(r"^```console\n([^`]*)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
        for said, output in following.findall(page.read_text("utf-8")):
            found[Command(page, said.splitlines()[-1][2:]).key] = output
    return found


SHOWN = shown_outputs()


def labels(output: str) -> set[str]:
    """The first column of each line, without hashes and numbers, which differ from machine to machine."""
    lines = [re.split(r"  +", line.strip())[0] for line in output.splitlines()]
    return {re.sub(r"\b[0-9a-f]{16}\b|\d[\d.,]*", "#", line) for line in lines} - {"", "..."}


def parse(words: list[str]) -> None:
    """What the command line would do before it acts: the command and each option exist and have a value."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("trajtune", list(words))
    name, command, rest = group.resolve_command(context, list(words))
    if "--help" not in rest:
        command.make_context(name, rest, parent=context)


def is_trajtune(words: list[str]) -> bool:
    return Path(words[0]).name == "trajtune"


def test_all_pages_are_looked_at() -> None:
    assert sorted(PAGES) == sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("command", [c for c in COMMANDS if is_trajtune(c.words)], ids=str)
def test_every_command_of_trajtune_in_the_docs_parses(command: Command) -> None:
    parse(command.words[1:])


def test_a_command_that_is_not_there_would_be_noticed() -> None:
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
def test_what_a_text_calls_a_command_is_one(page: Path) -> None:
    """`trajtune search --resume RUN` in a sentence: the command and its options exist."""
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


def test_every_page_that_code_and_shipped_files_name_is_there() -> None:
    for folder in ("trajtune", "experiments", "search_spaces", "benchmarks"):
        for file in (ROOT / folder).rglob("*.*"):
            text = file.read_text("utf-8") if file.suffix in {".py", ".yaml"} else ""
            for name in re.findall(r"\bdocs/[\w./-]*\w", text):
                assert (ROOT / name).exists(), f"{file.relative_to(ROOT)} names {name}"


def first_column(section: str) -> set[str]:
    """The names in code quotes of a table in a section of the README."""
    readme = (ROOT / "README.md").read_text("utf-8")
    below = readme.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return {
        name for row in re.findall(r"^\| (`[^|]*) \|", below, re.MULTILINE) for name in row.split("`")[1::2]
    }


def test_the_readme_has_every_command() -> None:
    group: Any = typer.main.get_command(app)
    named = {row.removeprefix("trajtune ").split()[0] for row in first_column("Commands")}
    assert named == set(group.commands)


def test_every_shipped_experiment_and_space_is_named_where_one_looks_for_it() -> None:
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


def test_the_list_of_what_does_not_run_holds_nothing_else() -> None:
    assert set(NOT_RUN) - {command.key for command in COMMANDS} == set()


def test_an_output_that_is_shown_is_of_a_command_that_runs() -> None:
    assert len(SHOWN) >= 4
    assert set(SHOWN) - set(NOT_RUN) == set(SHOWN)


FILE = re.compile(r"(?<![\w./-])((?:trajtune|tests|docs|benchmarks|experiments|search_spaces)/[\w./-]*\w)")
TESTS = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_every_test_that_a_text_names_is_there(page: Path) -> None:
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
    """Each page's commands in order; a database is one of simulated careers."""
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
    """trajtune's in this process, which has Ray and torch at hand; others in a shell."""
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
