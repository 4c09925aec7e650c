"""Parity of the graph with torch, over a grid of batch × length × padding and for real careers.

Each row of a padded batch is compared with that career alone in torch, which shows that neither the other
careers of the batch nor the values in the padding matter.
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
from trajtune.finalize.export.exported_module import ExportedModule
from trajtune.finalize.export.to_onnx import CONTRACT_OUTPUTS
from trajtune.model.threads import one_thread

BATCHES: Final = (1, 2, 7, 64)
LENGTHS: Final = (1, 2, 10, 50)
PADDINGS: Final = (0, 3, 40)
ABSOLUTE: Final = 1e-5
RELATIVE: Final = 1e-4
"""Absolute alone is too tight: trained models show 1.3e-5 at a logit of 56."""
ABSOLUTE_MONTHS: Final = 1e-4
"""Of tenures, which are sums of numbers of up to a hundred months: float32 is off by 1.5e-5 near 0."""


def check_parity(
    graph: Graph, model: ExportedModule, careers: Sequence[NDArray[np.int64]], *, seed: int = 0
) -> dict[str, Any]:
    """Compare the graph with torch.

    Args:
        graph: The exported file.
        model: The exported module, in eval mode.
        careers: Title ids of real careers, each at least one long; the first 64 are compared in addition to
            random ones, in batches of the same sizes and with the same padding.
        seed: Seed of the random careers.

    Returns:
        ``parity_max_abs_error`` (of logits), ``parity_tolerance``, ``parity_passed`` and ``parity_rows``.

    Raises:
        ExportError: For the first batch that differs; names batch, length and padding.
    """
    worst, rows = 0.0, 0
    for batch, padding in itertools.chain(_random(graph.vocab_size, seed), _real(careers)):
        lengths = np.array([len(career) for career in batch], np.int64)
        title_ids = _padded(batch, int(lengths.max()) + padding, graph.vocab_size, seed + rows)
        outputs = graph.run(title_ids, lengths)
        expected = _alone(model, batch)
        where = f"batch {len(batch)}, length {lengths.max()}, padding {padding}"
        for name in CONTRACT_OUTPUTS:
            absolute = ABSOLUTE_MONTHS if name == "tenure_pred" else ABSOLUTE
            if not np.allclose(outputs[name], expected[name], RELATIVE, absolute):
                error = float(np.abs(outputs[name] - expected[name]).max())
                raise ExportError(
                    f"The graph's {name} differs from torch by {error:.1e} at {where}. Report this."
                )
        if (outputs["next_role_logits"].argmax(1) != expected["next_role_logits"].argmax(1)).any():
            raise ExportError(f"The graph's top title differs from torch's at {where}. Report this.")
        worst = max(worst, float(np.abs(outputs["next_role_logits"] - expected["next_role_logits"]).max()))
        rows += len(batch)
    tolerance = f"{ABSOLUTE:g} + {RELATIVE:g} relative"
    return {
        "parity_max_abs_error": worst,
        "parity_tolerance": tolerance,
        "parity_passed": True,
        "parity_rows": rows,
    }


def _random(vocab_size: int, seed: int) -> Iterator[tuple[list[NDArray[np.int64]], int]]:
    random = np.random.default_rng(seed)
    for size, longest, padding in itertools.product(BATCHES, LENGTHS, PADDINGS):
        lengths = random.integers(1, longest + 1, size)
        lengths[0] = longest
        yield [random.integers(0, vocab_size, length) for length in lengths], padding


def _real(careers: Sequence[NDArray[np.int64]]) -> Iterator[tuple[list[NDArray[np.int64]], int]]:
    if careers:
        for size, padding in itertools.product(BATCHES, PADDINGS):
            yield list(careers[:size]), padding


def _padded(
    careers: Sequence[NDArray[np.int64]], width: int, vocab_size: int, seed: int
) -> NDArray[np.int64]:
    """Careers in one batch, with garbage in the padding."""
    title_ids = np.random.default_rng(seed).integers(0, vocab_size, (len(careers), width))
    for row, career in enumerate(careers):
        title_ids[row, : len(career)] = career
    return title_ids


@torch.inference_mode()
def _alone(model: ExportedModule, careers: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
    with one_thread():
        outputs = [model(torch.from_numpy(career)[None], torch.tensor([len(career)])) for career in careers]
    return {
        name: np.concatenate([output[number].numpy() for output in outputs])
        for number, name in enumerate(CONTRACT_OUTPUTS)
    }
