"""The layout: small folders, short files, no import cycles, and tests that mirror modules."""

import ast
import functools
import graphlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_FILES = 14
MOST_LINES = 350
PACKAGE = "trajtune"

WITHOUT_A_MODULE = {
    "project": "the repository itself: documents, packaging, contracts",
    "service": "the client in Node that reads a bundle",
    "searching/faults": "whole searches that are killed, stopped and moved to other hosts",
    "searching/runs/test_in_store.py": "runs in an object store, through several modules",
    "searching/study/test_objectives.py": "several objectives and constraints, through several modules",
    "dataset/test_leakage.py": "what no stage may learn from later careers",
    "dataset/test_real_careers.py": "real careers, compared with what pandas counts",
    "careers/sources/test_any_content.py": "a fuzzer of the pipeline from a file's bytes to careers",
    "cli/test_commands.py": "commands as a user types them, and what they refuse",
    "cli/test_secrets.py": "a marked password in every shape, over several commands",
    "cli/test_terminal.py": "all commands, run in a terminal",
    "page/test_looks.py": "every kind of page in a real browser",
    "steps/test_examples.py": "the examples of all steps, in the order of the pipeline",
}
"""Test files and folders without a module of the same name, with the subject of each."""


def crowded(root: Path) -> list[str]:
    """Return folders with too many modules; a folder of commands may have one module per command."""
    modules = (file for file in (root / PACKAGE).rglob("*.py") if file.name != "__init__.py")
    counts = Counter(str(file.parent.relative_to(root)) for file in modules)
    return [f"{folder}: {n}" for folder, n in counts.items() if n > MOST_FILES and folder != f"{PACKAGE}/cli"]


def long_files(root: Path) -> list[str]:
    """Return Python files of the package and the tests with too many lines."""
    lines = {
        str(file.relative_to(root)): len(file.read_text("utf-8").splitlines())
        for folder in (PACKAGE, "tests")
        for file in sorted((root / folder).rglob("*.py"))
    }
    return [f"{file}: {n}" for file, n in lines.items() if n > MOST_LINES]


@functools.cache
def imports(root: Path) -> dict[str, set[str]]:
    """Return the modules that each module imports, also inside functions and for type checking."""
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for file in (root / PACKAGE).rglob("*.py")
    }
    graph: dict[str, set[str]] = {}
    for module, file in files.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                submodules = {f"{node.module}.{alias.name}" for alias in node.names} & set(files)
                named |= submodules or {node.module}
        graph[module] = (named & set(files)) - {module}
    return graph


def rooms(graph: Mapping[str, Iterable[str]], stage: str) -> dict[str, set[str]]:
    """Return the imports between the parts of a stage: its folders, and its modules outside of folders."""

    def room(module: str) -> str:
        """trajtune.searching.study.journal → study, trajtune.searching.run → run."""
        return module.removeprefix(f"{stage}.").partition(".")[0]

    between: dict[str, set[str]] = defaultdict(set)
    for module, others in graph.items():
        for other in others:
            inside = module.startswith(f"{stage}.") and other.startswith(f"{stage}.")
            if inside and room(module) != room(other):
                between[room(module)].add(room(other))
    return between


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one import cycle, from a module back to itself; empty if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def homeless(root: Path) -> list[str]:
    """Return test files without a module: test_fit.py and test_fit_resumed.py belong to fit.py or fit/."""
    found = []
    for file in sorted((root / "tests").rglob("test_*.py")):
        place = file.relative_to(root / "tests")
        words = file.stem.removeprefix("test_").split("_")
        folder = root / PACKAGE / place.parent
        names = ["_".join(words[:end]) for end in range(1, len(words) + 1)]
        excepted = {str(place), *map(str, place.parents)} & set(WITHOUT_A_MODULE)
        modules = [folder / name / "__init__.py" for name in names] + [
            folder / f"{name}.py" for name in names
        ]
        if not excepted and not any(module.is_file() for module in modules):
            found.append(str(place))
    return found


STAGES = sorted(f"{PACKAGE}.{path.parent.name}" for path in (ROOT / PACKAGE).glob("*/__init__.py"))


def test_no_folder_has_too_many_modules() -> None:
    found = crowded(ROOT)
    assert not found, found


def test_no_file_is_too_long() -> None:
    found = long_files(ROOT)
    assert not found, found


def test_no_import_cycle_exists() -> None:
    found = circle(imports(ROOT))
    assert not found, found


@pytest.mark.parametrize("stage", STAGES)
def test_folders_of_a_stage_import_in_one_direction(stage: str) -> None:
    found = circle(rooms(imports(ROOT), stage))
    assert not found, found


def test_every_test_file_mirrors_a_module() -> None:
    found = homeless(ROOT)
    assert not found, found


def test_exceptions_exist() -> None:
    found = [place for place in WITHOUT_A_MODULE if not (ROOT / "tests" / place).exists()]
    assert not found, found


def plant(root: Path, **files: str) -> Path:
    """Write a small package; double underscores in a name separate folders."""
    for name, content in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return root


def test_a_crowded_folder_and_a_long_file_are_named(tmp_path: Path) -> None:
    many = {f"trajtune__searching__m{number}": "" for number in range(MOST_FILES + 1)}
    commands = {name.replace("searching", "cli"): "" for name in many}
    plant(tmp_path, **many, **commands, tests__test_long="\n" * (MOST_LINES + 1))
    assert crowded(tmp_path) == ["trajtune/searching: 15"]
    assert long_files(tmp_path) == ["tests/test_long.py: 351"]


def test_an_import_cycle_through_a_function_is_detected(tmp_path: Path) -> None:
    later = "def f():\n    from trajtune import a\n"
    plant(
        tmp_path, trajtune__a="import trajtune.b", trajtune__b="from trajtune.c import x", trajtune__c=later
    )
    assert set(circle(imports(tmp_path))) == {"trajtune.a", "trajtune.b", "trajtune.c"}


def test_folders_that_import_each_other_are_named_even_without_a_module_cycle(tmp_path: Path) -> None:
    there = "from trajtune.searching.runs import lock"
    back = "from trajtune.searching.study.journal import x"
    files = {"study__study": there, "runs__lock": "", "runs__log": back, "study__journal": ""}
    plant(tmp_path, **{f"trajtune__searching__{name}": content for name, content in files.items()})
    graph = imports(tmp_path)
    assert circle(graph) == []
    assert set(circle(rooms(graph, "trajtune.searching"))) == {"study", "runs"}


def test_a_test_file_without_its_module_is_named(tmp_path: Path) -> None:
    plant(
        tmp_path,
        trajtune__model__fit="",
        tests__model__test_fit="",
        tests__model__test_fit_resumed="",
        tests__model__test_fast="",
        tests__model__test_nothing="",
        tests__test_fit="",
        tests__project__test_docs="",
    )
    (tmp_path / "trajtune/model/fast").mkdir()
    (tmp_path / "trajtune/model/fast/__init__.py").touch()
    assert homeless(tmp_path) == ["model/test_nothing.py", "test_fit.py"]
