"""``trajtune status``: show a search."""

from trajtune.cli.arguments import AsJson, RunName
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def status(run: RunName = None, as_json: AsJson = False) -> None:
    """Show a finished or running search: leaderboard, states, gain over the research default.

    Example: trajtune status --json
    """
    with loading(shown=not as_json):
        from trajtune.searching.runs.directory import open_run
        from trajtune.searching.show.status import print_status, status_of

    shown = status_of(open_run(run))
    if as_json:
        print(as_json_text(shown))
    else:
        print_status(shown)
