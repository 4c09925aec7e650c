"""The first trials of a search: the research default, the start points, the experiment's own training."""

import json
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment, SearchSettings
from trajtune.experiment.space import Space
from trajtune.search.runs.directory import Run
from trajtune.search.runs.retention import top_trials
from trajtune.search.runs.snapshot_of_run import find_snapshot
from trajtune.search.study.origins import RESEARCH_DEFAULT_ORIGIN, START_POINT_ORIGIN, TRAINING_ORIGIN

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

WARM_START_POINTS: Final = 5
"""Best configurations that a warm start takes from the earlier run."""


def given_points(settings: SearchSettings) -> list[tuple[str, Params]]:
    """Origin and params of the research default, which is first, and of the experiment's start points."""
    given = [
        (START_POINT_ORIGIN, Params.model_validate({**RESEARCH_DEFAULT.model_dump(), **point}))
        for point in settings.start_points
    ]
    return [(RESEARCH_DEFAULT_ORIGIN, RESEARCH_DEFAULT), *given]


def start_points(
    settings: SearchSettings, space: Space, training: Params, requested: int
) -> list[tuple[str, Params]]:
    """Origin and params of the first trials, in their order.

    After the given points comes the experiment's own ``training``, which the space varies: a search
    should find nothing worse than what its user had. It is left out if the space does not contain it, if
    it is one of the points already, and if ``requested`` trials leave no room for it.
    """
    points = given_points(settings)
    own = space.resolve(training, space.searched_values(training))
    if len(points) < requested and not space.outside(own) and own not in [params for _, params in points]:
        points.append((TRAINING_ORIGIN, own))
    return points


def check_start_points(settings: SearchSettings, space: Space) -> None:
    """Check that the sampler can learn from every start point.

    Raises:
        ExperimentError: If a point lies outside the space, or there are more points than trials.
    """
    points = given_points(settings)
    if settings.trials < len(points):
        raise ExperimentError(
            f"`trials` must be at least {len(points)}, the research default and the start points, "
            f"but is {settings.trials}. Ask for more."
        )
    for number, (_, params) in enumerate(points):
        faults = space.outside(params)
        if faults:
            raise ExperimentError(
                f"Start point {number} must lie in the space {settings.space}, but {'; '.join(faults)}. "
                "Widen the space or move the point."
            )


def with_warm_start(experiment: Experiment, earlier: Run, snapshot: "Snapshot") -> Experiment:
    """The experiment with the earlier run's best configurations as further start points.

    Only configurations are taken, no values, so the snapshot may hold newer data of the same kind.

    Raises:
        RunError: If the results of the two are not comparable: other labels, another split or another source.
    """
    before, now = _comparable(_manifest(earlier)), _comparable(snapshot.manifest)
    changed = [f"{key} {before[key]} → {now[key]}" for key in now if before[key] != now[key]]
    if changed:
        raise RunError(
            f"A warm start needs a run on comparable data, but since {earlier.name} these changed: "
            f"{'; '.join(changed)}. Start without it."
        )
    best = [
        trial for trial in top_trials(earlier, WARM_START_POINTS) if trial.origin != RESEARCH_DEFAULT_ORIGIN
    ]
    points = [*experiment.search.start_points, *(dict(trial.params) for trial in best)]
    search = experiment.search.model_copy(update={"start_points": points})
    return experiment.model_copy(update={"search": search})


def _manifest(run: Run) -> dict[str, Any]:
    path = find_snapshot(run) / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"A warm start needs the snapshot of {run.name}, but {path} cannot be read. Put it back."
        ) from error
    return manifest


def _comparable(manifest: Any) -> dict[str, Any]:
    """What must be equal for results on two snapshots to be comparable: labels, split and kind of source."""
    source = manifest["source"]
    return {
        "source": {key: source.get(key) for key in ("kind", "table", "path")},
        "hireability": manifest["hireability"],
        **manifest["settings"],
    }
