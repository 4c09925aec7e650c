"""Sources of careers, and the names of their columns and keys."""

import codecs
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from trajtune.experiment.params import Settings
from trajtune.experiment.populations import LARGEST_SEED, POPULATIONS, Population

# A bucket name contains no colon; an access key may contain a slash.
_KEYS_IN_PATH: Final = re.compile(
    r"s3://[^/]*[:@]"
    r"|[\w+.-]+://[^/@:]*:(?!\d+/)[^@]*@"
    r"|[\w+.-]+://.*[?&][^=&]*(key|secret|token|password|credential|signature)",
    re.IGNORECASE,
)


End = Literal["recorded", "next_start"]
_END: Final = (
    "recorded: the end of each role is recorded, except for roles still held. next_start: an event log "
    "without ends, in which a role ends when the next role of the same person starts."
)
_ID: Final = "Column of the person's id; null: each file is one person, and the path of the file is the id."


class JsonHistory(Settings):
    """One row per career: an id and a JSON list of roles.

    A name with dots is a path of JSON keys, for example `id.bioguide` or `title.name`.
    """

    layout: Literal["json"] = "json"
    id_column: str | None = Field("id", description=_ID)
    history_column: str = Field("work_history", description="Column of the person's roles.")
    title_key: str = Field("title", description="Key of a role's title.")
    start_key: str = Field(
        "start_date",
        description="Key of the start date of a role; its value may also be a date range with the end.",
    )
    end_key: str | None = Field(
        "end_date", description="Key of the end date of a role; null with `end: next_start`."
    )
    end: End = Field("recorded", description=_END)
    current_key: str | None = Field(
        None,
        description="Key that is true while the role is held; null: `is_current` or a common variant of that "
        "name.",
    )
    history_key: str | None = Field(
        None,
        description="Path of the list within a JSON object, for example `profile.jobs`; null: the value is "
        "the list.",
    )

    @model_validator(mode="before")
    @classmethod
    def _event_log(cls, content: Any) -> Any:
        return _without_end(content, "end_key")


class RoleRows(Settings):
    """One row per role."""

    layout: Literal["roles"] = "roles"
    id_column: str | None = Field("candidate_id", description=_ID)
    title_column: str = Field("title", description="Column of the title of a role.")
    start_column: str = Field(
        "start_date",
        description="Column of the start date of a role; its value may also be a date range with the end.",
    )
    end_column: str | None = Field(
        "end_date", description="Column of the end date of a role; null with `end: next_start`."
    )
    end: End = Field("recorded", description=_END)
    current_column: str | None = Field(
        None,
        description="Column that is true while the role is held; null: `is_current`, if there is such a "
        "column.",
    )

    @model_validator(mode="before")
    @classmethod
    def _event_log(cls, content: Any) -> Any:
        return _without_end(content, "end_column")


def _without_end(content: Any, name: str) -> Any:
    """Check that `end` and the name of the end agree; return the layout, without the name in event logs."""
    if not isinstance(content, Mapping):
        return content
    is_log = content.get("end") == "next_start"
    if is_log and content.get(name) is not None:
        raise ValueError(
            f"`end: next_start` takes no recorded end, but `{name}` is {content[name]}. Set `{name}: null` "
            "or `end: recorded`"
        )
    if not is_log and name in content and content[name] is None:
        raise ValueError(f"`{name}: null` needs `end: next_start`. Add it, or give the name of the end")
    return {**content, name: None} if is_log else content


Layout = Annotated[JsonHistory | RoleRows, Field(discriminator="layout")]


class PostgresSource(Settings):
    """A table of the database at the URL in the environment variable POSTGRES_URL."""

    kind: Literal["postgres"] = "postgres"
    table: str = Field("candidates", description="Table or view, as `name` or `schema.name`.")
    query: str | None = Field(None, description="SELECT statement to read instead of the table.")
    layout: Layout = Field(JsonHistory(), description="Content of a row and names of the columns.")


class CsvSettings(Settings):
    """Format of CSV files."""

    delimiter: str = Field(",", min_length=1, max_length=1, description="Character between two fields.")
    encoding: str = Field(
        "utf-8", description="Encoding of the text, by its Python name, for example latin-1."
    )

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError(f"Python has no encoding {value}. Try utf-8, latin-1 or cp1252") from None
        return value


class FileSource(Settings):
    """Files of role rows (CSV, Parquet) or of careers (JSON, JSONL, Parquet)."""

    kind: Literal["csv", "parquet", "jsonl", "json"] = Field(
        description="Format of the files. jsonl: one JSON object per line. json: an array of objects, or "
        "consecutive objects, over any number of lines."
    )
    path: str = Field(description="Path of a file or directory, or a glob pattern.")
    rows_key: str | None = Field(
        None,
        description="Path of the array of rows within a JSON document, for example `persons`; null: the "
        "document is the array, or a single row.",
    )
    layout: Layout = Field(RoleRows(), description="Content of a row and names of the columns.")
    csv: CsvSettings = Field(CsvSettings(), description="Delimiter and encoding of CSV files.")

    @model_validator(mode="after")
    def _holds_no_keys(self) -> Self:
        """Refuse keys in the path, because the experiment is written next to every result."""
        if _KEYS_IN_PATH.match(self.path.strip()):
            raise ValueError(
                "`path` must not contain keys. Put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return self


class ProcessSettings(Settings):
    """Settings of a simulated population; `docs/explanation/simulation.md` explains the defaults.

    A population sets the defaults of the other settings. A setting that is given overrides its default.
    """

    population: Population = Field(
        "default",
        description="Named population, which sets the defaults of the other settings. returning: few titles, "
        "and people return to earlier ones. first_role: short careers whose first title determines the "
        "second. long_tail: many rare titles.",
    )
    num_families: int = Field(12, ge=2, le=12, description="Number of job families.")
    num_specialisations: int = Field(
        10, ge=2, le=600, description="Number of specialisations in each family; 10 give 840 titles."
    )
    repeats: float = Field(
        1.0, ge=0, le=10, description="Weight of keeping the same title; 1: about a third of the moves."
    )
    returns: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="Probability of returning to an earlier title, if there is one that differs from the "
        "last.",
    )
    first_role_path: float = Field(
        0.0, ge=0, le=0.9, description="Probability that the first title of a career determines the second."
    )
    even_tenures: float = Field(
        0.0,
        ge=0,
        le=1,
        description="0: tenures depend on the persona and the level of the title; 1: only on the level.",
    )
    drift: float = Field(
        0.0, ge=0, le=2, description="Change of the attractiveness of the families over the years."
    )
    years: int = Field(15, ge=1, le=40, description="Largest age of a last move, in years.")
    as_of: date = Field(date(2025, 6, 30), description="Day up to which the data is known.")
    recency_years: float = Field(
        4.0, gt=0, description="Mean age of a last move in years, before truncation."
    )
    mean_roles: float = Field(5.0, gt=2, le=8, description="Mean number of roles, before truncation.")
    min_roles: int = Field(
        2,
        ge=1,
        le=2,
        description="Smallest number of roles of a career; with 1, some careers must be quarantined.",
    )
    max_roles: int = Field(10, ge=2, le=20, description="Largest number of roles of a career.")
    foreign_share: float = Field(
        0.01, ge=0, le=0.5, description="Share of careers in Portuguese; the same share is in German."
    )
    noise: float = Field(0.25, ge=0, le=1, description="Share of roles whose title has a variant spelling.")
    broken: float = Field(0.0, ge=0, le=1, description="Share of careers with a fault in their rows.")

    @model_validator(mode="before")
    @classmethod
    def _of_population(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        name = content.get("population")
        return {**POPULATIONS.get(name, {}), **content} if isinstance(name, str) else content


class SimulatedSource(Settings):
    """Simulated careers in the embedded PostgreSQL, which is read like any other database."""

    kind: Literal["simulated"] = "simulated"
    careers: int = Field(20_000, ge=10, description="Number of people.")
    seed: int = Field(
        0, ge=0, le=LARGEST_SEED, description="Seed of the simulation; the same seed gives the same careers."
    )
    process: ProcessSettings = Field(ProcessSettings(), description="Settings of the population.")


Source = Annotated[PostgresSource | FileSource | SimulatedSource, Field(discriminator="kind")]
