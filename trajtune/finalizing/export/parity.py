"""Checks parity of the graph with torch, over a grid of batch × length × padding and for real careers.

Each row of a padded batch is compared with the same career alone in torch. This shows that neither the other
careers of the batch nor the values in the padding affect the result.
"""

# B careers in a batch, T roles (padded), V titles

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.errors import ExportError
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.to_onnx import CONTRACT_OUTPUTS
from trajtune.model.network.lstm import UNKNOWN_LOGIT
from trajtune.model.threads import one_thread

BATCHES: Final = (1, 2, 7, 64)
LENGTHS: Final = (1, 2, 10, 50)
PADDINGS: Final = (0, 3, 40)
RELATIVE: Final = 1e-4
"""Relative tolerance of each value; trained models show 1.3e-5 at a logit of 56."""
OF_RANGE: Final = 1e-5
"""Tolerance relative to an output's largest value: a tenure near 0 is a difference of large numbers."""
LEAST_RANGE: Final = 1.0


def check_parity(
    graph: Graph, model: ExportedModule, careers: Sequence[NDArray[np.int64]], *, seed: int = 0
) -> dict[str, Any]:
    """Compare the graph with torch.

    Args:
        graph: The exported graph.
        model: The exported module, in eval mode.
        careers: Title ids of real careers with at least one role. The first 64 are compared in addition to
            random careers, in batches of the same sizes and with the same padding. If the model limits its
            input (``max_history``), random careers around and beyond the limit are compared too.
        seed: Seed of the random careers.

    Returns:
        ``parity_max_abs_error`` (of logits), ``parity_tolerance``, ``parity_passed`` and ``parity_rows``.

    Raises:
        ExportError: If an output differs by more than `tolerance`; the message has its worst value.
    """
    worst, rows = 0.0, 0
    limit = getattr(model.model, "max_history", 0)
    for batch, padding in itertools.chain(
        _random(graph.vocab_size, seed), _long(graph.vocab_size, limit, seed), _real(careers)
    ):
        lengths = np.array([len(career) for career in batch], np.int64)
        title_ids = _padded(batch, int(lengths.max()) + padding, graph.vocab_size, seed + rows)
        outputs = graph.run(title_ids, lengths)
        expected = _predict_alone(model, batch)
        where = f"batch {len(batch)}, length {lengths.max()}, padding {padding}"
        for name in CONTRACT_OUTPUTS:
            _compare(name, outputs[name], expected[name], where)
        logits, torchs = outputs["next_role_logits"], expected["next_role_logits"]
        _compare_top(logits, torchs, where)
        worst = max(worst, float(np.abs(logits - torchs).max()))
        rows += len(batch)
    return {
        "parity_max_abs_error": worst,
        "parity_tolerance": f"{OF_RANGE:g} of the output's range + {RELATIVE:g} relative",
        "parity_passed": True,
        "parity_rows": rows,
    }


def tolerance(expected: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the allowed error of each value of an output, ``[B, ...]``.

    The logit of the unknown title is far below the others and is excluded from the range.
    """
    size = np.abs(expected.astype(np.float64))
    usual = size[size < -UNKNOWN_LOGIT / 2]
    return np.asarray(OF_RANGE * max(LEAST_RANGE, float(usual.max(initial=0))) + RELATIVE * size)


def _compare(name: str, found: NDArray[np.floating], expected: NDArray[np.floating], where: str) -> None:
    error, allowed = np.abs(found.astype(np.float64) - expected), tolerance(expected)
    beyond = ~(error <= allowed)  # true for NaN as well
    if beyond.any():
        worst = np.unravel_index(
            np.argmax(np.where(beyond, np.nan_to_num(error / allowed, nan=np.inf), 0)), error.shape
        )
        raise ExportError(
            f"The graph's {name} must be within {allowed[worst]:.1e} of torch's {expected[worst]:.6g}, "
            f"but is {found[worst]:.6g} at {where}. Report this."
        )


def _compare_top(found: NDArray[np.floating], expected: NDArray[np.floating], where: str) -> None:
    """Raise if the top title differs from torch's, unless both logits are equal within the tolerance."""
    row, top, torchs = np.arange(len(found)), found.argmax(1), expected.argmax(1)
    lead = expected[row, torchs] - expected[row, top]
    if (lead > 2 * tolerance(expected)[row, torchs]).any():
        raise ExportError(f"The graph's top title differs from torch's at {where}. Report this.")


def _random(vocab_size: int, seed: int) -> Iterator[tuple[list[NDArray[np.int64]], int]]:
    random = np.random.default_rng(seed)
    for size, longest, padding in itertools.product(BATCHES, LENGTHS, PADDINGS):
        lengths = random.integers(1, longest + 1, size)
        lengths[0] = longest
        yield [random.integers(0, vocab_size, length) for length in lengths], padding


def _long(vocab_size: int, max_history: int, seed: int) -> Iterator[tuple[list[NDArray[np.int64]], int]]:
    """Yield careers with about ``max_history`` roles, and with many more; none if the input has no limit."""
    random = np.random.default_rng([seed, max_history])
    lengths = [max(1, max_history + more) for more in (-1, 0, 1, 2 * max_history)] if max_history else []
    for batch, padding in itertools.product([*([length] for length in lengths), lengths], PADDINGS):
        if batch:
            yield [random.integers(0, vocab_size, length) for length in batch], padding


def _real(careers: Sequence[NDArray[np.int64]]) -> Iterator[tuple[list[NDArray[np.int64]], int]]:
    if careers:
        for size, padding in itertools.product(BATCHES, PADDINGS):
            yield list(careers[:size]), padding


def _padded(
    careers: Sequence[NDArray[np.int64]], width: int, vocab_size: int, seed: int
) -> NDArray[np.int64]:
    """Return the careers in one batch, with random ids in the padding."""
    title_ids = np.random.default_rng(seed).integers(0, vocab_size, (len(careers), width))
    for row, career in enumerate(careers):
        title_ids[row, : len(career)] = career
    return title_ids


@torch.inference_mode()
def _predict_alone(
    model: ExportedModule, careers: Sequence[NDArray[np.int64]]
) -> dict[str, NDArray[np.float32]]:
    with one_thread():
        outputs = [model(torch.from_numpy(career)[None], torch.tensor([len(career)])) for career in careers]
    return {
        name: np.concatenate([output[number].numpy() for output in outputs])
        for number, name in enumerate(CONTRACT_OUTPUTS)
    }
