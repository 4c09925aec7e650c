"""The vocabulary, filled in place or created by the class."""

from pathlib import Path

import trajtune
from trajtune.dataset import titles


def test_an_encoder_is_filled_in_place_or_created_by_the_class(tmp_path: Path) -> None:
    words = ["Nurse", "Nurse", "Baker"]
    encoder = trajtune.TitleEncoder()
    assert (encoder.vocab_size, encoder.encode("Nurse"), encoder.decode(1)) == (1, 0, "<UNK>")
    assert encoder.fit(words) is encoder
    other = trajtune.TitleEncoder.fit(words)
    assert vars(encoder) == vars(other) == vars(titles.TitleEncoder.fit(words))
    encoder.save(str(tmp_path / "vocab.json"))
    assert vars(trajtune.TitleEncoder().load(str(tmp_path / "vocab.json"))) == vars(other)


def test_fitting_an_encoder_again_forgets_the_earlier_titles() -> None:
    encoder = trajtune.TitleEncoder()
    assert encoder.fit(["Nurse"]).encode("Nurse") == 1
    assert encoder.fit(["Baker"]).encode("Nurse") == 0
    assert encoder.encode("Baker") == 1
