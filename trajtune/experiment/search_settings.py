"""The section ``search`` of an experiment file: how trials are drawn, stopped and compared."""

import difflib
import re
from collections.abc import Mapping
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator
from pydantic_core import PydanticCustomError

from trajtune.experiment.objective import Metric, parse_constraint
from trajtune.experiment.params import Params, Settings
from trajtune.experiment.populations import LARGEST_SEED
from trajtune.experiment.prior import KnownTrial, PriorSettings

SAMPLERS: Final = ("tpe", "random", "gp", "qmc")
"""Samplers that have a name; any other is given by its import path."""

_IMPORT_PATH: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


class PrunerSettings(Settings):
    """When a trial is stopped early: asynchronous successive halving, or another of Optuna's pruners."""

    name: Literal["asha", "hyperband", "median", "none"] = Field(
        "asha", description="none: no trial is stopped."
    )
    grace_period: int | None = Field(
        None,
        ge=1,
        description="Epochs before a trial may be stopped; null: 60 % of `training.max_epochs`, because a "
        "falling learning rate shows only then which trials end well.",
    )
    reduction_factor: int = Field(3, ge=2, description="One in so many goes on at each rung.")

    def first_rung(self, max_epochs: int) -> int:
        """The epoch after which a trial of at most ``max_epochs`` may first be stopped."""
        return self.grace_period or max(1, round(0.6 * max_epochs))


class SearchSettings(Settings):
    """The search over `space`."""

    added: ClassVar[Mapping[str, object]] = {
        "repeats": 0,
        "stop_at_plateau": None,
        "prior": None,
        "known_trials": [],
    }

    space: str = Field("around_default", description="A name in search_spaces/ or a path.")
    trials: int = Field(50, ge=1, description="Trials in total, the research default counted in.")
    metric: Metric = Field(
        "val_next_role_nll", description="The objective; finalize chooses by it. Its direction is known."
    )
    other_metrics: list[Metric] = Field(
        default=[],
        description="Further objectives: the Pareto front is kept, and `metric` decides among it. "
        "Optuna prunes for one objective alone, so `pruner.name` must be none.",
    )
    constraints: list[str] = Field(
        default=[],
        description="What the winner must keep, as num_parameters <= 500_000 or latency_ms <= 1.",
    )
    sampler: str = Field(
        "tpe",
        description="How the next params are chosen: by one of four of Optuna's samplers, or by any sampler "
        "class at an import path, for example optuna.samplers:CmaEsSampler.",
        json_schema_extra={
            "anyOf": [{"enum": list(SAMPLERS)}, {"type": "string", "pattern": f"^{_IMPORT_PATH}$"}]
        },
    )
    sampler_kwargs: dict[str, JsonValue] = Field(
        default={}, description="Keyword arguments of the sampler, for example n_startup_trials of tpe."
    )
    seed: int = Field(
        0,
        ge=0,
        le=LARGEST_SEED,
        description="Of the sampler and of each trial's training, except repeats.",
    )
    repeats: int | None = Field(
        None,
        ge=0,
        description="Trials that train params again with another seed: two of `training`, early, and the "
        "others of the best few, last. null: two and a tenth of `trials`, from 40 trials on; none below.",
    )
    stop_at_plateau: int | None = Field(
        None,
        ge=1,
        description="End the search after so many trials whose gain is no more than a seed's luck; "
        "null: never.",
    )
    prior: PriorSettings | None = Field(
        None, description="A belief about where the best params lie; null: the sampler draws all trials."
    )
    start_points: list[dict[str, bool | int | float | str]] = Field(
        default=[],
        description="Params to try after the research default; what a point leaves out is taken from "
        "`training`, which itself comes next, where the space holds it.",
    )
    known_trials: list[KnownTrial] = Field(
        default=[],
        description="What the sampler knows at the start; a warm start on the same snapshot adds to it.",
    )
    pruner: PrunerSettings = Field(PrunerSettings(), description="Which trials are stopped early.")
    max_train_careers: int | None = Field(
        None,
        ge=1,
        description="Trials train on the newest so many train careers, and finalize on all; null: on all.",
    )
    max_concurrent: int | None = Field(
        None, ge=1, description="Trials at once; null: as many as the CPUs and GPUs hold."
    )
    gpus_per_trial: float = Field(
        0.0, ge=0, description="Share of a GPU that each trial trains on; 0: it trains on a CPU."
    )
    keep_checkpoints: int = Field(5, ge=1, description="Best trials whose checkpoints stay on disk.")
    max_failures: int = Field(2, ge=0, description="Times a trial is tried again after its process broke.")
    time_budget_s: float | None = Field(
        None, gt=0, description="Seconds after which the search ends, this session."
    )
    max_epochs_total: int | None = Field(
        None, ge=1, description="Epochs of all trials after which the search ends."
    )
    at_budget: Literal["prune", "finish"] = Field(
        "prune", description="What becomes of running trials when a budget is spent."
    )

    @model_validator(mode="after")
    def _start_points_are_params(self) -> Self:
        for point in self.start_points:
            unknown = sorted(set(point) - set(Params.model_fields))
            if unknown:
                near = difflib.get_close_matches(unknown[0], sorted(Params.model_fields), n=1)
                remedy = f"did you mean `{near[0]}`?" if near else "remove it"
                raise ValueError(f"unknown param `{unknown[0]}` in start_points, {remedy}")
            Params.model_validate(point)
        return self

    @field_validator("sampler")
    @classmethod
    def _sampler_is_a_name_or_an_import_path(cls, sampler: str) -> str:
        if sampler == "cmaes":
            raise ValueError(
                "CMA-ES is given by its import path. Write `sampler: optuna.samplers:CmaEsSampler`, after "
                "`pip install cmaes`"
            )
        if sampler not in SAMPLERS and not re.fullmatch(_IMPORT_PATH, sampler):
            names = ", ".join(f"'{name}'" for name in SAMPLERS)
            raise PydanticCustomError(
                "sampler",
                "must be {expected} or the import path of a sampler, package.module:Class",
                {"expected": names},
            )
        return sampler

    @field_validator("gpus_per_trial")
    @classmethod
    def _gpus_are_a_share_or_whole(cls, share: float) -> float:
        if share > 1 and share != int(share):
            raise ValueError("must be at most 1, or a whole number. Write 0.5 for two trials on each GPU")
        return share

    @model_validator(mode="after")
    def _objectives_agree(self) -> Self:
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"each objective must be named once, but got {', '.join(self.metrics)}")
        if self.other_metrics and self.pruner.name != "none":
            raise ValueError(
                f"with several objectives Optuna prunes nothing, but `pruner.name` is {self.pruner.name}. "
                "Set `pruner: {name: none}`"
            )
        for text in self.constraints:
            parse_constraint(text)
        return self

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All objectives, the deciding one first."""
        return (self.metric, *self.other_metrics)
