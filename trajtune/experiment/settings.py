"""The sections of an experiment file: everything that describes a run, typed, validated once, frozen.

Knows nothing of Ray, torch or databases. What is loaded here is trusted everywhere else: no
other module checks a value again or gives it a second default.
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
