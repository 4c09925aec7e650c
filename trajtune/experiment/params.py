"""Params: one point of a search space, with trajtune's defaults and the specification's."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Settings(BaseModel):
    """Base of every section: unknown keys are errors, values cannot be changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    removed: ClassVar[Mapping[str, object]] = {}
    """Settings that earlier versions had, each with the value that had no effect.

    Runs and checkpoints of those versions hold every setting. That value is accepted and ignored; any other
    value is an unknown key.
    """

    added: ClassVar[Mapping[str, object]] = {}
    """Settings that earlier versions lacked, each with the value that they worked with.

    A mapping that holds every other setting is a record of such a version and is read with these values. A
    file that a user writes leaves other settings out too, so it gets the defaults.
    """

    @model_validator(mode="before")
    @classmethod
    def _as_recorded(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        kept = {
            key: value
            for key, value in content.items()
            if key not in cls.removed or value != cls.removed[key]
        }
        is_whole = cls.model_fields.keys() - cls.added.keys() <= kept.keys()
        return {**cls.added, **kept} if is_whole else kept


class Params(Settings):
    """One point of a search space: everything about a model and its training that may be searched.

    The defaults are trajtune's own. `RESEARCH_DEFAULT` is the specification's point.
    """

    removed: ClassVar[Mapping[str, object]] = {
        "clip_norm": 0.0,
        "label_smoothing": 0.0,
        "markov_prior": False,
    }
    added: ClassVar[Mapping[str, object]] = {
        "career_start": False,
        "copy_head": False,
        "recency_half_life": 0.0,
    }

    embedding_dim: int = Field(128, ge=1, description="Size of a title's vector.")
    hidden_dim: int = Field(16, ge=1, description="Hidden units of each LSTM direction.")
    num_layers: int = Field(2, ge=1, le=8, description="LSTM layers.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout between LSTM layers and in the classifier.")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's learning rate.")
    batch_size: int = Field(32, ge=1, description="Examples in a training step.")
    max_epochs: int = Field(10, ge=1, description="Most passes over the training examples.")
    patience: int = Field(
        5,
        ge=1,
        description="Epochs without a better `search.metric` before stopping; `schedule: constant` only.",
    )
    tenure_weight: float = Field(0.1, ge=0, description="Weight of the tenure loss beside the cross-entropy.")
    hireability_weight: float = Field(0.1, ge=0, description="Weight of the hireability loss.")
    tenure_loss: Literal["pinball", "mse"] = Field(
        "pinball", description="pinball: 10 % and 90 % quantiles; mse: the specification's."
    )
    examples: Literal["every_transition", "last"] = Field(
        "every_transition",
        description="Training examples of a career: each prefix and its next title, or the last one alone.",
    )
    recency_half_life: float = Field(
        20.0, ge=0, description="Years after which a train example weighs half; 0: all weigh the same."
    )
    tie_weights: bool = Field(True, description="The output layer scores titles by their own vectors.")
    skip_last_title: bool = Field(True, description="The last title's vector also goes to the heads.")
    title_changes: bool = Field(
        True, description="The LSTM also reads how far a title's vector is from the one before."
    )
    career_start: bool = Field(True, description="The LSTM reads a learned vector before the first role.")
    repeat_gate: bool = Field(True, description="Whether to stay is learned apart from where to go.")
    copy_head: bool = Field(
        True, description="Part of the next title's probability is copied from earlier titles of the career."
    )
    title_vectors: Literal["id", "id_and_words"] = Field(
        "id_and_words", description="A vector for each title, or that plus the vectors of the title's words."
    )
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the titles' vectors.")
    softmax_samples: int = Field(
        0,
        ge=0,
        description="Titles drawn into the softmax of a training step; 0: all. For vocabularies of 100,000 "
        "titles, with batches of some hundred examples; validation is exact whatever this is.",
    )
    weight_decay: float = Field(0.3, ge=0, description="AdamW's, on weight matrices; 0 is plain Adam.")
    decay_embeddings: bool = Field(True, description="Weight decay on the titles' vectors too.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "one_cycle", description="Learning rate over max_epochs; cosine falls to 0, one_cycle rises first."
    )
    warmup_epochs: float = Field(0.0, ge=0, description="Epochs over which the learning rate rises from 0.")


RESEARCH_DEFAULT = Params(
    max_epochs=50,
    schedule="constant",
    weight_decay=0.0,
    decay_embeddings=False,
    tenure_loss="mse",
    examples="last",
    recency_half_life=0.0,
    tie_weights=False,
    skip_last_title=False,
    title_changes=False,
    career_start=False,
    repeat_gate=False,
    copy_head=False,
    title_vectors="id",
)
"""The specification to the letter; always trial 0, and every result is shown beside it."""
