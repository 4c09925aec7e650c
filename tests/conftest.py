"""What all tests share: a Ray session, careers made by hand, and a snapshot of them."""

import os
import secrets
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
import psycopg2
import pyarrow as pa
import pytest

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
from trajtune.careers.schema import CAREERS, QUARANTINE, LoadedCareers
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

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most tests that start real services first: none is left to one worker at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def ray_local() -> Iterator[None]:
    """One Ray of two CPUs for all tests that need one; `ray_session()` in the code uses it."""
    from trajtune.cluster import ray_session

    with ray_session(num_cpus=2):
        yield


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL of the tests' own."""
    from trajtune.careers.sources.embedded_postgres import embedded_postgres

    with embedded_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary directory with a path short enough for Ray's sockets."""
    path = Path(tempfile.mkdtemp(prefix="t"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def own_database(postgres_url: str) -> Iterator[str]:
    """An empty database on that server, for a test whose tables must not meet another's."""
    name = f"own_{secrets.token_hex(4)}"
    connection = psycopg2.connect(postgres_url)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"create database {name}")
        yield postgres_url.replace("/postgres?", f"/{name}?")
        cursor.execute(f"drop database {name} with (force)")


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


def ladder_careers(num_careers: int = 400, seed: int = 0) -> pa.Table:
    """Careers on four ladders of five levels: mostly one step up, so that a model can learn something."""
    generator = np.random.default_rng(seed)
    ladders = ["Developer", "Analyst", "Nurse", "Führungskraft"]
    levels = ["Trainee", "Junior", "Senior", "Lead", "Head"]
    rows = []
    for number in range(num_careers):
        ladder, level = ladders[generator.integers(4)], 0
        day = date(1995, 1, 1) + timedelta(days=int(generator.integers(0, 7000)))
        titles, starts, ends = [], [], []
        for _ in range(int(generator.integers(2, 6))):
            titles.append(f"{levels[level]} {ladder}")
            starts.append(day)
            day += timedelta(days=int(generator.integers(100, 1000)))
            ends.append(day)
            level = min(4, level + int(generator.random() < 0.8))
        if generator.random() < 0.4:
            ends[-1] = None
        rows.append(
            {
                "candidate_id": f"c{number:05d}",
                "titles": titles,
                "starts": starts,
                "ends": ends,
                "precisions": [1] * len(titles),
                "hireable": None,
            }
        )
    return pa.Table.from_pylist(rows, schema=CAREERS)


def loaded(careers: pa.Table, as_of: date = date(2026, 1, 1)) -> LoadedCareers:
    """Careers as if they had just been read."""
    number = len(careers)
    counts = {
        "rows_in": number,
        "rows_kept": number,
        "rows_quarantined": 0,
        "rows_duplicate": 0,
        "careers_in": number,
        "careers": number,
        "careers_quarantined": 0,
    }
    return LoadedCareers(
        careers=careers,
        quarantine=QUARANTINE.empty_table(),
        counts=counts,
        source={"kind": "test"},
        as_of=as_of,
    )


@pytest.fixture(scope="session")
def ladder_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot of 400 ladder careers."""
    folder = tmp_path_factory.mktemp("snapshots")
    experiment = validate(Experiment, {"storage": {"snapshots": str(folder)}}, "test")
    return snapshot_of(loaded(ladder_careers()), experiment)
