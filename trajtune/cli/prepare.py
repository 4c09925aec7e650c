"""``trajtune prepare``: from the source to a snapshot."""

from trajtune.cli.arguments import AsJson, ExperimentName, Set, Verbose, experiment_of
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def prepare(
    experiment: ExperimentName = None,
    settings: Set = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Read the careers, split them in time and write a snapshot.

    Example: trajtune prepare experiments/default.yaml
    """
    with loading(shown=not as_json):
        from trajtune.cluster import ray_session
        from trajtune.dataset.data_report import DATA_REPORT
        from trajtune.dataset.prepare import prepare as prepare_snapshot
        from trajtune.dataset.profiling.summary import summary

    resolved = experiment_of(experiment, settings)
    with ray_session(verbose=verbose):
        snapshot = prepare_snapshot(resolved, progress=True)
    if as_json:
        print(as_json_text({"snapshot": str(snapshot.path), **snapshot.manifest}))
        return
    print(summary(snapshot))
    print(f"  report      {snapshot.path / DATA_REPORT}")
