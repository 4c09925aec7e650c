"""Output of commands: colours and live tables only on terminals, only results with --quiet."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import COLOUR, COMMAND, Trajtune, assert_one_line, in_terminal
from tests.cli.test_commands import COMMANDS


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen(command: str, trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = trajtune(*([command] if command else []), "--help").out.strip("\n").splitlines()
    assert 5 < len(lines) <= (40 if command else 48)
    assert max(map(len, lines)) <= 100


def test_the_help_says_what_each_exit_code_means(trajtune: Trajtune) -> None:
    said = " ".join(trajtune("--help").out.split())
    for meaning in (
        "0 done",
        "1 a bug in trajtune",
        "2 an error that you can fix",
        "3 a gate did not pass",
        "130 int",
    ):
        assert meaning in said


def test_help_has_colours_on_a_terminal_unless_no_color_is_set(tmp_path: Path) -> None:
    coloured, plain = (in_terminal(tmp_path, "--help", **more)[1] for more in ({}, {"NO_COLOR": "1"}))
    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)
    assert "Exit codes" in plain


SHOW_WHAT_IS_LOADED = """
import sys, trajtune.stages
from contextlib import contextmanager

@contextmanager
def loading(*, shown=True):
    print("loading", sorted({"torch", "ray", "optuna", "pyarrow", "numpy", "sqlalchemy"} & set(sys.modules)))
    sys.exit(0)
    yield

trajtune.stages.loading = loading
sys.argv = ["trajtune", *sys.argv[1:]]
from trajtune.cli import main
main()
"""


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["search"],
        ["finalize"],
        ["prepare"],
        ["train"],
        ["backtest"],
        ["monitor", "b"],
        ["compare", "a", "b"],
    ],
)
def test_a_command_says_that_it_loads_before_it_imports_anything_slow(
    command: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_WHAT_IS_LOADED, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout == "loading []\n", done.stderr


def test_errors_are_printed_even_when_quiet(trajtune: Trajtune) -> None:
    assert_one_line(trajtune("--quiet", "status", "no-such-run"), "RunError")
    assert "No such option" in trajtune("-q", "status", "--jsn").err


def test_quiet_after_two_dashes_is_a_name(trajtune: Trajtune) -> None:
    assert_one_line(trajtune("status", "--", "--quiet"), "No run --quiet")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "defalt"], "Did you mean default?"),
        (["search", "e.yml"], "Did you mean e.yaml?"),
        (["search", "e.yaml", "--space", "wid"], "Did you mean wide?"),
        (["search", "sampler.yaml"], "did you mean tpe?"),
        (["search", "kind.yaml"], "did you mean postgres?"),
        (["search", "metric.yaml"], "did you mean val_next_role_nll?"),
        (["status", "night-2"], "Did you mean night-1?"),
        (["search", "--resume", "nigt-1"], "Did you mean night-1?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_most_similar(
    trajtune: Trajtune, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: none.csv}")
    (tmp_path / "sampler.yaml").write_text("search: {sampler: tp}")
    (tmp_path / "metric.yaml").write_text("search: {metric: val_next_role_nl}")
    (tmp_path / "kind.yaml").write_text("source: {kind: postgre}")
    (tmp_path / "runs" / "night-1").mkdir(parents=True)
    (tmp_path / "runs" / "night-1" / "run.json").write_text("{}")
    assert_one_line(trajtune(*arguments), said)


@pytest.mark.parametrize(
    ("arguments", "nearest"), [(["serch"], "search"), (["search", "--trails", "3"], "--trials")]
)
def test_an_unknown_command_or_option_is_answered_with_the_most_similar(
    trajtune: Trajtune, arguments: list[str], nearest: str
) -> None:
    outcome = trajtune(*arguments)
    assert outcome.code == 2
    assert nearest in outcome.err.replace(arguments[-1], "")


def test_ctrl_c_exits_130_with_one_line_for_every_command(tmp_path: Path) -> None:
    arguments = ["simulate", "--careers", "3000000", "--to", "x.csv"]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and not list(tmp_path.glob("*x.csv*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in err
