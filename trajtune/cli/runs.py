"""``trajtune runs``: list the runs."""

import sys
from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson
from trajtune.cli.output import as_json_text
from trajtune.errors import RunError


def runs(
    directory: Annotated[
        str | None,
        typer.Argument(
            metavar="DIRECTORY", help="A directory or s3://... URI that holds runs; runs/ if left out."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs, newest first, with state, best value, gain, snapshot and bundles.

    Example: trajtune runs
    """
    from trajtune.experiment.settings import StorageSettings
    from trajtune.searching.show.run_list import list_runs, print_runs
    from trajtune.storage.path import stored_path

    place = stored_path(directory or StorageSettings().runs)
    found = list_runs(place)
    if as_json:
        print(as_json_text(found))
    elif not found:
        raise RunError(f"There is no run in {place}/. Make one with `trajtune search`.")
    else:
        print_runs(found, sys.stdout)
