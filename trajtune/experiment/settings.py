"""The sections of an experiment file: everything that describes a run, typed, validated once, frozen.

Knows nothing of Ray, torch or databases. What is loaded here is trusted everywhere else: no
other module checks a value again or gives it a second default.
"""

import difflib
import re
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, JsonValue, field_validator, model_validator
from pydantic_core import PydanticCustomError

from trajtune.experiment.gate_settings import GateSettings
from trajtune.experiment.objective import Metric, parse_constraint
from trajtune.experiment.params import Params, Settings
from trajtune.experiment.populations import LARGEST_SEED
from trajtune.experiment.prior import KnownTrial, PriorSettings
from trajtune.experiment.sources import PostgresSource, Source
from trajtune.storage.path import is_uri

AUTO: Final = "auto"
SAMPLERS: Final = ("tpe", "random", "gp", "qmc")
"""Samplers that have a name; any other is given by its import path."""

_IMPORT_PATH: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


class DataSettings(Settings):
    """How rows become careers and labels."""

    as_of: date | Literal["auto"] = Field(
        AUTO, description="The day the data describes; auto: the latest date in the data."
    )
    hireable_months: int = Field(
        12, ge=1, description="Hireability without a label: stayed at least so long in the next role."
    )
    hireable_key: str | None = Field(None, description="Column or JSON key of a hireability label, if any.")
    day_first: bool | None = Field(
        None, description="What 03/04/2020 is: true 3 April, false 4 March, null ambiguous, to quarantine."
    )
    timezone: str | None = Field(
        None,
        description="The time zone, for example Europe/Berlin, whose day a timestamp with a time zone is; "
        "null: the database's, or in a Parquet file the column's.",
    )
    two_digit_years: int | None = Field(
        None,
        ge=1900,
        le=2199,
        description="Last year that two digits may mean, for example 2029: 29 is 2029 and 30 is 1930. null: "
        "dates with two-digit years cannot be read.",
    )
    language: Literal["cs", "hr", "pl"] | None = Field(
        None,
        description="Language of month names that are another month in another language, as listopad; null: "
        "such dates are ambiguous, to quarantine.",
    )
    merge_repeats: bool = Field(False, description="Join consecutive roles of the same title into one.")
    max_quarantine_fraction: float = Field(
        0.2, ge=0, le=1, description="Stop if a larger share of the rows cannot be used."
    )

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, timezone: str | None) -> str | None:
        try:
            return timezone if timezone is None else ZoneInfo(timezone).key
        except (ValueError, KeyError, OSError):
            raise ValueError(
                "must be a name of the time zone database. Write it as Europe/Berlin or UTC"
            ) from None


class SplitSettings(Settings):
    """The temporal split: both dates are exclusive ends."""

    by: Literal["career", "transition", "move"] = Field(
        "move",
        description="What is split. move: each move, by the start of its next role. career, transition: "
        "whole careers, by the last thing known of them, or by the start of their last role.",
    )
    train_cutoff: date | Literal["auto"] = Field(AUTO, description="First day that is not train.")
    val_cutoff: date | Literal["auto"] = Field(AUTO, description="First day that is not val but test.")
    fractions: tuple[float, float] = Field(
        (0.70, 0.85), description="Where auto cuts: shares of moves (or careers) before each cutoff."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        a, b = self.train_cutoff, self.val_cutoff
        if isinstance(a, date) and isinstance(b, date) and not a < b:
            raise ValueError(f"`train_cutoff < val_cutoff` must hold, but got {a} and {b}. Swap them")
        if not 0 < self.fractions[0] < self.fractions[1] < 1:
            raise ValueError(f"fractions must rise between 0 and 1, but got {self.fractions}")
        if (a == AUTO) != (b == AUTO):
            raise ValueError(f"give both cutoffs or leave both auto, but got {a} and {b}")
        return self


class VocabularySettings(Settings):
    """Which titles of the training split get an index of their own."""

    min_count: int = Field(1, ge=1, description="Rarer titles are unknown.")
    max_titles: int = Field(50_000, ge=1, description="The commonest so many are kept.")
    identity: Literal["unicode", "service"] = Field(
        "unicode",
        description="Which titles are one title. unicode: those that differ in case, spaces, punctuation and "
        "usual abbreviations, in every script. service: those that the TypeScript service cannot tell apart, "
        "because it reads the letters A to Z and digits alone.",
    )
    synonyms: str | None = Field(
        None,
        description="A CSV file of two columns or a JSON object: a title, and the title that it stands for.",
    )


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


class FinalizeSettings(Settings):
    """Refit, calibration and evaluation of the winner."""

    top_k: int = Field(3, ge=1, description="Configurations refitted beside the research default.")
    seeds: int = Field(3, ge=1, description="Refits of each.")
    workers: int = Field(
        1,
        ge=1,
        description="CPUs that train each refit together, by Ray Train: for more careers than one process "
        "can hold, with batches of hundreds. With 1 refits are trained side by side: faster where it fits.",
    )
    tenure_coverage: float = Field(0.8, gt=0, lt=1, description="Nominal coverage of the tenure interval.")
    set_coverage: float = Field(
        0.8, gt=0, lt=1, description="Probability that the set of next titles holds the true one."
    )
    refit_on: Literal["train", "known"] = Field(
        "known",
        description="What the winner is trained on for export: train, as in the search, or everything known "
        "before the calibration window.",
    )
    export: Literal["average", "best_seed"] = Field(
        "average",
        description="What is exported: the mean of the best configurations, as one graph, or the "
        "winner's best seed alone.",
    )
    calibration_share: float = Field(
        1 / 3,
        gt=0,
        le=1,
        description="Share of val, the newest, that calibrates; at least 100 people. The snapshot holds it.",
    )
    gates: GateSettings = Field(GateSettings(), description="Limits of the gates.")


class TrackingSettings(Settings):
    """Logging in addition to the study; needs the extra `trajtune[tracking]`."""

    removed: ClassVar[Mapping[str, object]] = {"tensorboard": False}

    mlflow: bool = Field(
        False, description="To MLFLOW_TRACKING_URI, or to mlflow.db in the run directory if that is not set."
    )


class StorageSettings(Settings):
    """Where things are written; relative to the working directory."""

    snapshots: str = Field(
        "snapshots", description="Directory of the snapshots, or s3://bucket/folder, as for `runs`."
    )
    runs: str = Field(
        "runs",
        description="Directory of the runs, or s3://bucket/folder. A store needs `study_url_variable`, "
        "because a journal cannot grow there; endpoint and credentials come from the environment (AWS_*).",
    )
    bundles: str = Field("bundles", description="Directory of the bundles.")
    study_url_variable: str | None = Field(
        None,
        description="Environment variable with the URL of the database that holds the study, as "
        "TRAJTUNE_STUDY_URL; null: a journal file in the run directory.",
    )

    @model_validator(mode="after")
    def _variable_is_a_name(self) -> Self:
        # Whoever writes the URL itself here must not find it in the message.
        if self.study_url_variable is not None and not re.fullmatch(
            r"[A-Z_][A-Z0-9_]*", self.study_url_variable
        ):
            raise ValueError(
                "`study_url_variable` must be the name of an environment variable in capitals, as "
                "TRAJTUNE_STUDY_URL, and not the URL itself. Put the URL into the environment or .env"
            )
        return self

    @model_validator(mode="after")
    def _store_is_usable(self) -> Self:
        if is_uri(self.bundles):
            raise ValueError("`bundles` must be a directory. Only `runs` and `snapshots` may be in a store")
        for name in ("snapshots", "runs"):
            place = getattr(self, name)
            if is_uri(place) and not re.fullmatch(r"s3://[^/@?#:]+(/[^/@?#]+)*/?", place):
                # A key in it would be in every run's experiment.yaml, so it is not repeated here either.
                raise ValueError(
                    f"`{name}` must be a directory or s3://bucket/folder, without keys or options. Set "
                    "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
                )
        if is_uri(self.runs) and self.study_url_variable is None:
            raise ValueError(
                f"`study_url_variable` must be given with `runs` at {self.runs}, because a study's journal "
                "cannot grow in an object store. Name the environment variable with a database's URL, as "
                "TRAJTUNE_STUDY_URL"
            )
        return self


class Experiment(Settings):
    """A whole experiment file."""

    source: Source = PostgresSource()
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    vocabulary: VocabularySettings = VocabularySettings()
    training: Params = Params()
    search: SearchSettings = SearchSettings()
    finalize: FinalizeSettings = FinalizeSettings()
    tracking: TrackingSettings = TrackingSettings()
    storage: StorageSettings = StorageSettings()
