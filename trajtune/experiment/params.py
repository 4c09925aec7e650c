"""Params, one point of a search space, with the defaults of trajtune and of the specification."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Settings(BaseModel):
    """Base class of all sections: unknown keys are errors, and values cannot change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    removed: ClassVar[Mapping[str, object]] = {}
    """Settings of earlier versions that were removed, each with the value that had no effect.

    Runs and checkpoints of those versions record every setting. The value without effect is accepted and
    ignored; with any other value the setting is an unknown key.
    """

    added: ClassVar[Mapping[str, object]] = {}
    """Settings that earlier versions did not have, each with the value that matches their behaviour.

    A mapping that contains every other setting is a record of such a version and is read with these values. A
    file written by a user leaves out other settings too, so it gets the defaults.
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
        is_record = cls.model_fields.keys() - cls.added.keys() <= kept.keys()
        return {**cls.added, **kept} if is_record else kept


class Params(Settings):
    """One point of a search space: all settings of a model and its training that may be searched.

    The defaults are those of trajtune. `RESEARCH_DEFAULT` has the values of the specification.
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
        "max_history": 0,
    }

    embedding_dim: int = Field(128, ge=1, description="Size of a title vector.")
    hidden_dim: int = Field(16, ge=1, description="Hidden units of each LSTM direction.")
    num_layers: int = Field(2, ge=1, le=8, description="LSTM layers.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout between LSTM layers and in the classifier.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate of Adam.")
    batch_size: int = Field(32, ge=1, description="Examples in a training step.")
    max_epochs: int = Field(10, ge=1, description="Largest number of passes over the training examples.")
    patience: int = Field(
        5,
        ge=1,
        description="Epochs without a better `search.metric` before training stops; only with "
        "`schedule: constant`.",
    )
    tenure_weight: float = Field(
        0.1, ge=0, description="Weight of the tenure loss; the next-title loss has the weight 1."
    )
    hireability_weight: float = Field(
        0.1, ge=0, description="Weight of the hireability loss; the next-title loss has the weight 1."
    )
    tenure_loss: Literal["pinball", "mse"] = Field(
        "pinball",
        description="pinball: the 10 % and 90 % quantiles; mse: the squared error of the specification.",
    )
    examples: Literal["every_transition", "last"] = Field(
        "every_transition",
        description="Training examples of a career: every transition, or only the last one.",
    )
    max_history: int = Field(
        64,
        ge=0,
        description="Largest number of roles that the model reads: the most recent ones of a career. Earlier "
        "roles are not read, in training, in validation and in the exported graph. 0: all roles.",
    )
    recency_half_life: float = Field(
        20.0,
        ge=0,
        description="Age in years at which a training example has half the weight; 0: all have equal weight.",
    )
    tie_weights: bool = Field(
        True, description="Whether the output layer uses the title vectors as its weights."
    )
    skip_last_title: bool = Field(
        True, description="Whether the heads also get the vector of the last title."
    )
    title_changes: bool = Field(
        True,
        description="Whether the LSTM also reads the difference of each title vector to the previous one.",
    )
    career_start: bool = Field(
        True, description="Whether the LSTM reads a learned vector before the first role."
    )
    repeat_gate: bool = Field(
        True, description="Whether a separate score for keeping the current title is learned."
    )
    copy_head: bool = Field(
        True,
        description="Whether part of the next title's probability is copied from earlier titles of the "
        "career.",
    )
    title_vectors: Literal["id", "id_and_words"] = Field(
        "id_and_words",
        description="id: one vector per title; id_and_words: that vector plus the vectors of the title's "
        "words.",
    )
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the title vectors.")
    softmax_samples: int = Field(
        0,
        ge=0,
        description="Titles sampled for the softmax of a training step; 0: all titles. Meant for "
        "vocabularies of 100,000 titles and batches of some hundred examples. Validation always uses the "
        "full softmax.",
    )
    weight_decay: float = Field(
        0.3, ge=0, description="Weight decay of AdamW on weight matrices; 0: plain Adam."
    )
    decay_embeddings: bool = Field(True, description="Whether weight decay also applies to title vectors.")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "one_cycle",
        description="Learning rate over max_epochs: constant, falling to 0 along a cosine, or rising first "
        "and then falling (one_cycle).",
    )
    warmup_epochs: float = Field(0.0, ge=0, description="Epochs over which the learning rate rises from 0.")


RESEARCH_DEFAULT = Params(
    max_epochs=50,
    schedule="constant",
    weight_decay=0.0,
    decay_embeddings=False,
    tenure_loss="mse",
    examples="last",
    max_history=0,
    recency_half_life=0.0,
    tie_weights=False,
    skip_last_title=False,
    title_changes=False,
    career_start=False,
    repeat_gate=False,
    copy_head=False,
    title_vectors="id",
)
"""The configuration of the specification, which was taken from research.

It is trial 0 of every search, and every result is compared with it.
"""
