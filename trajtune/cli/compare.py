"""``trajtune compare``: two runs or two bundles side by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import AsJson
from trajtune.cli.completion import run_names
from trajtune.cli.output import as_json_text
from trajtune.stages import loading

_HELP = "A run's name or path, or a bundle's path."


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=_HELP, autocompletion=run_names)],
    second: Annotated[str, typer.Argument(metavar="B", help=_HELP, autocompletion=run_names)],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write an HTML page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on val, or two bundles on test: what differs, and by how much.

    Example: trajtune compare first second
    """
    with loading(shown=not as_json):
        from trajtune.finalizing.compare import compare as compare_both
        from trajtune.finalizing.report.comparison import comparison_page, print_comparison
        from trajtune.storage.files import write_file

    found = compare_both(first, second)
    if html:
        write_file(html, comparison_page(found).encode(), unique=True)
    if as_json:
        print(as_json_text(found.to_dict()))
    else:
        print_comparison(found, sys.stdout)
    if html and not as_json:
        print(html)
