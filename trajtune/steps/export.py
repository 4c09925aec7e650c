"""A trained model as an ONNX file, from paths alone."""

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
    """Write a model as an ONNX file, with its vocabulary beside it (X-vocab.json).

    Args:
        model_path: A checkpoint of trajtune, or ``torch.save(model.state_dict(), path)`` of a
            `CareerTrajectoryLSTM` without options.
        vocab_path: The vocabulary file of the titles that it was trained with.
        output_path: The file, ending in .onnx; replaced if it exists.

    Returns:
        ``opset``, ``ir_version``, ``num_nodes`` and ``num_bytes`` of the file.

    Raises:
        TrainingError: If the model cannot be read, or was trained with another vocabulary.
        BundleError: If the service could not find the vocabulary there.
        ExportError: If the path does not end in .onnx, or the graph does not match the contract.
    """
    encoder = TitleEncoder.load(Path(vocab_path))
    return export_model(load_model(Path(model_path), encoder), encoder, Path(output_path))


def simplify_onnx(model_path: str | Path) -> None:
    """Simplify an ONNX file in place, and check that it computes the same.

    Args:
        model_path: A file that `export_to_onnx` wrote.

    Raises:
        ExportError: If the result differs, or the contract no longer holds.
    """
    to_onnx.simplify_onnx(Path(model_path))


def load_model(path: Path, encoder: TitleEncoder | None = None) -> CareerModel:
    """The model of a checkpoint or of a state dict, in eval mode.

    Args:
        path: The file.
        encoder: If given, the model must have as many titles.

    Raises:
        TrainingError: If the file is neither, or has another number of titles.
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
    ):  # `load_checkpoint` says why
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
            f"{path} holds the weights of a model with options, which a state dict does not name. "
            "Train it with `trajtune train`, whose checkpoints do."
        ) from error
    return model.eval()
