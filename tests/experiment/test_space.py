"""The space: what it refuses, what it suggests, and that the research default is always inside."""

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
def test_every_shipped_space_holds_the_research_default(name: str) -> None:
    shipped = load_space(name)

    assert set(REQUIRED) <= set(shipped.params)
    assert shipped.outside(RESEARCH_DEFAULT) == []


def test_an_unknown_param_is_named_with_the_nearest_right_one() -> None:
    with pytest.raises(ExperimentError, match=r"unknown param `droput`, did you mean `dropout`\?"):
        space(droput=0.2)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_space_without_one_of_the_six_params_is_refused(missing: str) -> None:
    rest = {name: value for name, value in SIX.items() if name != missing}

    with pytest.raises(ExperimentError, match=f"lacks `{missing}`"):
        validate(Space, {"params": rest}, "space.yaml")


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("dropout", {"type": "float", "low": 0.2, "high": 0.5}, r"`dropout` is 0\.1, outside 0\.2\.\.0\.5"),
        ("batch_size", {"type": "int", "low": 16, "high": 64, "step": 24}, r"`batch_size` is 32, outside"),
        ("hidden_dim", {"type": "categorical", "choices": [8, 32]}, r"`hidden_dim` is 16, outside \{8, 32\}"),
        ("batch_size", 128, r"`batch_size` is 32, but is fixed at 128"),
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
def test_a_bad_entry_is_refused_with_its_rule_and_values(name: str, entry: object, message: str) -> None:
    with pytest.raises(ExperimentError, match=message) as caught:
        space(**{name: entry})

    assert "\n" not in str(caught.value)


def test_all_faults_of_a_file_are_named_together() -> None:
    with pytest.raises(ExperimentError) as caught:
        space(droput=0.2, batch_size=128)

    assert "droput" in str(caught.value)
    assert "batch_size" in str(caught.value)


def test_params_are_the_experiments_then_the_fixed_then_the_suggested() -> None:
    base = Params(max_epochs=7, dropout=0.5)

    resolved = space(tenure_loss="mse").resolve(base, {"learning_rate": 0.003})

    assert (resolved.max_epochs, resolved.tenure_loss, resolved.learning_rate) == (7, "mse", 0.003)
    assert resolved.dropout == 0.1, "the space's fixed value goes before the experiment's"


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000))
def test_whatever_is_suggested_lies_in_the_space(seed: int) -> None:
    wide = load_space("wide")
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()

    params = wide.resolve(Params(), wide.suggest(trial))

    assert wide.outside(params) == []


def test_a_conditional_param_is_suggested_only_under_its_condition() -> None:
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
        ({"schedule": "linear"}, r"hangs on schedule in \['linear'\], outside"),
        ({"tenure_loss": "mse"}, r"hangs on `tenure_loss`, which must be a searched param above it"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(when: dict[str, str], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        space(
            schedule={"type": "categorical", "choices": ["constant", "cosine"]},
            warmup_epochs={"type": "float", "low": 0.5, "high": 2.0, "when": when},
        )


def test_a_space_survives_being_written_and_read() -> None:
    wide = load_space("wide")

    assert Space.model_validate(wide.model_dump(mode="json", exclude_defaults=True)) == wide
