"""What users may import, and what importing it costs."""

import importlib

import pytest

import trajtune


@pytest.mark.parametrize("name", trajtune.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert callable(getattr(trajtune, name))


@pytest.mark.parametrize("package", ["search", "finalize"])
def test_search_and_finalize_stand_in_their_packages(package: str) -> None:
    assert callable(getattr(importlib.import_module(f"trajtune.{package}"), package))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such"):
        _ = trajtune.no_such
