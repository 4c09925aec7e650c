"""Loading experiment files: everything is validated, and all faults are reported in one line."""

from datetime import date
from pathlib import Path

import pytest

from trajtune.errors import ExperimentError
from trajtune.experiment.load import (
    find_file,
    load_experiment,
    load_yaml,
    parse_settings,
    save_experiment,
    validate,
    with_settings,
)
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment

FOLDER = Path(__file__).parents[2] / "experiments"


def write(folder: Path, text: str) -> str:
    path = folder / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_research_default_file_matches_the_specification() -> None:
    assert load_experiment("research_default").training == RESEARCH_DEFAULT
    assert (
        Params(
            embedding_dim=128,
            hidden_dim=16,
            num_layers=2,
            dropout=0.1,
            learning_rate=1e-3,
            batch_size=32,
            max_epochs=50,
            patience=5,
            tenure_weight=0.1,
            hireability_weight=0.1,
            tenure_loss="mse",
            examples="last",
            max_history=0,
            recency_half_life=0.0,
            tie_weights=False,
            skip_last_title=False,
            title_changes=False,
            career_start=False,
            repeat_gate=False,
            copy_head=False,
            title_vectors="id",
            weight_decay=0.0,
            decay_embeddings=False,
            schedule="constant",
        )
        == RESEARCH_DEFAULT
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_every_shipped_experiment_loads_and_round_trips(name: str, tmp_path: Path) -> None:
    experiment = load_experiment(name)
    save_experiment(experiment, tmp_path / "resolved.yaml")
    assert load_experiment(str(tmp_path / "resolved.yaml")) == experiment


def test_an_unknown_key_is_refused_with_the_most_similar_known_key(tmp_path: Path) -> None:
    with pytest.raises(
        ExperimentError, match="unknown key `training.hidden_dims`, did you mean `hidden_dim`"
    ) as caught:
        load_experiment(write(tmp_path, "training: {hidden_dims: 3}"))
    assert "\n" not in str(caught.value)


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    text = "training: {hidden_dim: 0, dropout: 2}\nsearch: {trails: 3}\nsource: {kind: oracle}"
    with pytest.raises(ExperimentError) as caught:
        load_experiment(write(tmp_path, text))
    for part in ("training.hidden_dim", "training.dropout", "search.trails", "`trials`", "source"):
        assert part in str(caught.value)


def test_cutoffs_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    text = "split: {train_cutoff: 2024-07-01, val_cutoff: 2024-01-01}"
    with pytest.raises(ExperimentError, match="train_cutoff < val_cutoff.*2024-07-01"):
        load_experiment(write(tmp_path, text))


def test_dates_in_yaml_are_read_as_dates(tmp_path: Path) -> None:
    text = "split: {train_cutoff: 2024-01-01, val_cutoff: '2024-07-01'}"
    assert load_experiment(write(tmp_path, text)).split.val_cutoff == date(2024, 7, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{unclosed", "is not YAML"),
        ("- a list", "must contain `key: value` lines, but contains a list"),
        ("!!python/object/apply:os.system ['echo']", "is not YAML"),
    ],
)
def test_an_unreadable_file_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ExperimentError, match=message) as caught:
        load_experiment(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_the_error_for_a_missing_file_lists_the_available_names() -> None:
    with pytest.raises(ExperimentError, match="There are: .*default.*research_default"):
        load_experiment("no_such")
    with pytest.raises(ExperimentError, match="No file nowhere/x.yaml"):
        load_experiment("nowhere/x.yaml")


def test_experiments_are_found_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file("default", "experiments").is_file()


def test_an_empty_file_gives_the_defaults() -> None:
    assert validate(Experiment, {}, "test") == Experiment()


def test_a_removed_setting_is_accepted_if_its_value_had_no_effect(
    tmp_path: Path,
) -> None:
    earlier = "training: {{clip_norm: {clip_norm}}}\ntracking: {{tensorboard: {tensorboard}}}\n"
    path = write(tmp_path, earlier.format(clip_norm=0.0, tensorboard="false"))
    assert load_experiment(path) == Experiment()
    path = write(tmp_path, earlier.format(clip_norm=1.0, tensorboard="true"))
    with pytest.raises(ExperimentError, match=r"unknown key `training\.clip_norm`.*`tracking\.tensorboard`"):
        load_experiment(path)


@pytest.mark.parametrize("text", ["1e-2", "1E-2", "+1e-2", ".1e-1", "1.e-2", "0.01", "1.0e-2"])
def test_numbers_with_an_exponent_need_no_decimal_point(tmp_path: Path, text: str) -> None:
    path = tmp_path / "number.yaml"
    path.write_text(f"choices: [{text}]", encoding="utf-8")
    assert load_yaml(path) == {"choices": [0.01]}


def test_quoted_numbers_and_words_with_an_e_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.yaml"
    path.write_text("{a: '1e-2', b: e5, c: 1e, d: 12e4x, e: 0x1e4}", encoding="utf-8")
    assert load_yaml(path) == {"a": "1e-2", "b": "e5", "c": "1e", "d": "12e4x", "e": 0x1E4}


def test_settings_replace_those_of_the_file_and_no_other(tmp_path: Path) -> None:
    file = write(tmp_path, "training: {dropout: 0.3, hidden_dim: 8}\nsource: {kind: csv, path: a.csv}")
    experiment = load_experiment(
        file,
        parse_settings(
            [
                *("training.dropout=2e-1", "split.fractions=[0.5, 0.6]"),
                *("storage.runs=elsewhere", "data.as_of=2024-01-31"),
            ]
        ),
    )
    assert (experiment.training.dropout, experiment.training.hidden_dim) == (0.2, 8)
    assert experiment.split.fractions == (0.5, 0.6)
    assert (experiment.storage.runs, experiment.data.as_of) == ("elsewhere", date(2024, 1, 31))
    assert with_settings(experiment, {"training.dropout": 0.3}).training.dropout == 0.3
    assert with_settings(experiment, {"storage.runs": tmp_path}).storage.runs == str(tmp_path)
    assert with_settings(experiment, {}) is experiment


def test_a_source_of_another_kind_keeps_no_setting_of_the_former_one() -> None:
    given = {
        "source.path": "a.csv",
        "source.layout.title_column": "t",
        "source.layout.layout": "roles",
        "source.kind": "csv",
    }
    experiment = with_settings(load_experiment("default"), given)
    assert experiment == with_settings(
        load_experiment("default"),
        {"source": {"kind": "csv", "path": "a.csv", "layout": {"layout": "roles", "title_column": "t"}}},
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["training.dropuot=0.2"], "unknown key `training.dropuot`, did you mean `dropout`?"),
        (["trainig.dropout=0.2"], "unknown key `trainig`, did you mean `training`?"),
        (["training.dropout=many"], "`training.dropout`: .*, got 'many'"),
        (["training.dropout=3", "search.trials=0"], "`training.dropout`: .*; `search.trials`: "),
        (["training.dropout"], "must be written section.key=value, but got 'training.dropout'"),
        (["postgres://me:secret@host/db"], r"must be written section.key=value\. Write it"),
        (["split.fractions=[0.5"], "The value of split.fractions is not YAML"),
    ],
)
def test_a_setting_that_breaks_a_rule_is_one_line(given: list[str], said: str) -> None:
    with pytest.raises(ExperimentError, match=said.replace("?", r"\?")) as caught:
        load_experiment("smoke", parse_settings(given))
    assert "\n" not in str(caught.value)
