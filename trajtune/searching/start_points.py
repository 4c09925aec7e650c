"""The first trials of a search: the research default, the start points and the experiment's training."""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.prior import KnownTrial
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.searching.repeats import num_repeats, repeat
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.retention import top_trials
from trajtune.searching.runs.snapshot_of_run import find_snapshot
from trajtune.searching.study.open import read_study
from trajtune.searching.study.origins import (
    RESEARCH_DEFAULT_ORIGIN,
    START_POINT_ORIGIN,
    TRAINING_ORIGIN,
    TRAINING_REPEAT_ORIGIN,
)
from trajtune.searching.study.sampled_study import DIFFERS_IN
from trajtune.searching.study.trial_records import ranked, read_trials

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

WARM_START_POINTS: Final = 5
"""Number of best configurations that a warm start takes from the earlier run."""


@dataclass(frozen=True)
class StartPoint:
    """A trial that is queued before the sampler suggests any.

    Attributes:
        origin: One of `searching.study.origins`.
        params: The params to train.
        attributes: Other attributes of the trial, see `searching.study.study`.
    """

    origin: str
    params: Params
    attributes: Mapping[str, Any]


def given_points(settings: SearchSettings, space: Space, training: Params) -> list[StartPoint]:
    """Return the research default, followed by the experiment's start points.

    A setting that a start point leaves out has the value that it has in sampled trials. If a point differs
    from sampled trials in settings that are not searched, its attributes list them.
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
    """Return the first trials of a search, in order.

    After the given points comes the experiment's ``training``, so that the result of a search is never
    worse than the user's own configuration. It is left out if the space does not contain it, if it equals
    one of the given points, or if all ``requested`` trials are taken. If a search of this size has repeats,
    ``training`` is then trained again with other seeds.
    """
    points = given_points(settings, space, training)
    own = space.resolve(training, space.searched_values(training))
    if space.outside(own):
        return points
    if len(points) < requested and own not in [point.params for point in points]:
        points.append(StartPoint(TRAINING_ORIGIN, own, {DIFFERS_IN: []}))
    original = next((number for number, point in enumerate(points) if point.params == own), None)
    if original is not None:
        training_repeats, _ = num_repeats(settings, requested)
        points += [
            StartPoint(TRAINING_REPEAT_ORIGIN, own, repeat(settings, original, earlier))
            for earlier in range(min(training_repeats, requested - len(points)))
        ]
    return points


def check_start_points(settings: SearchSettings, space: Space, training: Params) -> None:
    """Check that every start point and every known trial lies in the space.

    Raises:
        ExperimentError: If one lies outside the space, or if there are more points than trials.
    """
    points = given_points(settings, space, training)
    if settings.trials < len(points):
        raise ExperimentError(
            f"`trials` must be at least {len(points)}, the number of start points with the research default, "
            f"but is {settings.trials}. Increase it."
        )
    for number, point in enumerate(points):
        faults = space.outside(point.params)
        if faults:
            raise ExperimentError(
                f"Start point {number} must lie in the space {settings.space}, but {'; '.join(faults)}. "
                "Widen the space or move the point."
            )
    for known in settings.known_trials:
        values = space.searched_values(Params.model_validate({**training.model_dump(), **known.params}))
        unlike = sorted(set(values) ^ set(known.params))
        faults = (
            [f"the searched params are {', '.join(values)}"]
            if unlike
            else space.outside(Params.model_validate({**training.model_dump(), **known.params}))
        )
        if faults:
            raise ExperimentError(
                f"Each entry of `known_trials` must have the searched params of {settings.space}, but "
                f"{known.params} does not: {'; '.join(faults)}. Remove it."
            )


def with_warm_start(experiment: Experiment, space: Space, earlier: Run, snapshot: "Snapshot") -> Experiment:
    """Return the experiment with the earlier run's best configurations as additional start points.

    The snapshot may contain newer data of the same kind. If it is the same snapshot, the sampler also learns
    from the earlier run's other trials. Of these it takes the ones that this search could have drawn: they
    lie in its space, which may be a different space, and equal it in all settings that are not searched.

    Raises:
        RunError: If the results of the two are not comparable, because labels, split or source differ.
    """
    before, now = _comparable(_manifest(earlier)), _comparable(snapshot.manifest)
    changed = [f"{key} {before[key]} → {now[key]}" for key in now if before[key] != now[key]]
    if changed:
        raise RunError(
            f"A warm start needs a run on comparable data, but since {earlier.name} these changed: "
            f"{'; '.join(changed)}. Start without a warm start."
        )
    best = [
        trial for trial in top_trials(earlier, WARM_START_POINTS) if trial.origin != RESEARCH_DEFAULT_ORIGIN
    ]
    points = [*experiment.search.start_points, *(dict(trial.params) for trial in best)]
    known = _known_trials(experiment, space, earlier, snapshot, {trial.number for trial in best})
    search = experiment.search.model_copy(
        update={"start_points": points, "known_trials": [*experiment.search.known_trials, *known]}
    )
    return experiment.model_copy(update={"search": search})


def _known_trials(
    experiment: Experiment, space: Space, earlier: Run, snapshot: "Snapshot", trained_again: Set[int]
) -> list[KnownTrial]:
    """Return the earlier run's values that are valid in this search, without trials that it trains again."""
    now, before = experiment.search, earlier.experiment.search
    same = (earlier.snapshot_id, before.metrics, before.max_train_careers) == (
        *(snapshot.id, now.metrics, now.max_train_careers),
    )
    if not same or now.other_metrics:
        return []
    known = []
    for trial in ranked(read_trials(read_study(earlier.path))):
        params = Params.model_validate(trial.params)
        drawable = not space.outside(params) and not space.differences(params, experiment.training)
        if trial.state == "COMPLETE" and drawable and trial.number not in trained_again:
            values = space.searched_values(params)
            known.append(KnownTrial.model_validate({"params": values, "value": trial.mean_value}))
    return known


def _manifest(run: Run) -> dict[str, Any]:
    path = find_snapshot(run) / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"A warm start needs the snapshot of {run.name}, but {path} cannot be read. Restore it."
        ) from error
    return manifest


def _comparable(manifest: Any) -> dict[str, Any]:
    """Return what two snapshots must share for comparable results: labels, split and kind of source."""
    source = manifest["source"]
    return {
        "source": {key: source.get(key) for key in ("kind", "table", "path")},
        "hireability": manifest["hireability"],
        **manifest["settings"],
    }
