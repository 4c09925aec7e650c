"""The wheel works without the source tree: package data is found by name, the command runs anywhere."""

import json
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.support.installed import ROOT, clean_environ, empty_environment, install, site_packages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in a separate environment that uses the dependencies of this one."""
    python = empty_environment(tmp_path_factory.mktemp("installed") / "venv")
    install(python, "--no-deps", "--no-index", str(wheel))
    # A path in a .pth file adds a folder but reads no .pth in it, so the editable trajtune there is ignored.
    (site_packages(python) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent / "trajtune"


def run(command: Path, cwd: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(command), *arguments],
        cwd=cwd,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_wheel_contains_every_experiment_and_space_unchanged(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for folder in ("experiments", "search_spaces"):
            here = {path.name: path.read_bytes() for path in (ROOT / folder).glob("*.yaml")}
            inside = {
                name.rsplit("/", 1)[1]: archive.read(name)
                for name in archive.namelist()
                if name.startswith(f"trajtune/{folder}/")
            }
            assert inside == here
            assert here


def test_the_wheel_holds_the_page_of_the_server(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in ("page.html", "page.css", "page.js"):
            here = (ROOT / "trajtune" / "serving" / "page" / name).read_bytes()
            assert archive.read(f"trajtune/serving/page/{name}") == here


def test_the_metadata_names_the_versions_of_python_and_the_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
    assert "Requires-Python: <3.14,>=3.11" in metadata
    for version in ("3.11", "3.12", "3.13"):
        assert f"Classifier: Programming Language :: Python :: {version}\n" in metadata
    for extra in ("dashboard", "tracking", "serve", "test"):
        assert f"Provides-Extra: {extra}\n" in metadata


def test_the_command_of_the_wheel_finds_experiments_and_spaces_by_name(command: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [str(command.parent / "python"), "-c", "import trajtune; print(trajtune.__file__)"],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(command.parents[1])

    assert "Example" in run(command, tmp_path, "search", "--help").stdout
    experiments = ", ".join(sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml")))
    outcome = run(command, tmp_path, "search", "no_such")
    assert outcome.returncode == 2
    assert f"There are: {experiments}." in outcome.stderr
    spaces = ", ".join(sorted(path.stem for path in (ROOT / "search_spaces").glob("*.yaml")))
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}")
    outcome = run(command, tmp_path, "search", "e.yaml", "--space", "no_such")
    assert outcome.returncode == 2
    assert f"There are: {spaces}." in outcome.stderr


@pytest.mark.timeout(1800)
def test_pip_install_is_enough_for_the_demo(wheel: Path, tmp_path: Path) -> None:
    python = empty_environment(tmp_path / "venv")
    install(python, "--constraint", str(ROOT / "constraints.txt"), str(wheel))
    work = tmp_path / "elsewhere"
    work.mkdir()
    demo = run(python.parent / "trajtune", work, "demo")
    assert demo.returncode == 0, demo.stderr
    (bundle,) = (work / "bundles").iterdir()
    predict = run(python.parent / "trajtune", work, "predict", str(bundle), "Software Engineer", "--json")
    assert predict.returncode == 0, predict.stderr
    assert json.loads(predict.stdout)["next_role"]
