import pytest

from trajtune.finalize.report.verdict import verdict


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ({"gain": 0.1, "low": 0.05, "high": 0.15}, None),
        ({"gain": -0.1, "low": -0.15, "high": -0.05}, None),
        (
            {"gain": 0.02, "low": -0.02, "high": 0.06},
            "between -2.0 and +6.0 points (95 %). About 400 people would be needed to confirm a difference "
            "of this size.",
        ),
        ({"gain": 0.0, "low": -0.1, "high": 0.1}, "between -10.0 and +10.0 points (95 %)."),
    ],
    ids=["better", "worse", "perhaps better", "equal"],
)
def test_the_verdict_says_when_people_are_too_few_to_tell(
    gain: dict, said: str | None, metrics: dict
) -> None:
    best = max(metrics["baselines"], key=lambda name: metrics["baselines"][name]["top1"])
    people = {**metrics["test"], "num_examples": 100}
    gains = {**metrics["gains"], best: {**metrics["gains"][best], "top1": gain}}
    _, reason = verdict({**metrics, "test": people, "gains": gains})
    if said is None:
        assert "too few" not in reason
    else:
        assert f"100 people are too few to tell the two apart: the difference is {said}" in reason
