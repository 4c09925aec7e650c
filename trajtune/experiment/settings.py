"""Sections of an experiment file, which describes a run: typed, validated once, frozen.

Knows nothing of Ray, torch or databases. All other modules trust the loaded values: none of them checks a
value again or has a second default for it.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from trajtune.experiment.gate_settings import GateSettings
from trajtune.experiment.params import Params, Settings
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.sources import PostgresSource, Source
from trajtune.storage.path import is_uri

AUTO: Final = "auto"


class DataSettings(Settings):
    """How rows become careers and labels."""

    as_of: date | Literal["auto"] = Field(
        AUTO, description="Day up to which the data is known; auto: the latest date in the data."
    )
    hireable_months: int = Field(
        12,
        ge=1,
        description="Months of the proxy label for hireability, which is used without a label in the data: "
        "whether somebody stayed at least this long in the next role.",
    )
    hireable_key: str | None = Field(
        None, description="Column or JSON key of a hireability label; null: the proxy label is used."
    )
    day_first: bool | None = Field(
        None,
        description="How 03/04/2020 is read: true: 3 April; false: 4 March; null: it is ambiguous, and the "
        "row is quarantined.",
    )
    timezone: str | None = Field(
        None,
        description="Time zone, for example Europe/Berlin, in which timestamps with a time zone become days; "
        "null: the time zone of the database or of the Parquet column.",
    )
    two_digit_years: int | None = Field(
        None,
        ge=1900,
        le=2199,
        description="Latest year that two digits may mean. With 2029, 29 is 2029 and 30 is 1930. null: dates "
        "with two-digit years cannot be read.",
    )
    language: Literal["cs", "hr", "pl"] | None = Field(
        None,
        description="Language of month names that mean different months in different languages, for example "
        "listopad; null: such dates are ambiguous, and the rows are quarantined.",
    )
    merge_repeats: bool = Field(
        False, description="Whether consecutive roles with the same title are merged into one."
    )
    max_quarantine_fraction: float = Field(
        0.2, ge=0, le=1, description="Largest share of rows that may be quarantined; above it trajtune stops."
    )

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, timezone: str | None) -> str | None:
        try:
            return timezone if timezone is None else ZoneInfo(timezone).key
        except (ValueError, KeyError, OSError):
            raise ValueError(
                "must be a name of the time zone database. Write for example Europe/Berlin or UTC"
            ) from None


class SplitSettings(Settings):
    """The temporal split: both dates are exclusive ends."""

    by: Literal["career", "transition", "move"] = Field(
        "move",
        description="Unit of the split. move: each move, by the start of the role that it leads to. career: "
        "each career, by its last known date. transition: each career, by the start of its last role.",
    )
    train_cutoff: date | Literal["auto"] = Field(AUTO, description="First day after train.")
    val_cutoff: date | Literal["auto"] = Field(AUTO, description="First day after val, where test begins.")
    fractions: tuple[float, float] = Field(
        (0.70, 0.85), description="Shares of moves (or careers) before each cutoff, for auto cutoffs."
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
    """Which titles of the train split are in the vocabulary."""

    min_count: int = Field(
        1, ge=1, description="Smallest number of occurrences of a title; rarer titles are unknown."
    )
    max_titles: int = Field(
        50_000, ge=1, description="Largest number of titles; the most frequent ones are kept."
    )
    identity: Literal["unicode", "service"] = Field(
        "unicode",
        description="Which spellings count as one title. unicode: those that differ only in case, spaces, "
        "punctuation and common abbreviations, in every script. service: those that the TypeScript service "
        "cannot distinguish, because it reads only the letters A to Z and digits.",
    )
    synonyms: str | None = Field(
        None,
        description="Path of a CSV file with two columns, or of a JSON file with an object: titles, and the "
        "titles that replace them.",
    )


class FinalizeSettings(Settings):
    """Refit, calibration and evaluation of the winner."""

    top_k: int = Field(
        3, ge=1, description="Number of configurations that are refitted in addition to the research default."
    )
    seeds: int = Field(3, ge=1, description="Number of refits of each configuration, with different seeds.")
    workers: int = Field(
        1,
        ge=1,
        description="Number of workers that train each refit together, with Ray Train. Meant for more "
        "careers than fit into the memory of one process, with batches of hundreds. With 1, refits run in "
        "parallel, which is faster if the careers fit into memory.",
    )
    tenure_coverage: float = Field(0.8, gt=0, lt=1, description="Nominal coverage of the tenure interval.")
    set_coverage: float = Field(
        0.8, gt=0, lt=1, description="Probability that the set of next titles contains the true one."
    )
    refit_on: Literal["train", "known"] = Field(
        "known",
        description="Data on which the winner is trained for export. train: the train split, as in the "
        "search; known: everything known before the calibration window.",
    )
    export: Literal["average", "best_seed"] = Field(
        "average",
        description="Model to export. average: the mean of the best configurations, as one graph; best_seed: "
        "only the best seed of the winner.",
    )
    calibration_share: float = Field(
        1 / 3,
        gt=0,
        le=1,
        description="Share of val, its newest part, that is used for calibration; at least 100 people. It is "
        "fixed in the snapshot.",
    )
    gates: GateSettings = Field(GateSettings(), description="Limits of the gates.")


class TrackingSettings(Settings):
    """Logging to other tools; needs the extra `trajtune[tracking]`."""

    removed: ClassVar[Mapping[str, object]] = {"tensorboard": False}

    mlflow: bool = Field(
        False,
        description="Whether to log to MLflow, at MLFLOW_TRACKING_URI, or in mlflow.db in the run directory "
        "if that is not set.",
    )


class StorageSettings(Settings):
    """Where files are written; paths are relative to the working directory."""

    snapshots: str = Field("snapshots", description="Directory of the snapshots, or s3://bucket/folder.")
    runs: str = Field(
        "runs",
        description="Directory of the runs, or s3://bucket/folder. An object store needs "
        "`study_url_variable`, because a journal cannot be appended to there. Endpoint and credentials come "
        "from the environment (AWS_*).",
    )
    bundles: str = Field("bundles", description="Directory of the bundles.")
    study_url_variable: str | None = Field(
        None,
        description="Name of the environment variable with the URL of the study's database, for example "
        "TRAJTUNE_STUDY_URL; null: the study is a journal file in the run directory.",
    )

    @model_validator(mode="after")
    def _variable_is_a_name(self) -> Self:
        # The message must not repeat the value, which may be the URL itself.
        if self.study_url_variable is not None and not re.fullmatch(
            r"[A-Z_][A-Z0-9_]*", self.study_url_variable
        ):
            raise ValueError(
                "`study_url_variable` must be the name of an environment variable in capitals, for example "
                "TRAJTUNE_STUDY_URL, not the URL itself. Put the URL into the environment or .env"
            )
        return self

    @model_validator(mode="after")
    def _store_is_usable(self) -> Self:
        if is_uri(self.bundles):
            raise ValueError("`bundles` must be a directory. Only `runs` and `snapshots` may be in a store")
        for name in ("snapshots", "runs"):
            place = getattr(self, name)
            if is_uri(place) and not re.fullmatch(r"s3://[^/@?#:]+(/[^/@?#]+)*/?", place):
                # The message does not repeat the value, which may contain a key.
                raise ValueError(
                    f"`{name}` must be a directory or s3://bucket/folder, without keys or options. Set "
                    "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
                )
        if is_uri(self.runs) and self.study_url_variable is None:
            raise ValueError(
                f"`study_url_variable` must be given with `runs` at {self.runs}, because a study's journal "
                "cannot be appended to in an object store. Give the name of an environment variable with the "
                "URL of a database, for example TRAJTUNE_STUDY_URL"
            )
        return self


class Experiment(Settings):
    """An experiment file."""

    source: Source = PostgresSource()
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    vocabulary: VocabularySettings = VocabularySettings()
    training: Params = Params()
    search: SearchSettings = SearchSettings()
    finalize: FinalizeSettings = FinalizeSettings()
    tracking: TrackingSettings = TrackingSettings()
    storage: StorageSettings = StorageSettings()
