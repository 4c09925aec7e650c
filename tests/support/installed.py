"""The wheel, and environments to install it into, without the source tree."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel from `python -m build`, built from the source distribution, not from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def empty_environment(folder: Path) -> Path:
    """Create an empty virtual environment, without pip, and return the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def install(python: Path, *arguments: str) -> None:
    """Install packages into the environment of ``python`` with the pip of this environment."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environ())
    assert done.returncode == 0, done.stderr


def lend(python: Path, names: Sequence[str]) -> None:
    """Link exactly these distributions of this environment into the environment of ``python``."""
    home = site_packages(python)
    for name in names:
        found = distribution(name)
        for top in {
            file.parts[0] for file in found.files or () if file.parts[0] not in {"..", "__pycache__"}
        }:
            (home / top).symlink_to(Path(str(found.locate_file(top))))


def site_packages(python: Path) -> Path:
    """Return the site-packages directory of an environment."""
    (home,) = python.parents[1].glob("lib/python*/site-packages")
    return home


def clean_environ(**more: str) -> dict[str, str]:
    """Return the environment variables without those that point to the source tree or to a database."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "POSTGRES_URL", "COLUMNS"}
    return {name: value for name, value in os.environ.items() if name not in left_out} | more
