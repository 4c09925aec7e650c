"""Look at a run: ``status``, ``doctor`` and ``dashboard``."""

from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson, RunName
from trajtune.cli.output import as_json_text


def status(run: RunName = None, as_json: AsJson = False) -> None:
    """Show a search, finished or running: leaderboard, states, gain over the research default.

    Example: trajtune status --json
    """
    from trajtune.search.runs.directory import open_run
    from trajtune.search.show.status import print_status, status_of

    found = status_of(open_run(run))
    if as_json:
        print(as_json_text(found))
    else:
        print_status(found)


def doctor(
    run: RunName = None,
    mend: Annotated[bool, typer.Option("--mend", help="Mend what can be mended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a run's files disagree with its study, which is the record.

    Example: trajtune doctor --mend
    """
    from trajtune.search.runs.directory import open_run
    from trajtune.search.runs.doctor import examine, fix

    opened = open_run(run)
    findings = examine(opened)
    left = fix(opened, findings) if mend else findings
    state = ["left" if finding in left else "mended" for finding in findings]
    if as_json:
        said = [
            {"state": now, "what": finding.what, "remedy": finding.remedy}
            for now, finding in zip(state, findings, strict=True)
        ]
        print(as_json_text({"run": opened.name, "findings": said}))
    else:
        for now, finding in zip(state, findings, strict=True):
            print(f"{now}: {finding.what}; {finding.remedy}")
        if not findings:
            print(f"{opened.name}: study and files agree")
    raise typer.Exit(2 if left else 0)


def dashboard(
    run: RunName = None, port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine.")] = 8080
) -> None:
    """Show a run's study in optuna-dashboard, also while the search runs.

    Example: trajtune dashboard --port 8080
    """
    from trajtune.search.runs.directory import open_run
    from trajtune.search.show.dashboard import show_dashboard

    show_dashboard(open_run(run), port)
