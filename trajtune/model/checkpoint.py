"""Checkpoints: tensors and plain values in one file that contains its checksum.

The file is written by ``torch.save``, and the sha256 of its bytes is added as the comment of the zip archive.
The file is written atomically, ``torch.load(path, weights_only=True)`` can read it, and damage is detected
before anything is parsed.
"""

import hashlib
import json
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import IO, Any, cast

import torch

from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.model.network.average import AveragedModel, CareerModel
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.ngram_module import build_ngram
from trajtune.model.network.title_words import TitleWords
from trajtune.storage.files import open_new_file
from trajtune.storage.path import StoredPath

State = Mapping[str, Any]
"""Content of a checkpoint: ``params``, ``vocab_size``, ``seed``, ``epoch``, ``best_epoch``, ``best_metrics``,
``model``, ``optimizer``, ``rng``. It contains only tensors, numbers, strings, lists and dicts. A checkpoint
that is stored outside its snapshot's run also has ``vocabulary``, a `vocabulary_id`. The state of an
`AveragedModel` has ``members`` (one state per member, including an n-gram), ``title_weights``,
``outcome_weights`` and ``vocab_size`` instead."""

_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64


def save_checkpoint(state: State, path: StoredPath) -> None:
    """Write ``state`` to ``path`` atomically.

    Raises:
        OSError: If the file cannot be written, for example on a full disk; no partial file is left.
        StorageError: If the store does not answer.
    """
    with open_new_file(path) as file:
        _write(state, file)


def _write(state: State, file: IO[bytes]) -> None:
    """Write ``state`` and then the hash of the written bytes."""
    hashing = _Hashing(file)
    try:
        torch.save(_plain(state), cast(IO[bytes], hashing))
    except RuntimeError as error:  # torch wraps the OSError
        raise hashing.error or error from error
    # A zip archive ends with the length of its comment (APPNOTE 4.3.16); torch writes none.
    file.seek(-2, os.SEEK_END)
    assert file.read() == b"\0\0", "torch.save wrote a zip comment"
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _COMMENT) + _MARK + hashing.hash.hexdigest().encode())


def load_checkpoint(path: StoredPath) -> dict[str, Any]:
    """Return the state that `save_checkpoint` wrote.

    Raises:
        TrainingError: If there is no such file, or its content has changed since it was written.
        StorageError: If the store does not answer.
    """
    try:
        with path.open("rb") as file:
            is_intact = _is_intact(file)
            file.seek(0)
            state: dict[str, Any] = torch.load(file, "cpu", weights_only=True) if is_intact else {}
    except OSError as error:
        raise TrainingError(
            f"Cannot read the checkpoint {path}: {error.strerror}. Check the path."
        ) from error
    if not is_intact:
        raise TrainingError(
            f"The checkpoint {path} is damaged or not from trajtune: its content does not match its sha256. "
            "Delete it and train that trial again."
        )
    return state


def _is_intact(file: IO[bytes]) -> bool:
    """Return whether the file's content matches the checksum in its comment; reads it in chunks."""
    digest = hashlib.sha256()
    left = file.seek(0, os.SEEK_END) - _COMMENT - 2
    file.seek(0)
    while left > 0 and (chunk := file.read(min(left, 2**20))):
        digest.update(chunk)
        left -= len(chunk)
    digest.update(b"\0\0")  # the comment's length before the comment was added
    return file.read() == struct.pack("<H", _COMMENT) + _MARK + digest.hexdigest().encode()


class _Hashing:
    """A file that is hashed while it is written, so its content need not be in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.hash = file, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def without_optimizer(state: State) -> dict[str, Any]:
    """Return the third of a checkpoint that predictions need; `fit` cannot resume from it."""
    return {key: value for key, value in state.items() if key not in {"optimizer", "rng"}}


def vocabulary_id(encoder: TitleEncoder) -> str:
    """Return a hash that identifies a vocabulary by its titles and their order."""
    titles = [encoder.decode(index) for index in range(encoder.vocab_size)]
    return hashlib.sha256(json.dumps(titles).encode()).hexdigest()


def averaged(states: Sequence[State], ngram: State | None = None, ngram_share: float = 0) -> dict[str, Any]:
    """Return the state of the equally weighted mean of trained networks; a single network's state as it is.

    Args:
        states: States of the networks.
        ngram: State of an `NGramModule` to mix with them; it does not predict tenure and hireability.
        ngram_share: Weight of the n-gram in the title probabilities, in 0..1; the networks share the rest.
    """
    if len(states) == 1 and ngram is None:
        return dict(states[0])
    networks = [1 / len(states)] * len(states)
    title_weights = [weight * (1 - ngram_share) for weight in networks]
    return {
        "members": [*states] if ngram is None else [*states, ngram],
        "title_weights": title_weights if ngram is None else [*title_weights, ngram_share],
        "outcome_weights": networks if ngram is None else [*networks, 0.0],
        "vocab_size": states[0]["vocab_size"],
    }


def params_of(state: State) -> Params:
    """Return the params of a checkpoint's networks; all members of a mean have the same params."""
    network = state["members"][0] if "members" in state else state
    return _params(network)


def _params(state: State) -> Params:
    return validate(Params, dict(state["params"]), "checkpoint")


def build_model(state: State) -> CareerModel:
    """Return the model of a checkpoint, ready for export: in eval mode, on the CPU, with plain title vectors.

    Raises:
        TrainingError: If the weights do not match the params and vocabulary in the checkpoint.
    """
    if "members" not in state:
        return _build_network(state)
    limits = {_params(member).max_history for member in state["members"] if "levels" not in member}
    # With one limit for all networks, the mean applies it once, to the n-gram too.
    common = limits.pop() if len(limits) == 1 else None
    members = [
        build_ngram(member) if "levels" in member else _build_network(member, is_limited=common is None)
        for member in state["members"]
    ]
    weights = state["title_weights"], state["outcome_weights"]
    return AveragedModel(members, state["vocab_size"], *weights, max_history=common or 0).eval()


def _build_network(state: State, *, is_limited: bool = True) -> CareerTrajectoryLSTM:
    """Return a network; ``is_limited``: whether it applies ``max_history`` itself."""
    params = _params(state)
    if not is_limited:
        params = params.model_copy(update={"max_history": 0})
    weights = state["model"]
    words = None
    if params.title_vectors == "id_and_words":
        words = TitleWords(*(weights[f"embedding.{f.name}"].numpy() for f in fields(TitleWords)))
    model = new_model(params, state["vocab_size"], words)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise TrainingError(
            f"The checkpoint's weights do not match its params: {reason}. Train that trial again."
        ) from error
    return model.eval().collapse()


def new_model(params: Params, vocab_size: int, title_words: TitleWords | None = None) -> CareerTrajectoryLSTM:
    """Return an untrained model; its weights are drawn from torch's global random state."""
    return CareerTrajectoryLSTM(vocab_size, title_words=title_words, **model_options(params))


def model_options(params: Params) -> dict[str, Any]:
    """Return the arguments of `CareerTrajectoryLSTM` that are params."""
    names = (
        *("embedding_dim", "hidden_dim", "num_layers", "dropout", "embedding_dropout"),
        *("tie_weights", "skip_last_title", "title_changes", "career_start", "repeat_gate", "copy_head"),
        "max_history",
    )
    return {name: getattr(params, name) for name in names}


def _plain(value: Any) -> Any:
    """Return a copy with plain containers and interned strings, whose pickle depends only on the values.

    Pickle writes a repeated object as a reference, so equal strings must be the same object.
    """
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(entry) for entry in value)
    return sys.intern(value) if isinstance(value, str) else value
