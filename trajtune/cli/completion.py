"""The names that a shell completes: existing experiments, spaces and runs."""


def experiment_names(incomplete: str) -> list[str]:
    """Return the experiments in the local ``experiments/`` and those shipped with trajtune."""
    from trajtune.experiment.load import known_names

    return _beginning(known_names("experiments"), incomplete)


def space_names(incomplete: str) -> list[str]:
    """Return the spaces in the local ``search_spaces/`` and those shipped with trajtune."""
    from trajtune.experiment.load import known_names

    return _beginning(known_names("search_spaces"), incomplete)


def run_names(incomplete: str) -> list[str]:
    """Return the runs in the default storage."""
    from trajtune.searching.runs.directory import known_runs

    return _beginning(known_runs(), incomplete)


def _beginning(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
