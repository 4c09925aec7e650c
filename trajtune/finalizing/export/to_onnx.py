"""The exporter from torch to ONNX: dynamo, opset 17, and a native LSTM with sequence lengths.

``torch.export`` cannot capture ``pack_padded_sequence``. So the model has one opaque operator for it, which
this module translates to ONNX. There is no fallback to another exporter: a graph that does not match the
serving contract raises an `ExportError`.
"""

# B careers in a batch, T roles (padded), V titles

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from torch import nn
from torch.export import Dim

from trajtune.errors import ExportError
from trajtune.model.network.lstm import bilstm_final_state  # noqa: F401 - registers an operator that is translated
from trajtune.model.network.recent_roles import recent_roles  # noqa: F401 - registers an operator, too
from trajtune.storage.atomic import write_atomically

OPSET: Final = 17
INPUTS: Final = ("title_ids", "lengths")
CONTRACT_OUTPUTS: Final = ("next_role_logits", "tenure_pred", "hireability")
EXTRA_OUTPUTS: Final = (
    "next_role_confidence",
    "top5_ids",
    "top5_probabilities",
    "title_set_ids",
    "title_set_size",
)
_IR_VERSION: Final = 10  # supported by onnxruntime 1.22, the oldest version in the service
_DYNAMIC: Final = {"title_ids": ["batch", "seq_len"], "lengths": ["batch"]}


def export_to_onnx(model: nn.Module, path: Path) -> None:
    """Write a model as one self-contained ONNX file; the same weights give the same bytes.

    Args:
        model: `CareerModel` (three outputs) or `ExportedModule` (six; eight with title sets), in eval mode.
        path: The file to write; written atomically.

    Raises:
        ExportError: If the result is not a dynamic graph of opset 17.
    """
    if model.training:
        raise ExportError(
            "A model must be in eval mode for export, but this one is in train mode. Call model.eval() first."
        )
    example = (torch.ones(2, 10, dtype=torch.long), torch.tensor([10, 7]))
    with torch.no_grad():
        num_outputs = len(model(*example))
    with _quiet():
        program = torch.onnx.export(
            model,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[*CONTRACT_OUTPUTS, *EXTRA_OUTPUTS][:num_outputs],
            dynamic_shapes={
                "title_ids": {0: Dim("batch"), 1: Dim("seq_len")},
                "lengths": {0: Dim("batch")},
            },
            custom_translation_table={
                torch.ops.trajtune.bilstm_final_state.default: _bilstm_final_state,
                torch.ops.trajtune.recent_roles.default: _recent_roles,
            },
            verbose=False,
        )
    assert program is not None
    _save(program.model_proto, path)


def simplify_onnx(path: Path) -> None:
    """Simplify the file in place with onnxsim and check it again.

    Args:
        path: A file that `export_to_onnx` wrote.

    Raises:
        ExportError: If onnxsim's result differs, or if it does not match the contract.
    """
    import onnxsim

    with redirect_stdout(io.StringIO()):  # onnxsim prints its progress
        simplified, same = onnxsim.simplify(
            onnx.load(path),
            check_n=1,
            test_input_shapes={"title_ids": [2, 10], "lengths": [2]},
            input_fill="ones",
        )
    if not same:
        raise ExportError(
            f"onnxsim changed what {path.name} computes. Report this with the run's parameters."
        )
    _save(simplified, path)


def check_graph(path: Path) -> dict[str, Any]:
    """Check that the file matches the serving contract and that onnxruntime loads it.

    Returns:
        ``opset``, ``ir_version``, ``num_nodes``, ``num_bytes``.

    Raises:
        ExportError: At the first violation, which the message names.
    """
    import onnxruntime

    proto = onnx.load(path, load_external_data=False)
    _check(proto, path.name)
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"onnxruntime refuses {path.name}: {' '.join(str(error).split())}.") from error
    outputs = tuple(output.name for output in session.get_outputs())
    if outputs[: len(CONTRACT_OUTPUTS)] != CONTRACT_OUTPUTS:
        raise ExportError(
            f"The first outputs of {path.name} must be {CONTRACT_OUTPUTS}, but the outputs are {outputs}."
        )
    return {
        "opset": OPSET,
        "ir_version": proto.ir_version,
        "num_nodes": len(proto.graph.node),
        "num_bytes": path.stat().st_size,
    }


def _save(proto: onnx.ModelProto, path: Path) -> None:
    proto.ir_version = _IR_VERSION
    proto.producer_name, proto.producer_version, proto.doc_string = "trajtune", "", ""
    # The exporter records the source line of every node, with paths of the machine that it ran on.
    del proto.metadata_props[:]
    for part in (proto.graph, *proto.functions):
        del part.metadata_props[:]
        for node in part.node:
            del node.metadata_props[:]
            node.doc_string = ""
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    _check(proto, path.name)
    write_atomically(path, proto.SerializeToString(deterministic=True))


def _check(proto: onnx.ModelProto, name: str) -> None:
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{name} is not valid ONNX: {' '.join(str(error).split())}.") from error
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    if opsets.get("", opsets.get("ai.onnx")) != OPSET or proto.functions:
        raise ExportError(f"{name} must be a plain graph of opset {OPSET}, but has {opsets}.")
    for tensor in proto.graph.initializer:
        if tensor.external_data:
            raise ExportError(f"{name} must be one file, but {tensor.name} is stored outside of it.")
    for value in proto.graph.input:
        shape = [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        if shape != _DYNAMIC.get(value.name):
            raise ExportError(
                f"{name}: input {value.name} must be {_DYNAMIC.get(value.name)}, but its shape is {shape}."
            )


def _bilstm_final_state(x: Any, lengths: Any, weights: Any, hidden: int, layers: int) -> Any:
    """Build the ONNX form of `network.lstm.bilstm_final_state`: one native LSTM node per layer."""
    from onnxscript import opset17 as op

    def reorder(w: Any) -> Any:  # gate order: torch i, f, g, o; ONNX i, o, f, c
        i, f, g, o = (op.Slice(w, [k * hidden], [(k + 1) * hidden], [0]) for k in range(4))
        return op.Concat(i, o, f, g, axis=0)

    sequence_lens = op.Cast(lengths, to=onnx.TensorProto.INT32)
    current = op.Transpose(x, perm=[1, 0, 2])
    last_state = None
    for layer in range(layers):
        w_all, r_all, b_all = [], [], []
        for direction in range(2):
            first = (2 * layer + direction) * 4
            w_ih, w_hh, b_ih, b_hh = weights[first : first + 4]
            w_all.append(op.Unsqueeze(reorder(w_ih), [0]))
            r_all.append(op.Unsqueeze(reorder(w_hh), [0]))
            b_all.append(op.Unsqueeze(op.Concat(reorder(b_ih), reorder(b_hh), axis=0), [0]))
        outputs, last_state, _ = op.LSTM(
            current,
            op.Concat(*w_all, axis=0),
            op.Concat(*r_all, axis=0),
            op.Concat(*b_all, axis=0),
            sequence_lens,
            hidden_size=hidden,
            direction="bidirectional",
        )
        # From [T, 2, B, H] to the next layer's input [T, B, 2H].
        merged = op.Transpose(outputs, perm=[0, 2, 1, 3])
        current = op.Reshape(merged, op.Constant(value_ints=[0, 0, -1]))
    return op.Reshape(op.Transpose(last_state, perm=[1, 0, 2]), op.Constant(value_ints=[0, -1]))


def _recent_roles(title_ids: Any, lengths: Any, max_history: int) -> Any:
    """Build the ONNX form of `network.recent_roles.recent_roles`."""
    from onnxscript import opset17 as op

    limit = op.Constant(value_int=max_history)
    num_roles = op.Squeeze(op.Shape(title_ids, start=1, end=2), op.Constant(value_ints=[0]))
    zero, one = op.Constant(value_int=0), op.Constant(value_int=1)
    position = op.Range(zero, op.Min(num_roles, limit), one)
    first = op.Max(op.Sub(lengths, limit), zero)
    index = op.Add(op.Unsqueeze(first, op.Constant(value_ints=[1])), position)
    return op.GatherElements(title_ids, index, axis=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the exporter's warnings, which are irrelevant to the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
