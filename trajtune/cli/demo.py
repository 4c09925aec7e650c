"""``trajtune demo``: search and finalize on simulated careers."""

from trajtune.cli.arguments import Verbose, experiment_of
from trajtune.cli.finalize import finalize_in_ray_session
from trajtune.cli.search import prepare_and_search


def demo(verbose: Verbose = False) -> None:
    """Run the whole pipeline on simulated careers: PostgreSQL, search, bundle.

    Example: trajtune demo
    """
    from trajtune.searching.run import SessionFlags

    run = prepare_and_search(experiment_of("demo", reads_source=True), SessionFlags(verbose=verbose))
    bundle = finalize_in_ray_session(str(run), verbose=verbose)
    print(bundle)
    print(f"Report: {bundle / 'report.html'}")
    print(f'Try: trajtune predict {bundle} "Software Engineer" "Senior Software Engineer"')
