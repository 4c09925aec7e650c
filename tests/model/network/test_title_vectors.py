import pytest
import torch

from tests.model.conftest import SMALL
from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.model.checkpoint import new_model
from trajtune.model.network.title_words import TitleWords, number_words
from trajtune.model.training.fit import fit


def test_title_vectors_include_words_of_at_least_two_titles(vocab_size: int) -> None:
    words = number_words([["senior", "data", "engineer"], ["data", "engineer"], ["unique"], ["senior"]])
    assert words.word_ids.tolist() == [2, 0, 1, 0, 1, 2]  # alphabetical: data, engineer, senior
    assert words.offsets.tolist() == [0, 0, 3, 5, 5, 6]
    model = new_model(SMALL.model_copy(update={"title_vectors": "id_and_words"}), 5, words)
    own, word = model.embedding.weight, model.embedding.words
    torch.testing.assert_close(model.title_table()[1], own[1] + word[2] + word[0] + word[1])
    torch.testing.assert_close(model.title_table()[3], own[3])
    assert not model.title_table()[0].any()


def test_collapsing_word_vectors_changes_no_prediction(vocab_size: int, words: TitleWords) -> None:
    model = new_model(SMALL.model_copy(update={"title_vectors": "id_and_words"}), vocab_size, words).eval()
    title_ids = torch.randint(0, vocab_size, (9, 5))
    before = model(title_ids)
    collapsed = model.collapse()
    assert type(collapsed.embedding) is torch.nn.Embedding
    for one, other in zip(before, collapsed(title_ids), strict=True):
        assert torch.equal(one, other)


def test_word_vectors_require_the_words(train: CareerArrays, val: CareerArrays, vocab_size: int) -> None:
    params = SMALL.model_copy(update={"title_vectors": "id_and_words"})
    with pytest.raises(TrainingError, match=r"title_words=words_of\(encoder\)"):
        next(fit(params, train, val, vocab_size, seed=0))
