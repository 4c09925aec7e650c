import pytest
from pydantic import ValidationError

from trajtune.experiment.params import RESEARCH_DEFAULT, Params


def test_a_record_of_an_earlier_version_keeps_its_behaviour() -> None:
    earlier = {key: value for key, value in Params().model_dump().items() if key not in Params.added}
    assert Params.model_validate(earlier) == Params.model_validate({**earlier, **Params.added})
    assert Params.model_validate({**earlier, **Params.removed}).career_start is False
    assert Params.model_validate({**earlier, "career_start": True}).career_start is True


@pytest.mark.parametrize("setting", [{"markov_prior": True}, {"label_smoothing": 0.1}, {"clip_norm": 1.0}])
def test_a_removed_setting_with_an_effect_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Params.model_validate({**Params().model_dump(), **setting})


def test_missing_settings_of_a_file_get_the_defaults() -> None:
    assert Params.model_validate({}) == Params()
    assert Params.model_validate({"embedding_dim": 64}).career_start is True


def test_added_settings_have_the_values_of_the_research_default() -> None:
    assert {name: getattr(RESEARCH_DEFAULT, name) for name in Params.added} == Params.added


def test_a_record_with_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Params.model_validate({**Params().model_dump(), "hidden_dims": 3})
