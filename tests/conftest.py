"""What all tests share: one Ray and one PostgreSQL for each process, and a snapshot of careers."""

import os
import secrets
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import platformdirs
import psycopg2
import pytest

from tests.support.careers import ladder_careers, loaded
from tests.support.finalized import (  # noqa: F401 - fixtures that several folders of tests use
    calibration_table,
    changing_snapshot,
    exported_module,
    exported_onnx,
    finalized,
    searched_run,
)
from tests.support.installed import wheel  # noqa: F401 - as above
from tests.support.s3 import s3_store  # noqa: F401 - as above
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

# Read by torch when it is imported, here and in the processes that tests start: models as small as theirs
# lose more by waiting for a second thread than they gain.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# As the command line does, so that torch leaves no folder in the temporary directory.
os.environ.setdefault(
    "TORCHINDUCTOR_CACHE_DIR", str(platformdirs.user_cache_path("trajtune") / "torchinductor")
)

# A shell that starts the tests in the background has them ignore Ctrl-C, and everything that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is not a fault of the code, and a failure must be the same the next time. `make test-all`
# runs these tests again with more examples.
hypothesis.settings.register_profile("few", deadline=None, derandomize=True, max_examples=20)
hypothesis.settings.register_profile("many", deadline=None, derandomize=True, max_examples=100)
hypothesis.settings.load_profile("few")

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from xdist.scheduler import LoadFileScheduling

SHARED = {"ray_local", "postgres_url", "s3_store", "finalized"}
"""Fixtures that take seconds to set up, once for each process."""

OF_A_BUNDLE = ("tests/finalizing", "tests/bundle", "tests/service", "tests/serving", "tests/monitoring")
"""Folders whose tests share a bundle that takes a search, a refit and an export."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that none is left to one process at the end.

    How long is guessed from the time that tests allow themselves and from what they set up.
    """
    expected: Counter[Path] = Counter()
    for item in items:
        limit = item.get_closest_marker("timeout")
        expected[item.path] += limit.args[0] if limit else len(SHARED.intersection(item.fixturenames))  # type: ignore[attr-defined]
    items.sort(key=lambda item: -expected[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadFileScheduling | None":
    """With ``--dist loadfile``, a file stays in one process, and so do all that share the bundle."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class WithTheBundle(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "bundle" if nodeid.startswith(OF_A_BUNDLE) else str(super()._split_scope(nodeid))

    return WithTheBundle(config, log)


@pytest.fixture(scope="session")
def ray_local() -> Iterator[None]:
    """One Ray of two CPUs for all tests that need one; `ray_session()` in the code uses it."""
    from trajtune.cluster import ray_session

    with ray_session(num_cpus=2):
        yield


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one PostgreSQL for all tests that need one; without a password."""
    from trajtune.careers.sources.embedded_postgres import embedded_postgres

    with embedded_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary directory with a path short enough for Ray's sockets."""
    path = Path(tempfile.mkdtemp(prefix="t"))
    yield path
    shutil.rmtree(path)


@contextmanager
def new_database(postgres_url: str) -> Iterator[str]:
    """An empty database on that server, for the length of the block."""
    name = f"own_{secrets.token_hex(4)}"
    connection = psycopg2.connect(postgres_url)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"create database {name}")
        yield postgres_url.replace("/postgres?", f"/{name}?")
        cursor.execute(f"drop database {name} with (force)")


@pytest.fixture
def own_database(postgres_url: str) -> Iterator[str]:
    """An empty database for a test whose tables must not meet those of another test."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A real headless Chromium, the system's, that reaches no network."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real careers that lies beside some checkouts."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def ladder_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot of 400 ladder careers."""
    folder = tmp_path_factory.mktemp("snapshots")
    experiment = validate(Experiment, {"storage": {"snapshots": str(folder)}}, "test")
    return snapshot_of(loaded(ladder_careers()), experiment)
