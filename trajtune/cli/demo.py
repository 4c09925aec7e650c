"""``trajtune demo``: search and finalize on simulated careers."""

from trajtune.cli.arguments import Verbose
from trajtune.cli.finalize import finalize_in_ray_session
from trajtune.cli.search import search_in_ray_session


def demo(verbose: Verbose = False) -> None:
    """The whole way on simulated careers: PostgreSQL, search, bundle.

    Example: trajtune demo
    """
    bundle = finalize_in_ray_session(search_in_ray_session("demo", verbose=verbose), verbose=verbose)
    print(bundle)
    print(f"Report: {bundle / 'report.html'}")
    print(f'Try: trajtune predict {bundle} "Software Engineer" "Senior Software Engineer"')
