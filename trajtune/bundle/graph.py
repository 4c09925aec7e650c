"""Run the exported graph in onnxruntime, with numpy arrays as inputs and outputs."""

# B careers in a batch, T roles (padded), V titles

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.errors import BundleError


class Graph:
    """An ONNX graph that runs on one thread, which is deterministic and fast for single careers.


    It can be pickled: the copy is of the model as it was read, and needs no file.
    """

    def __init__(self, model: Path | bytes) -> None:
        import onnxruntime

        self._model = model if isinstance(model, bytes) else model.read_bytes()

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])
        self.inputs: dict[str, list[int | str]] = {i.name: i.shape for i in self._session.get_inputs()}
        self.outputs: dict[str, list[int | str]] = {o.name: o.shape for o in self._session.get_outputs()}

    def __reduce__(self) -> tuple[type["Graph"], tuple[bytes]]:
        return Graph, (self._model,)

    @property
    def vocab_size(self) -> int:
        """Number of titles V, from the shape of the logits."""
        return int(self.outputs["next_role_logits"][1])

    def run(
        self, title_ids: NDArray[np.int64], lengths: NDArray[np.int64], outputs: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run one padded batch.

        Args:
            title_ids: Title ids ``[B, T]``, each in 0..V - 1; values after a length have no effect.
            lengths: Numbers of roles ``[B]``, each in 1..T.
            outputs: Names of the outputs; None: all outputs.

        Raises:
            BundleError: If ids or lengths are out of range; onnxruntime itself accepts -1 and 0.
        """
        if title_ids.size == 0 or title_ids.min() < 0 or title_ids.max() >= self.vocab_size:
            raise BundleError(
                f"Title ids must be in 0..{self.vocab_size - 1}, but a batch has others. "
                "Encode titles with the vocabulary of the bundle."
            )
        if lengths.min() < 1 or lengths.max() > title_ids.shape[1]:
            raise BundleError(
                f"Lengths must be in 1..{title_ids.shape[1]}, but range from {lengths.min()} "
                f"to {lengths.max()}. Count the titles of each career."
            )
        names = list(outputs or self.outputs)
        arrays = self._session.run(names, {"title_ids": title_ids, "lengths": lengths})
        return dict(zip(names, arrays, strict=True))
