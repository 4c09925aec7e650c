import json

import pytest

from trajtune.model.baselines.ngram_choice import NGramChoice


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            NGramChoice(2, "last", 20.0, 0.75, 0.15),
            "counts of the last two titles, on last moves, half-life 20 years, Kneser-Ney with discount "
            "0.75, 15 % copies",
        ),
        (
            NGramChoice(1, "all", None, None, 0.0),
            "counts of the last title, on all moves, no half-life, Witten-Bell, no copies",
        ),
    ],
)
def test_a_choice_round_trips_through_json_and_has_a_description(choice: NGramChoice, words: str) -> None:
    assert NGramChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice
    assert choice.in_words() == words
