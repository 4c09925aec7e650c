"""Search spaces: validation, suggestions, and that the research default is always inside."""

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.space import REQUIRED, Space, load_space

SIX = {
    "embedding_dim": {"type": "categorical", "choices": [32, 128]},
    "hidden_dim": 16,
    "num_layers": {"type": "int", "low": 1, "high": 2},
    "dropout": 0.1,
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "batch_size": 32,
}


def space(**params: object) -> Space:
    return validate(Space, {"params": {**SIX, **params}}, "space.yaml")


@pytest.mark.parametrize("name", ["around_default", "smoke", "wide"])
def test_every_shipped_space_contains_the_research_default(name: str) -> None:
    shipped = load_space(name)

    assert set(REQUIRED) <= set(shipped.params)
    assert shipped.outside(RESEARCH_DEFAULT) == []


def test_an_unknown_param_is_refused_with_the_most_similar_known_param() -> None:
    with pytest.raises(ExperimentError, match=r"unknown param `droput`, did you mean `dropout`\?"):
        space(droput=0.2)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_space_without_a_required_param_is_refused(missing: str) -> None:
    rest = {name: value for name, value in SIX.items() if name != missing}

    with pytest.raises(ExperimentError, match=f"are missing: `{missing}`"):
        validate(Space, {"params": rest}, "space.yaml")


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("dropout", {"type": "float", "low": 0.2, "high": 0.5}, r"`dropout` is 0\.1, outside 0\.2\.\.0\.5"),
        ("batch_size", {"type": "int", "low": 16, "high": 64, "step": 24}, r"`batch_size` is 32, outside"),
        ("hidden_dim", {"type": "categorical", "choices": [8, 32]}, r"`hidden_dim` is 16, outside \{8, 32\}"),
        ("batch_size", 128, r"`batch_size` is 32, and the space fixes it at 128"),
        (
            "dropout",
            {"type": "float", "low": 0, "high": 1.5},
            r"`dropout`: Input should be less than 1, got 1\.5",
        ),
        (
            "dropout",
            {"type": "float", "low": 0.5, "high": 0.0},
            r"`low <= high` must hold, but got 0\.5 and 0",
        ),
        ("dropout", {"type": "float", "low": 0, "high": 0.5, "log": True}, r"`low` must be above 0"),
        ("dropout", {"type": "flaot", "low": 0, "high": 0.5}, r"`type` must be float, int or categorical"),
        (
            "examples",
            {"type": "categorical", "choices": ["all"]},
            r"`examples`: Input should be 'every_trans",
        ),
        ("num_layers", {"type": "int", "low": 1, "high": 4, "step": 2}, r"multiple of `step`"),
    ],
)
def test_an_invalid_entry_is_refused_with_rule_and_values(name: str, entry: object, message: str) -> None:
    with pytest.raises(ExperimentError, match=message) as caught:
        space(**{name: entry})

    assert "\n" not in str(caught.value)


def test_all_faults_of_a_file_are_reported_together() -> None:
    with pytest.raises(ExperimentError) as caught:
        space(droput=0.2, batch_size=128)

    assert "droput" in str(caught.value)
    assert "batch_size" in str(caught.value)


def test_fixed_values_override_the_experiment_and_suggested_values_override_both() -> None:
    base = Params(max_epochs=7, dropout=0.5)

    resolved = space(tenure_loss="mse").resolve(base, {"learning_rate": 0.003})

    assert (resolved.max_epochs, resolved.tenure_loss, resolved.learning_rate) == (7, "mse", 0.003)
    assert resolved.dropout == 0.1, "a fixed value of the space must override the experiment's value"


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000))
def test_suggested_params_are_always_inside_the_space(seed: int) -> None:
    wide = load_space("wide")
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()

    params = wide.resolve(Params(), wide.suggest(trial))

    assert wide.outside(params) == []


def test_a_conditional_param_is_suggested_only_if_its_condition_holds() -> None:
    conditional = space(
        schedule={"type": "categorical", "choices": ["constant", "cosine"]},
        warmup_epochs={"type": "float", "low": 0.5, "high": 2.0, "when": {"schedule": "cosine"}},
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggested = [conditional.suggest(study.ask()) for _ in range(30)]

    assert {params["schedule"] for params in suggested} == {"constant", "cosine"}
    assert all(("warmup_epochs" in params) == (params["schedule"] == "cosine") for params in suggested)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"schedule": "linear"}, r"depends on schedule in \['linear'\], outside"),
        ({"tenure_loss": "mse"}, r"depends on `tenure_loss`, which must be a searched param above it"),
    ],
)
def test_an_impossible_condition_is_refused(when: dict[str, str], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        space(
            schedule={"type": "categorical", "choices": ["constant", "cosine"]},
            warmup_epochs={"type": "float", "low": 0.5, "high": 2.0, "when": when},
        )


def test_a_space_round_trips_through_json() -> None:
    wide = load_space("wide")

    assert Space.model_validate(wide.model_dump(mode="json", exclude_defaults=True)) == wide
