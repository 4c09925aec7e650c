"""The first trials of a search: the research default, the start points, the experiment's own training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment, SearchSettings
from trajtune.experiment.space import Space
from trajtune.search.repeats import num_repeats, repeat
from trajtune.search.runs.directory import Run
from trajtune.search.runs.retention import top_trials
from trajtune.search.study.origins import (
    RESEARCH_DEFAULT_ORIGIN,
    START_POINT_ORIGIN,
    TRAINING_ORIGIN,
    TRAINING_REPEAT_ORIGIN,
)
from trajtune.search.study.sampled_study import DIFFERS_IN

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

WARM_START_POINTS: Final = 5
"""Best configurations that a warm start takes from the earlier run."""


@dataclass(frozen=True)
class StartPoint:
    """A trial that is queued before the sampler is asked.

    Attributes:
        origin: One of `search.study.origins`.
        params: What is trained, exactly.
        attributes: Further attributes of the trial, see `search.study.study`.
    """

    origin: str
    params: Params
    attributes: Mapping[str, Any]


def given_points(settings: SearchSettings, space: Space, training: Params) -> list[StartPoint]:
    """The research default, which is first, and the experiment's start points.

    What a start point leaves out has the value that sampled trials have. A point that differs from them in
    what is not searched says so in its attributes.
    """
    base = space.resolve(training, {})
    given = [
        (START_POINT_ORIGIN, Params.model_validate({**base.model_dump(), **point}))
        for point in settings.start_points
    ]
    return [
        StartPoint(origin, params, {DIFFERS_IN: space.differences(params, training)})
        for origin, params in [(RESEARCH_DEFAULT_ORIGIN, RESEARCH_DEFAULT), *given]
    ]


def start_points(
    settings: SearchSettings, space: Space, training: Params, requested: int
) -> list[StartPoint]:
    """The first trials, in their order.

    After the given points comes the experiment's own ``training``, which the space varies: a search
    should find nothing worse than what its user had. It is left out if the space does not contain it, if
    it is one of the points already, and if ``requested`` trials leave no room for it. Then it is repeated
    with other seeds, if so many trials may have repeats.
    """
    points = given_points(settings, space, training)
    own = space.resolve(training, space.searched_values(training))
    if space.outside(own):
        return points
    if len(points) < requested and own not in [point.params for point in points]:
        points.append(StartPoint(TRAINING_ORIGIN, own, {DIFFERS_IN: []}))
    original = next((number for number, point in enumerate(points) if point.params == own), None)
    if original is not None:
        of_training, _ = num_repeats(settings, requested)
        points += [
            StartPoint(TRAINING_REPEAT_ORIGIN, own, repeat(settings, original, earlier))
            for earlier in range(min(of_training, requested - len(points)))
        ]
    return points


def check_start_points(settings: SearchSettings, space: Space, training: Params) -> None:
    """Check that every start point lies in the space.

    Raises:
        ExperimentError: If a point lies outside the space, or there are more points than trials.
    """
    points = given_points(settings, space, training)
    if settings.trials < len(points):
        raise ExperimentError(
            f"`trials` must be at least {len(points)}, the research default and the start points, "
            f"but is {settings.trials}. Ask for more."
        )
    for number, point in enumerate(points):
        faults = space.outside(point.params)
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
    path = run.snapshot_path / "manifest.json"
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
