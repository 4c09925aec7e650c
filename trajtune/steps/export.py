"""Export a trained model to ONNX, from paths only."""

import pickle
from pathlib import Path
from typing import Any

import torch

from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import TrainingError
from trajtune.finalizing.export import to_onnx
from trajtune.finalizing.single_steps import export_model
from trajtune.model.checkpoint import build_model, load_checkpoint
from trajtune.model.network.average import CareerModel
from trajtune.model.network.lstm import CareerTrajectoryLSTM


def export_to_onnx(model_path: str | Path, vocab_path: str | Path, output_path: str | Path) -> dict[str, Any]:
    """Export a model to an ONNX file, with its vocabulary beside it (X-vocab.json).

    Args:
        model_path: A checkpoint of trajtune, or ``torch.save(model.state_dict(), path)`` of a
            `CareerTrajectoryLSTM` without options.
        vocab_path: Vocabulary file of the model's training.
        output_path: Path of the file, ending in .onnx. An existing file is replaced.

    Returns:
        ``opset``, ``ir_version``, ``num_nodes`` and ``num_bytes`` of the file.

    Raises:
        TrainingError: If the model cannot be read, or was trained with another vocabulary.
        BundleError: If the service could not find the vocabulary there.
        ExportError: If the path does not end in .onnx, or the graph does not match the contract.

    Examples:
        >>> torch.save(model.state_dict(), "best.pt")  # doctest: +SKIP
        >>> encoder.save("vocab.json")  # doctest: +SKIP
        >>> export_to_onnx("best.pt", "vocab.json", "trajectory-lstm.onnx")["opset"]  # doctest: +SKIP
        17
    """
    encoder = TitleEncoder.load(Path(vocab_path))
    return export_model(load_model(Path(model_path), encoder), encoder, Path(output_path))


def simplify_onnx(model_path: str | Path) -> None:
    """Simplify an ONNX file in place, and check that its outputs do not change.

    Args:
        model_path: File that `export_to_onnx` wrote.

    Raises:
        ExportError: If the outputs differ, or the result breaks the contract.

    Examples:
        >>> simplify_onnx("trajectory-lstm.onnx")  # doctest: +SKIP
    """
    to_onnx.simplify_onnx(Path(model_path))


def load_model(path: Path, encoder: TitleEncoder | None = None) -> CareerModel:
    """Load the model of a checkpoint or of a state dict, in eval mode.

    Args:
        path: Path of the file.
        encoder: Vocabulary; if given, the model must have the same number of titles.

    Raises:
        TrainingError: If the file is neither, or the number of titles differs.
    """
    weights = _state_dict(path)
    model = build_model(load_checkpoint(path)) if weights is None else _plain_model(weights, path)
    if encoder is not None and model.vocab_size != encoder.vocab_size:
        raise TrainingError(
            f"{path} was trained on {model.vocab_size - 1} titles, but the vocabulary has "
            f"{encoder.vocab_size - 1}. Give the vocabulary that it was trained with."
        )
    return model


def _state_dict(path: Path) -> dict[str, torch.Tensor] | None:
    """What ``torch.save(model.state_dict(), path)`` wrote, or None if the file is something else."""
    try:
        content = torch.load(path, "cpu", weights_only=True)
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
    ):  # `load_checkpoint` reports the reason
        return None
    is_weights = isinstance(content, dict) and "embedding.weight" in content
    return content if is_weights else None


def _plain_model(weights: dict[str, torch.Tensor], path: Path) -> CareerTrajectoryLSTM:
    vocab_size, embedding_dim = weights["embedding.weight"].shape
    num_layers = sum(name.startswith("lstm.weight_hh_l") and "reverse" not in name for name in weights)
    try:
        model = CareerTrajectoryLSTM(
            vocab_size, embedding_dim, weights["lstm.weight_hh_l0"].shape[1], num_layers
        )
        model.load_state_dict(weights)
    except (RuntimeError, KeyError) as error:
        raise TrainingError(
            f"A state dict must be of a model without options, but {path} is of one with options. "
            "Train it with `trajtune train`, whose checkpoints contain the options."
        ) from error
    return model.eval()
