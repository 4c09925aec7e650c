"""``trajtune demo``: search and finalize on simulated careers."""

from trajtune.cli.arguments import Verbose
from trajtune.stages import loading


def demo(verbose: Verbose = False) -> None:
    """Run the whole pipeline on simulated careers: PostgreSQL, search, bundle.

    Example: trajtune demo
    """
    with loading():
        from trajtune.finalizing.run import finalize
        from trajtune.searching.search import search

    bundle = finalize(search("demo", verbose=verbose), verbose=verbose)
    print(bundle)
    print(f"Report: {bundle / 'report.html'}")
    print(f'Try: trajtune predict {bundle} "Software Engineer" "Senior Software Engineer"')
