from typing import Any

from trajtune.finalizing.report.predictors import baselines_in_words


def test_the_report_says_what_each_baseline_does_and_what_ngram_chose(metrics: dict[str, Any]) -> None:
    chosen = {"order": 2, "moves": "last", "half_life_years": None, "discount": None, "copy_share": 0.3}
    words = baselines_in_words({**metrics, "ngram": chosen})
    for name in metrics["baselines"]:
        assert f"{name.replace('_', ' ')} " in words
    assert "markov2" not in words
    choice = "counts of the last two titles, on last moves, no half-life, Witten-Bell, 30 % copies"
    assert words.endswith(f"On val, ngram chose {choice}.")


def test_a_bundle_of_an_earlier_version_is_described_too() -> None:
    words = baselines_in_words({"baselines": {"majority": {}, "markov2": {}}})
    assert words == (
        "The baselines are counts: majority always predicts the commonest next titles; markov2 looks up what "
        "most often followed the last two titles."
    )
