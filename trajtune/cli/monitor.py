"""``trajtune monitor``: whether a bundle still holds on the moves that it has not seen."""

from trajtune.cli.arguments import AsJson, BundlePath, ExperimentName, Verbose
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def monitor(
    bundle: BundlePath,
    experiment: ExperimentName = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Measure a bundle on moves newer than its data; exits 3 when a gate no longer holds.

    Reads the source of EXPERIMENT, or of the bundle's own experiment if it is left out.

    Example: trajtune monitor bundles/demo
    """
    with loading(shown=not as_json):
        from trajtune.careers.read import load_career_sequences
        from trajtune.cluster import ray_session
        from trajtune.experiment.load import load_experiment
        from trajtune.monitoring.monitor import demand_gates_hold, open_monitored
        from trajtune.monitoring.monitor import monitor as monitor_bundle
        from trajtune.monitoring.monitor_table import monitor_lines

    opened = open_monitored(bundle, load_experiment(experiment) if experiment else None)
    with ray_session(verbose=verbose):
        loaded = load_career_sequences(opened.experiment.source, opened.experiment.data)
    result = monitor_bundle(opened, loaded)
    print(as_json_text(result) if as_json else "\n".join(monitor_lines(result)))
    demand_gates_hold(result)
