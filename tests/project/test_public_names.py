"""The public names, and the cost of importing them."""

import ast
import importlib
import types
from importlib.metadata import version
from pathlib import Path

import pytest

import trajtune


@pytest.mark.parametrize("name", trajtune.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert callable(getattr(trajtune, name))


@pytest.mark.parametrize("name", ["search", "finalize"])
def test_a_public_function_stays_after_the_package_that_holds_it_is_imported(name: str) -> None:
    for module in ("searching.run", "finalizing.run"):
        importlib.import_module(f"trajtune.{module}")
    assert isinstance(getattr(trajtune, name), types.FunctionType)


def test_dir_lists_exactly_the_public_names() -> None:
    assert dir(trajtune) == sorted([*trajtune.__all__, "__version__"])
    assert trajtune.__version__ == version("trajtune")


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(trajtune.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        node.names[0].name: node.module.removeprefix("trajtune.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported == dict(trajtune._HOMES), "a public name is in _HOMES and in the TYPE_CHECKING block"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such"):
        _ = trajtune.no_such
