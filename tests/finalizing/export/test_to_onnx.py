from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from tests.model.conftest import plain
from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExportError
from trajtune.experiment.params import Params
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.evaluate.last_transitions import histories
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.parity import check_parity
from trajtune.finalizing.export.to_onnx import (
    CONTRACT_OUTPUTS,
    EXTRA_OUTPUTS,
    check_graph,
    export_to_onnx,
    simplify_onnx,
)
from trajtune.model.checkpoint import averaged, build_model, load_checkpoint, new_model, save_checkpoint
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.title_words import number_words, words_of
from trajtune.model.training.fit import fit


def test_the_file_matches_the_contract(exported_onnx: Path) -> None:
    found = check_graph(exported_onnx)
    graph = Graph(exported_onnx)
    assert found["opset"] == 17
    assert found["ir_version"] <= 10
    assert [file.name for file in exported_onnx.parent.iterdir()] == [exported_onnx.name]
    assert graph.inputs == {"title_ids": ["batch", "seq_len"], "lengths": ["batch"]}
    assert tuple(graph.outputs) == CONTRACT_OUTPUTS + EXTRA_OUTPUTS
    assert [graph.outputs[name][1] for name in CONTRACT_OUTPUTS] == [50, 2, 1]


@pytest.mark.slow
def test_exporting_twice_gives_the_same_bytes(
    exported_onnx: Path, exported_module: ExportedModule, tmp_path: Path
) -> None:
    again = tmp_path / "again.onnx"
    export_to_onnx(exported_module, again)
    simplify_onnx(again)
    assert again.read_bytes() == exported_onnx.read_bytes()


def test_the_file_contains_nothing_about_the_machine_that_exported_it(exported_onnx: Path) -> None:
    content = exported_onnx.read_bytes()
    assert b"stack_trace" not in content
    assert str(Path(__file__).parents[3]).encode() not in content


def test_a_network_of_three_layers_exports_with_only_the_outputs_of_the_contract(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CareerTrajectoryLSTM(7, 4, 3, 3).eval()
    path = tmp_path / "plain.onnx"
    export_to_onnx(model, path)
    ids, lengths = np.array([[1, 2, 3, 6], [5, 0, 0, 0]]), np.array([4, 1])
    found = Graph(path).run(ids, lengths)
    with torch.no_grad():
        expected = model(torch.from_numpy(ids), torch.from_numpy(lengths))
    assert tuple(found) == CONTRACT_OUTPUTS
    for name, tensor in zip(CONTRACT_OUTPUTS, expected, strict=True):
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-4, atol=1e-5)


def test_a_model_in_train_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="eval mode"):
        export_to_onnx(CareerTrajectoryLSTM(5).train(), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


class _Opset18(nn.Module):
    """A model with an operator that the exporter leaves at opset 18, although the file declares 17."""

    def forward(self, title_ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = title_ids.float() + lengths[:, None]
        return torch.logsumexp(x, 1, keepdim=True), x[:, :1], x[:, :1]


def test_a_graph_that_is_not_opset_17_is_refused_and_not_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        export_to_onnx(_Opset18().eval(), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_fixed_size_is_refused(exported_onnx: Path, tmp_path: Path) -> None:
    proto = onnx.load(exported_onnx)
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 10
    fixed = tmp_path / "fixed.onnx"
    onnx.save(proto, fixed)
    with pytest.raises(ExportError, match=r"title_ids must be .*seq_len.* but its shape is \['batch', 10\]"):
        check_graph(fixed)


def test_the_unknown_title_is_never_predicted(exported_onnx: Path) -> None:
    random = np.random.default_rng(0)
    out = Graph(exported_onnx).run(random.integers(0, 50, (500, 6)), random.integers(1, 7, 500))
    assert (out["top5_ids"] != 0).all()
    assert (out["next_role_logits"].argmax(1) == out["top5_ids"][:, 0]).all()
    softmax = np.exp(out["next_role_logits"] - out["next_role_logits"].max(1, keepdims=True))
    softmax /= softmax.sum(1, keepdims=True)
    np.testing.assert_allclose(
        np.take_along_axis(softmax, out["top5_ids"], 1), out["top5_probabilities"], atol=1e-6
    )


def test_fewer_than_five_titles_give_fewer_columns(tmp_path: Path) -> None:
    module = ExportedModule(
        CareerTrajectoryLSTM(4, 4, 3), 4, Corrections(CalibrationTable((0.5,), (0.4,)))
    ).eval()
    export_to_onnx(module, tmp_path / "x.onnx")
    out = Graph(tmp_path / "x.onnx").run(np.array([[1, 2]]), np.array([2]))
    assert sorted(out["top5_ids"][0]) == [1, 2, 3]
    assert out["next_role_confidence"].tolist() == [[pytest.approx(0.4)]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"tie_weights": True, "skip_last_title": True, "title_vectors": "id_and_words"},
        {"skip_last_title": True},
        {"tie_weights": True, "title_vectors": "id_and_words", "title_changes": True, "repeat_gate": True},
        {"title_changes": True, "career_start": True},
        {"tie_weights": True, "skip_last_title": True, "repeat_gate": True, "copy_head": True},
        {"copy_head": True, "career_start": True},
    ],
    ids=["tied", "untied", "changes and gate", "start", "copy", "copy and start"],
)
def test_every_model_option_exports_exactly(options: dict, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ids = random.integers(0, 30, 400).astype(np.int32)
    unknown = np.full(400, np.nan, np.float32)
    train = CareerArrays(ids, np.arange(0, 401, 4), unknown, unknown, unknown, ids, ids < 0)
    words = number_words([[f"w{i % 7}", f"w{i % 5}"] for i in range(1, 30)])
    params = plain(embedding_dim=8, hidden_dim=4, max_epochs=1, **options)
    needed = words if params.title_vectors == "id_and_words" else None
    (result,) = fit(params, train, train, 30, seed=0, title_words=needed)
    module = ExportedModule(
        build_model(result.checkpoint()), 30, Corrections(CalibrationTable((0.0, 1.0), (0.0, 1.0)))
    )
    path = tmp_path / "x.onnx"
    export_to_onnx(module.eval(), path)
    simplify_onnx(path)
    check_graph(path)
    found = check_parity(Graph(path), module, [np.array([0]), np.array([1, 0, 2])])
    # With copying, logits are log-probabilities. That of index 0 is near -10,000, where floats are coarse.
    assert found["parity_max_abs_error"] < (1e-3 if params.copy_head else 1e-4)
    out = Graph(path).run(np.array([[0]]), np.array([1]))
    assert 0 not in out["top5_ids"]


@pytest.mark.slow
def test_a_title_that_occurs_twice_is_copied_from_both_roles_in_the_graph(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CareerTrajectoryLSTM(30, 8, 4, copy_head=True, skip_last_title=True).eval()
    assert model.copy_head is not None
    torch.nn.init.constant_(model.copy_head.gate.bias, 2.0)
    export_to_onnx(model, tmp_path / "x.onnx")
    simplify_onnx(tmp_path / "x.onnx")
    ids, lengths = np.array([[5, 9, 5, 5, 2], [0, 0, 3, 3, 3], [7, 0, 7, 1, 4]]), np.array([4, 2, 5])
    logits = Graph(tmp_path / "x.onnx").run(ids, lengths)["next_role_logits"]
    with torch.no_grad():
        expected, _, _ = model(torch.from_numpy(ids), torch.from_numpy(lengths))
        factored, _, _ = model.scores(torch.from_numpy(ids), torch.from_numpy(lengths))
    np.testing.assert_allclose(logits, expected.numpy(), rtol=1e-4, atol=1e-5)
    copied = np.exp(factored.log_copy.numpy())
    assert np.exp(logits[0, 5]) > copied[0, [0, 2, 3]].sum() > 2 * copied[0, [0, 2, 3]].min()
    assert np.exp(logits[1, 3]) < 0.2, "padding is copied"
    np.testing.assert_allclose(np.exp(logits).sum(1), 1, rtol=1e-5)


def test_the_graph_of_several_seeds_gives_the_mean_of_their_predictions(
    changing_snapshot: Snapshot, tmp_path: Path
) -> None:
    encoder = changing_snapshot.encoder()
    train, val = (changing_snapshot.read(split) for split in ("train", "val"))
    params = Params(embedding_dim=8, hidden_dim=4, num_layers=1, max_epochs=1, batch_size=256)
    states = []
    for seed in range(3):
        data = (train.arrays, val.arrays, encoder.vocab_size)
        (result,) = fit(params, *data, seed=seed, title_words=words_of(encoder))
        states.append(result.checkpoint())
    save_checkpoint(averaged(states), tmp_path / "best.pt")
    table = CalibrationTable((0.0, 1.0), (0.0, 1.0))
    model = build_model(load_checkpoint(tmp_path / "best.pt"))
    module = ExportedModule(model, encoder.vocab_size, Corrections(table)).eval()
    path = tmp_path / "x.onnx"
    export_to_onnx(module, path)
    simplify_onnx(path)
    assert check_graph(path)["opset"] == 17
    careers = histories(val, 60)
    assert check_parity(Graph(path), module, careers)["parity_passed"]

    members = [build_model(state) for state in states]
    graph = Graph(path)
    for career in careers:
        ids, lengths = career[None], np.array([len(career)])
        found = graph.run(ids, lengths)
        with torch.no_grad():
            predicted = [member(torch.from_numpy(ids), torch.from_numpy(lengths)) for member in members]
        mean = np.mean([logits.softmax(1).numpy() for logits, _, _ in predicted], 0)
        np.testing.assert_allclose(np.exp(found["next_role_logits"]), mean, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(found["top5_probabilities"][0], -np.sort(-mean[0])[:5], rtol=1e-4)
        for number, name in ((1, "tenure_pred"), (2, "hireability")):
            mean = np.mean([outputs[number].numpy() for outputs in predicted], 0)
            np.testing.assert_allclose(found[name], mean, rtol=1e-4)
        assert 0 not in found["top5_ids"]
        assert np.isfinite(found["next_role_logits"]).all()


@pytest.mark.parametrize("members", [1, 2])
def test_the_graph_reads_the_most_recent_roles_and_short_careers_give_the_same_bytes(
    members: int, tmp_path: Path
) -> None:
    states = []
    for seed in range(members):
        params = plain(embedding_dim=8, hidden_dim=4, copy_head=True, career_start=True, max_history=6)
        torch.manual_seed(seed)
        weights = new_model(params, 30).state_dict()
        states.append({"params": params.model_dump(mode="json"), "vocab_size": 30, "model": weights})
    unlimited = [{**state, "params": {**state["params"], "max_history": 0}} for state in states]
    table = CalibrationTable((0.0, 1.0), (0.0, 1.0))
    graphs = []
    for name, own in (("limited", states), ("unlimited", unlimited)):
        module = ExportedModule(build_model(averaged(own)), 30, Corrections(table)).eval()
        path = tmp_path / f"{name}.onnx"
        export_to_onnx(module, path)
        simplify_onnx(path)
        check_graph(path)
        graphs.append(Graph(path))
        assert check_parity(Graph(path), module, [np.array([1, 2, 3])])["parity_passed"]
    limited, whole = graphs
    random = np.random.default_rng(0)
    short, lengths = random.integers(0, 30, (9, 6)), random.integers(1, 7, 9)
    found, expected = limited.run(short, lengths), whole.run(short, lengths)
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)
    for num_roles in (7, 6, 40):
        career = random.integers(0, 30, (1, num_roles))
        found = limited.run(career, np.array([num_roles]))
        expected = whole.run(career[:, -6:], np.array([6]))
        assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)
