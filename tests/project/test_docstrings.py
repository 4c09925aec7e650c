"""Docstrings of public names list every parameter, result and error, and examples in docstrings run."""

import ast
import doctest
import functools
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import trajtune
from trajtune.errors import TrajtuneError

API = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text("utf-8")
SHOWN = re.findall(r"^::: (trajtune\.[\w.]+)\n(?:    options: {members: \[(.*)\]})?", API, re.MULTILINE)
MODULES = [module.name for module in pkgutil.walk_packages(trajtune.__path__, "trajtune.")]


def found(path: str) -> Any:
    """Return the object at a dotted path."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        return functools.reduce(getattr, parts[end:], module)
    raise AssertionError(path)


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions and methods in the reference."""
    for path, members in SHOWN:
        shown = found(path)
        if inspect.isfunction(shown):
            yield path, shown
        elif inspect.isclass(shown):
            for name in filter(None, members.split(", ")):
                yield f"{path}.{name}", getattr(shown, name)


FUNCTIONS = dict(public_functions())


def section(docstring: str, heading: str) -> str:
    match = re.search(rf"^{heading}:\n((?:    .*\n|\n)*)", docstring + "\n", re.MULTILINE)
    return match[1] if match else ""


@pytest.mark.parametrize("path", sorted(FUNCTIONS))
def test_every_parameter_of_a_public_name_is_explained(path: str) -> None:
    function = FUNCTIONS[path]
    said = section(inspect.getdoc(function) or "", "Args")
    explained = {
        name.strip("* ")
        for line in re.findall(r"^    ([\w*, ]+):", said, re.MULTILINE)
        for name in line.split(",")
    }
    taken = set(inspect.signature(function).parameters) - {"self", "cls"}
    assert explained == taken, f"{path} takes {sorted(taken)} and explains {sorted(explained)}"


@pytest.mark.parametrize("path", sorted(FUNCTIONS))
def test_what_a_public_name_returns_is_explained(path: str) -> None:
    function = FUNCTIONS[path]
    annotation = inspect.signature(function).return_annotation
    docstring = inspect.getdoc(function) or ""
    said = section(docstring, "Returns") or section(docstring, "Yields")
    assert bool(said) == (annotation not in (None, "None")), f"{path} returns {annotation}"


@pytest.mark.parametrize("path", sorted(FUNCTIONS))
def test_every_error_that_a_public_name_raises_itself_is_explained(path: str) -> None:
    function = FUNCTIONS[path]
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id.endswith("Error")
    }
    said = section(inspect.getdoc(function) or "", "Raises")
    named = set(re.findall(r"^    (\w+):", said, re.MULTILINE))
    assert raised <= named, f"{path} raises {sorted(raised)} and explains {sorted(named)}"
    errors = {error.__name__ for error in TrajtuneError.__subclasses__()}
    assert named <= errors, f"{path}: {sorted(named - errors)} is not an error of trajtune"


def test_examples_in_docstrings_run() -> None:
    """Only modules with an example are imported."""
    attempted = 0
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        if ">>> " in Path(spec.origin).read_text("utf-8"):
            results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
            assert results.failed == 0, name
            attempted += results.attempted
    assert attempted >= 10, "the examples are gone"
