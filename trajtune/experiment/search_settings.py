"""The section ``search`` of an experiment file: how trials are sampled, pruned and compared."""

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
"""Samplers that are given by name; any other sampler is given by its import path."""

_IMPORT_PATH: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


class PrunerSettings(Settings):
    """How trials are stopped early: by asynchronous successive halving or another pruner of Optuna."""

    name: Literal["asha", "hyperband", "median", "none"] = Field(
        "asha", description="Pruner; none: no trial is stopped early."
    )
    grace_period: int | None = Field(
        None,
        ge=1,
        description="Epochs before a trial may be stopped; null: 60 % of `training.max_epochs`, because with "
        "a falling learning rate earlier values do not predict the final value well.",
    )
    reduction_factor: int = Field(
        3, ge=2, description="Reduction factor: at each rung, one in this many trials continues."
    )

    def first_rung(self, max_epochs: int) -> int:
        """Return the epoch after which a trial of at most ``max_epochs`` may first be stopped."""
        return self.grace_period or max(1, round(0.6 * max_epochs))


class SearchSettings(Settings):
    """The search over `space`."""

    added: ClassVar[Mapping[str, object]] = {
        "repeats": 0,
        "stop_at_plateau": None,
        "prior": None,
        "known_trials": [],
        "models_per_process": 1,
    }

    space: str = Field(
        "around_default", description="Search space: a name in search_spaces/ or the path of a YAML file."
    )
    trials: int = Field(50, ge=1, description="Number of trials, including the research default.")
    metric: Metric = Field(
        "val_next_role_nll",
        description="Objective of the search, which also selects the winner in finalize. trajtune knows "
        "whether it is minimised or maximised.",
    )
    other_metrics: list[Metric] = Field(
        default=[],
        description="Further objectives: the search finds the Pareto front, and `metric` selects the winner "
        "from it. Optuna can prune only with a single objective, so `pruner.name` must be none.",
    )
    constraints: list[str] = Field(
        default=[],
        description="Constraints that the winner must satisfy, for example num_parameters <= 500_000 or "
        "latency_ms <= 1.",
    )
    sampler: str = Field(
        "tpe",
        description="Sampler of Optuna that suggests the next params: one of four names, or the import path "
        "of any sampler class, for example optuna.samplers:CmaEsSampler.",
        json_schema_extra={
            "anyOf": [{"enum": list(SAMPLERS)}, {"type": "string", "pattern": f"^{_IMPORT_PATH}$"}]
        },
    )
    sampler_kwargs: dict[str, JsonValue] = Field(
        default={}, description="Keyword arguments of the sampler, for example n_startup_trials for tpe."
    )
    seed: int = Field(
        0,
        ge=0,
        le=LARGEST_SEED,
        description="Seed of the sampler and of the training of each trial, except repeats.",
    )
    repeats: int | None = Field(
        None,
        ge=0,
        description="Trials that train the same params again with another seed. Two repeat `training` early "
        "in the search, the others repeat the best few trials at its end. null: two plus a tenth of `trials` "
        "if there are at least 40 trials, otherwise none.",
    )
    stop_at_plateau: int | None = Field(
        None,
        ge=1,
        description="Number of consecutive trials without a gain above the noise between seeds after which "
        "the search stops; null: never.",
    )
    prior: PriorSettings | None = Field(
        None,
        description="Prior belief about where the best params are; null: the sampler suggests all trials.",
    )
    start_points: list[dict[str, bool | int | float | str]] = Field(
        default=[],
        description="Params to try after the research default. Missing values of a point are taken from "
        "`training`. `training` itself is tried next if it is inside the space.",
    )
    known_trials: list[KnownTrial] = Field(
        default=[],
        description="Results of earlier trials that the sampler starts with; a warm start on the same "
        "snapshot adds to them.",
    )
    pruner: PrunerSettings = Field(PrunerSettings(), description="Which trials are stopped early.")
    max_train_careers: int | None = Field(
        None,
        ge=1,
        description="Number of newest train careers that trials train on; null: all. finalize trains on all.",
    )
    max_concurrent: int | None = Field(
        None,
        ge=1,
        description="Number of trials that may run at once; null: as many as the CPUs and GPUs allow.",
    )
    gpus_per_trial: float = Field(
        0.0, ge=0, description="Share of a GPU for each trial; 0: trials train on CPUs."
    )
    models_per_process: int = Field(
        1,
        ge=1,
        le=1000,
        description="Number of trials that one process trains. Models of equal shapes are trained as one "
        "stacked model, which uses a GPU better. `gpus_per_trial` is then at most 1 divided by this number.",
    )
    keep_checkpoints: int = Field(
        5, ge=1, description="Number of best trials whose checkpoints are kept on disk."
    )
    max_failures: int = Field(
        2,
        ge=0,
        description="Number of times that a trial is restarted after it raised an exception or its process "
        "died. After that, an exception makes it FAIL, and a process that died leaves it unfinished.",
    )
    time_budget_s: float | None = Field(
        None, gt=0, description="Seconds after which this session of the search stops; null: no limit."
    )
    max_epochs_total: int | None = Field(
        None,
        ge=1,
        description="Epochs, summed over all trials, after which the search stops; null: no limit.",
    )
    at_budget: Literal["prune", "finish"] = Field(
        "prune", description="Whether running trials are pruned or finished when a budget is used up."
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
                "CMA-ES is given by its import path. Write `sampler: optuna.samplers:CmaEsSampler` and run "
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
            raise ValueError("must be at most 1 or a whole number. Write 0.5 for two trials on each GPU")
        return share

    @model_validator(mode="after")
    def _a_process_uses_one_gpu(self) -> Self:
        models, share = self.models_per_process, self.gpus_per_trial
        if models > 1 and share * models > 1 + 1e-9:
            raise ValueError(
                "the trials of a process share one GPU, so `gpus_per_trial` must be at most 1 / "
                f"models_per_process, but is {share:g} with models_per_process={models}. "
                f"Write `gpus_per_trial: {10_000 // models / 10_000:g}`"
            )
        return self

    @model_validator(mode="after")
    def _objectives_agree(self) -> Self:
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"each objective must be named only once, but got {', '.join(self.metrics)}")
        if self.other_metrics and self.pruner.name != "none":
            raise ValueError(
                f"with several objectives Optuna cannot prune, but `pruner.name` is {self.pruner.name}. "
                "Set `pruner: {name: none}`"
            )
        for text in self.constraints:
            parse_constraint(text)
        return self

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All objectives; the first one selects the winner."""
        return (self.metric, *self.other_metrics)
