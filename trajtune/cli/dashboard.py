"""``trajtune dashboard``: show a run's study in optuna-dashboard."""

from typing import Annotated

import typer

from trajtune.cli.arguments import RunName


def dashboard(
    run: RunName = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8080,
) -> None:
    """Show a run's study in optuna-dashboard, also while the search runs.

    Example: trajtune dashboard --port 8080
    """
    from trajtune.searching.runs.directory import open_run
    from trajtune.searching.show.dashboard import show_dashboard

    show_dashboard(open_run(run), port)
