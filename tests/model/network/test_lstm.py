from typing import Any

import pytest
import torch

from tests.model.conftest import OPTIONS, SMALL
from trajtune.model.checkpoint import new_model
from trajtune.model.network.lstm import UNKNOWN_LOGIT, CareerTrajectoryLSTM
from trajtune.model.network.title_words import TitleWords


@pytest.fixture
def model() -> CareerTrajectoryLSTM:
    torch.manual_seed(0)
    return CareerTrajectoryLSTM(40).eval()


def test_research_default_has_exactly_the_specified_layers(model: CareerTrajectoryLSTM) -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    layers = {
        f"lstm.{name}": tuple(p.shape)
        for name, p in torch.nn.LSTM(128, 16, 2, bidirectional=True).named_parameters()
    }
    heads = {
        "embedding.weight": (40, 128),
        "next_role_head.0.weight": (64, 32),
        "next_role_head.0.bias": (64,),
        "next_role_head.3.weight": (40, 64),
        "next_role_head.3.bias": (40,),
        "tenure_head.0.weight": (32, 32),
        "tenure_head.0.bias": (32,),
        "tenure_head.2.weight": (2, 32),
        "tenure_head.2.bias": (2,),
        "hireability_head.0.weight": (32, 32),
        "hireability_head.0.bias": (32,),
        "hireability_head.2.weight": (1, 32),
        "hireability_head.2.bias": (1,),
    }
    assert shapes == layers | heads
    assert model.lstm.dropout == model.next_role_head[2].p == 0.1


def test_neither_padding_nor_other_careers_in_the_batch_change_a_prediction(
    model: CareerTrajectoryLSTM,
) -> None:
    lengths = torch.tensor([3, 1, 7, 5])
    title_ids = torch.randint(0, 40, (4, 9))
    other_padding = torch.where(torch.arange(9) < lengths[:, None], title_ids, torch.randint(0, 40, (4, 9)))
    together, again = model(title_ids, lengths), model(other_padding, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = model(title_ids[row : row + 1, :length])
        for output, repadded, single in zip(together, again, alone, strict=True):
            torch.testing.assert_close(output[row], single[0])
            assert torch.equal(output[row], repadded[row])


def test_without_lengths_every_position_is_a_role(model: CareerTrajectoryLSTM) -> None:
    title_ids = torch.randint(0, 40, (3, 6))
    for one, other in zip(model(title_ids), model(title_ids, torch.full((3,), 6)), strict=True):
        torch.testing.assert_close(one, other)


def test_the_state_is_the_final_state_of_both_directions_of_the_last_layer(
    model: CareerTrajectoryLSTM,
) -> None:
    embedded = torch.randn(2, 5, 128)
    every_position, _ = model.lstm(embedded)
    ends = torch.cat([every_position[:, -1, :16], every_position[:, 0, 16:]], 1)
    torch.testing.assert_close(model.final_state(embedded, None), ends)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_the_operator_for_export_matches_the_module(num_layers: int) -> None:
    model = CareerTrajectoryLSTM(10, embedding_dim=6, hidden_dim=4, num_layers=num_layers).eval()
    embedded, lengths = torch.randn(5, 8, 6), torch.tensor([8, 1, 3, 3, 5])
    weights = [weight for direction in model.lstm.all_weights for weight in direction]
    state = torch.ops.trajtune.bilstm_final_state(embedded, lengths, weights, 4, num_layers)
    assert torch.equal(state, model.final_state(embedded, lengths))
    torch.library.opcheck(
        torch.ops.trajtune.bilstm_final_state.default,
        (embedded, lengths, [weight.detach() for weight in weights], 4, num_layers),
        test_utils=("test_schema", "test_faketensor"),
    )


def test_unknown_is_never_predicted(model: CareerTrajectoryLSTM) -> None:
    logits, _, _ = model(torch.zeros(1, 3, dtype=torch.int64))
    assert logits[0, 0] == UNKNOWN_LOGIT
    assert logits.softmax(1)[0, 0] == 0


def test_tenure_is_in_months_and_in_order(model: CareerTrajectoryLSTM) -> None:
    title_ids = torch.randint(0, 40, (64, 4))
    torch.nn.init.normal_(model.tenure_head[2].weight, std=3)
    head = model.tenure_head(model.final_state(model.embedding(title_ids), None))
    assert (head[:, 0] > head[:, 1]).any()
    model.tenure_mean.fill_(30)
    model.tenure_std.fill_(12)
    torch.testing.assert_close(model(title_ids)[1], head.sort(1).values * 12 + 30)


@pytest.mark.parametrize("options", OPTIONS[:10], ids=lambda options: "+".join(options))
def test_padding_never_changes_a_prediction_with_any_architecture_option(
    options: dict[str, Any], vocab_size: int, words: TitleWords
) -> None:
    torch.manual_seed(0)
    params = SMALL.model_copy(update=options)
    model = new_model(params, vocab_size, words if params.title_vectors == "id_and_words" else None).eval()
    title_ids, lengths = torch.randint(0, vocab_size, (6, 9)), torch.tensor([1, 4, 9, 2, 2, 7])
    together = model(title_ids, lengths)
    for row, length in enumerate(lengths.tolist()):
        for output, alone in zip(together, model(title_ids[row : row + 1, :length]), strict=True):
            torch.testing.assert_close(output[row], alone[0])


def test_tied_logits_are_products_with_the_title_vectors(vocab_size: int) -> None:
    model = new_model(SMALL.model_copy(update={"tie_weights": True}), vocab_size).eval()
    state = torch.randn(3, 16)
    query = model.next_role_head(state)
    table = model.title_table()
    assert table.norm(dim=1)[1:].mean().item() == pytest.approx(1, abs=0.15)
    torch.testing.assert_close(
        torch.nn.functional.linear(query, table, model.tied_bias)[:, 1:],
        query @ table[1:].T + model.tied_bias[1:],
    )


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 1])])
def test_the_lstm_reads_the_start_vector_before_the_roles(lengths: torch.Tensor | None) -> None:
    model = CareerTrajectoryLSTM(10, 6, 4, title_changes=True, career_start=True).eval()
    assert model.start_vector is not None
    title_ids, read = torch.tensor([[1, 2, 2], [3, 4, 4]]), []
    model.final_state = lambda *inputs: read.append(inputs) or torch.zeros(2, 8)  # type: ignore[method-assign]
    model.scores(title_ids, lengths)
    roles, num_read = read[0]
    assert torch.equal(roles[:, 0], model.start_vector.expand(2, -1))
    vectors = model.embedding(title_ids)
    assert torch.equal(roles[:, 1:, :6], vectors)
    assert not roles[:, 1, 6:].any(), "the change at the first role compares with the start"
    assert torch.equal(roles[:, 2, 6:], (vectors[:, 1] - vectors[:, 0]).abs())
    assert num_read is None if lengths is None else num_read.tolist() == [4, 2]
