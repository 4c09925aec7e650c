"""Fixtures: a database in POSTGRES_URL, and the command line."""

from tests.careers.init.databases import database  # noqa: F401 - a fixture
from tests.cli.conftest import trajtune  # noqa: F401 - a fixture
