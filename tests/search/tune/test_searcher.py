"""Between Ray Tune and the study, without a Ray: what the scheduler answers to an epoch."""

from pathlib import Path
from types import SimpleNamespace

from trajtune.experiment.params import Params
from trajtune.experiment.settings import SearchSettings
from trajtune.experiment.space import load_space
from trajtune.search.start_points import start_points
from trajtune.search.study import study as record
from trajtune.search.study.open import create_study
from trajtune.search.tune.searcher import StudyScheduler, StudySearcher


def test_what_the_others_are_held_against_is_not_pruned(tmp_path: Path) -> None:
    settings = SearchSettings.model_validate({"space": "smoke", "pruner": {"grace_period": 1}})
    space, training = load_space("smoke"), Params(max_epochs=9)
    study = create_study(tmp_path, settings, training.max_epochs)
    for origin, params in start_points(settings, space, training, 5):
        record.enqueue(study, space, params, origin)
    searcher = StudySearcher(
        *(study, space, settings, training),
        requested=5,
        max_concurrent=lambda: 5,
        listener=lambda what, number: None,
        still_held=lambda: None,
    )
    scheduler = StudyScheduler(searcher)
    for number in range(5):
        searcher.suggest(str(number))

    # The best first, so that each of the others is behind when it is asked about.
    answers = {
        number: scheduler.on_trial_result(
            None,
            SimpleNamespace(trial_id=str(number)),
            {"report/epoch": 1, "report/val_next_role_nll": 9.0 - number, "hostname": "here"},
        )
        for number in (4, 3, 2, 1, 0)
    }

    assert answers == {4: "CONTINUE", 3: "STOP", 2: "STOP", 1: "CONTINUE", 0: "CONTINUE"}
    origins = [trial.user_attrs["origin"] for trial in study.get_trials(deepcopy=False)]
    assert origins == ["research_default", "training", "sampler", "sampler", "sampler"]
