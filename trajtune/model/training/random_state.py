"""A random state for each training, because torch has only one global state."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class RandomState:
    """The random state that one training uses for weights and dropout.

    Args:
        seed: Initial seed.
        device: Device of the training; a GPU has a separate state.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Reset the state to a seed."""
        with self._restored():
            torch.manual_seed(seed)
            self._state = self._read()

    def get(self) -> dict[str, Tensor]:
        """Return the state, for a checkpoint."""
        return self._state

    def set(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a checkpoint's state; other entries of ``state`` are ignored."""
        self._state = {name: state[name] for name in self._state}

    @contextmanager
    def generator(self) -> Iterator[torch.Generator]:
        """Provide a generator with this state, and update the state afterwards."""
        name = "cuda" if "cuda" in self._state else "cpu"
        generator = torch.Generator(self._device if name == "cuda" else "cpu")
        generator.set_state(self._state[name])
        yield generator
        self._state = {**self._state, name: generator.get_state()}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make this state torch's global state within the context."""
        with self._restored():
            self._write(self._state)
            yield
            self._state = self._read()

    @contextmanager
    def _restored(self) -> Iterator[None]:
        before = self._read()
        try:
            yield
        finally:
            self._write(before)

    def _read(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        return state

    def _write(self, state: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(state["cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self._device)
