"""Serves optuna-dashboard for a run's study, on the loopback address only."""

from trajtune.errors import RunError
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import read_study

HOST = "127.0.0.1"


def show_dashboard(run: Run, port: int) -> None:
    """Serve the dashboard until interrupted.

    The study is opened here, because the arguments of the command optuna-dashboard would show the database's
    password in the list of processes.

    Raises:
        RunError: If the extra is not installed, or if the port is taken.
    """
    try:
        from optuna_dashboard import run_server
    except ImportError as error:
        raise RunError(
            "The dashboard needs optuna-dashboard, which is not installed. "
            "Run `pip install 'trajtune[dashboard]'`."
        ) from error
    study = read_study(run.path)
    print(
        f"Study {study.study_name} of {run.name}: http://{HOST}:{port}/dashboard/ (press Ctrl-C to stop)",
        flush=True,
    )
    try:
        run_server(study._storage, host=HOST, port=port)
    except OSError as error:
        raise RunError(
            f"The dashboard cannot listen on {HOST}:{port}: {error.strerror}. Give another --port."
        ) from error
