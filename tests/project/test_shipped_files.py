"""Every shipped experiment and search space is explained and runs in a small form."""

from pathlib import Path

import pytest
import yaml

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError
from trajtune.experiment.load import load_experiment
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.space import load_space
from trajtune.model.network.title_words import words_of
from trajtune.searching.study.open import create_study
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete
from trajtune.searching.study.trial_records import read_trials
from trajtune.searching.trial import train_trial
from trajtune.searching.tune.placement import place

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted(file.stem for file in (ROOT / "experiments").glob("*.yaml"))
SPACES = sorted(file.stem for file in (ROOT / "search_spaces").glob("*.yaml"))
TRIALS = 3


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_shipped_experiment_searches_in_a_small_form(
    name: str,
    tmp_path: Path,
    ladder_snapshot: Snapshot,
    own_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Use its space and its study, with three trials of one epoch, in this process."""
    experiment = load_experiment(name)
    space, variable = load_space(experiment.search.space), experiment.storage.study_url_variable
    if variable:
        monkeypatch.setenv(variable, own_database)
    study = create_study(tmp_path, experiment.search, 1, url_variable=variable)
    enqueue(study, space, RESEARCH_DEFAULT, "research_default")
    train, val, encoder = (
        *(ladder_snapshot.read(split).arrays for split in ("train", "val")),
        ladder_snapshot.encoder(),
    )
    for number in range(TRIALS):
        trial = ask(study, space, experiment.search, experiment.training)
        params = Params.model_validate({**trial.user_attrs["params"], "max_epochs": 1, "warmup_epochs": 0})
        for report in train_trial(
            params,
            train,
            val,
            encoder.vocab_size,
            tmp_path / str(number),
            title_words=words_of(encoder),
            metric=experiment.search.metric,
            seed=experiment.search.seed,
        ):
            record_epoch(study, trial, experiment.search.metric, report)
        tell_complete(study, trial)

    trials = read_trials(study)
    assert [trial.state for trial in trials] == ["COMPLETE"] * TRIALS
    assert (tmp_path / "study.journal").exists() == (variable is None)


def test_every_shipped_space_belongs_to_a_shipped_experiment() -> None:
    """Therefore the test above searches each of them."""
    assert sorted({load_experiment(name).search.space for name in EXPERIMENTS}) == SPACES


def test_the_gpu_experiment_runs_four_trials_on_a_gpu_and_none_without() -> None:
    search = load_experiment("gpu").search
    placement = place(search, {"CPU": 16.0, "GPU": 1.0})
    assert (placement.concurrent, placement.device) == (4, "cuda")
    with pytest.raises(RunError, match="`search.gpus_per_trial` is 0.25, but Ray finds 0 GPUs"):
        place(search, {"CPU": 16.0})


@pytest.mark.parametrize(
    "file", sorted([*ROOT.glob("experiments/*.yaml"), *ROOT.glob("search_spaces/*.yaml")])
)
def test_every_shipped_file_begins_with_its_purpose(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()
    head = lines[: next(number for number, line in enumerate(lines) if line.endswith(":"))]
    said = [line.removeprefix("# ") for line in head if line.startswith("# ")][1:]
    assert len(" ".join(said).split()) >= 12, f"{file.name}: say what it is for"
    assert yaml.safe_load(file.read_text("utf-8"))
