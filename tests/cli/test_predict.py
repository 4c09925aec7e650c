"""`trajtune predict`: a bundle that is not there is one line."""

import pytest

from tests.cli.running import Trajtune, assert_one_line


@pytest.mark.parametrize("arguments", [["nowhere", "Engineer"], [".", "Engineer"]])
def test_a_bundle_that_is_not_there(trajtune: Trajtune, arguments: list[str]) -> None:
    assert_one_line(trajtune("predict", *arguments), "BundleError")
