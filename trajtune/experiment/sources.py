"""Where an experiment's careers come from, and what their columns and keys are called."""

import codecs
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from trajtune.experiment.params import Settings
from trajtune.experiment.populations import LARGEST_SEED, POPULATIONS, Population

# No bucket's name holds a colon; a key may hold a slash.
_KEYS_IN_PATH: Final = re.compile(
    r"s3://[^/]*[:@]"
    r"|[\w+.-]+://[^/@:]*:(?!\d+/)[^@]*@"
    r"|[\w+.-]+://.*[?&][^=&]*(key|secret|token|password|credential|signature)",
    re.IGNORECASE,
)


End = Literal["recorded", "next_start"]
_END: Final = (
    "recorded: each role has its end, if it has one. next_start: an event log without ends, in which a role "
    "ends when the person's next one starts."
)
_ID: Final = "Column of the person's id; null: each file is one person, and its path is the id."


class JsonHistory(Settings):
    """One row a career: an id and a JSON list of roles.

    A name with dots is a path of keys into JSON: `id.bioguide`, `title.name`.
    """

    layout: Literal["json"] = "json"
    id_column: str | None = Field("id", description=_ID)
    history_column: str = Field("work_history", description="Column of the person's roles.")
    title_key: str = Field("title", description="Key of a role's title.")
    start_key: str = Field(
        "start_date", description="Key of the date on which it began; also of its end, if that is a range."
    )
    end_key: str | None = Field(
        "end_date", description="Key of the date on which it ended; null with `end: next_start`."
    )
    end: End = Field("recorded", description=_END)
    current_key: str | None = Field(
        None, description="True while the role is held; null: `is_current` or one of its usual forms."
    )
    history_key: str | None = Field(
        None,
        description="Where the list lies within a JSON object, as `profile.jobs`; null: the list itself.",
    )

    @model_validator(mode="before")
    @classmethod
    def _event_log(cls, content: Any) -> Any:
        return _without_end(content, "end_key")


class RoleRows(Settings):
    """One row a role."""

    layout: Literal["roles"] = "roles"
    id_column: str | None = Field("candidate_id", description=_ID)
    title_column: str = Field("title", description="Column of the role's title.")
    start_column: str = Field(
        "start_date",
        description="Column of the date on which it began; also of its end, if that is a range.",
    )
    end_column: str | None = Field(
        "end_date", description="Column of the date on which it ended; null with `end: next_start`."
    )
    end: End = Field("recorded", description=_END)
    current_column: str | None = Field(
        None, description="True while the role is held; null: `is_current` if there is such a column."
    )

    @model_validator(mode="before")
    @classmethod
    def _event_log(cls, content: Any) -> Any:
        return _without_end(content, "end_column")


def _without_end(content: Any, name: str) -> Any:
    """A layout of which `end` and the name of the end agree; an event log need not name it."""
    if not isinstance(content, Mapping):
        return content
    is_log = content.get("end") == "next_start"
    if is_log and content.get(name) is not None:
        raise ValueError(
            f"`end: next_start` takes no recorded end, but `{name}` is {content[name]}. Set `{name}: null`, "
            "or `end: recorded`"
        )
    if not is_log and name in content and content[name] is None:
        raise ValueError(f"`{name}: null` needs `end: next_start`. Add that, or name the end")
    return {**content, name: None} if is_log else content


Layout = Annotated[JsonHistory | RoleRows, Field(discriminator="layout")]


class PostgresSource(Settings):
    """A table of the database that the environment variable POSTGRES_URL names."""

    kind: Literal["postgres"] = "postgres"
    table: str = Field("candidates", description="A table or view, as `name` or `schema.name`.")
    query: str | None = Field(None, description="A SELECT to read instead of the table.")
    layout: Layout = Field(JsonHistory(), description="What a row is, and what its columns are called.")


class CsvSettings(Settings):
    """How CSV files are written."""

    delimiter: str = Field(",", min_length=1, max_length=1, description="Character between two fields.")
    encoding: str = Field("utf-8", description="Encoding of the text, as Python names it, as latin-1.")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError(f"Python knows no encoding {value}. Try utf-8, latin-1 or cp1252") from None
        return value


class FileSource(Settings):
    """Files of role rows (CSV, Parquet) or of careers (JSON, JSONL, Parquet)."""

    kind: Literal["csv", "parquet", "jsonl", "json"] = Field(
        description="How the files are written. jsonl: a JSON object on each line. json: an array of "
        "objects, or objects one after the other, over any number of lines."
    )
    path: str = Field(description="A file, a directory or a glob.")
    rows_key: str | None = Field(
        None,
        description="Where the array of rows lies in a JSON document, as `persons`; null: the document is "
        "the array, or the row.",
    )
    layout: Layout = Field(RoleRows(), description="What a row is, and what its columns are called.")
    csv: CsvSettings = Field(CsvSettings(), description="Delimiter and encoding of CSV files.")

    @model_validator(mode="after")
    def _holds_no_keys(self) -> Self:
        """The experiment is written beside every result, and shown."""
        if _KEYS_IN_PATH.match(self.path.strip()):
            raise ValueError(
                "keys do not belong into `path`: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return self


class ProcessSettings(Settings):
    """What a simulated population is like; `docs/explanation/simulation.md` argues the defaults.

    A population sets the defaults of the other settings. A setting that is given is used as it is.
    """

    population: Population = Field(
        "default",
        description="Sets the defaults of the other settings. returning: few titles, and people come back "
        "to earlier ones. first_role: short careers whose first title leads to the second. long_tail: many "
        "rare titles.",
    )
    num_families: int = Field(12, ge=2, le=12, description="Job families.")
    num_specialisations: int = Field(10, ge=2, le=600, description="Of each family; 10 give 840 titles.")
    repeats: float = Field(
        1.0, ge=0, le=10, description="Weight of staying on the same title; 1: about a third of the moves."
    )
    returns: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="Probability of going back to an earlier title, where there is one besides the last.",
    )
    first_role_path: float = Field(
        0.0, ge=0, le=0.9, description="Probability that a career's first title decides its second."
    )
    even_tenures: float = Field(
        0.0, ge=0, le=1, description="0: tenures depend on the persona; 1: on the title's level alone."
    )
    drift: float = Field(0.0, ge=0, le=2, description="Change of the families' attraction over the years.")
    years: int = Field(15, ge=1, le=40, description="Last moves lie at most so many years back.")
    as_of: date = Field(date(2025, 6, 30), description="The day the data describes.")
    recency_years: float = Field(4.0, gt=0, description="Mean age of a last move, before truncation.")
    mean_roles: float = Field(5.0, gt=2, le=8, description="Mean number of roles, before truncation.")
    min_roles: int = Field(2, ge=1, le=2, description="1 gives some careers that quarantine must catch.")
    max_roles: int = Field(10, ge=2, le=20, description="Most roles of a career.")
    foreign_share: float = Field(
        0.01, ge=0, le=0.5, description="Careers in Portuguese, and as many in German."
    )
    noise: float = Field(
        0.25, ge=0, le=1, description="Share of roles whose title is not written as it should be."
    )
    broken: float = Field(0.0, ge=0, le=1, description="Share of careers with a fault in their rows.")

    @model_validator(mode="before")
    @classmethod
    def _of_population(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        name = content.get("population")
        return {**POPULATIONS.get(name, {}), **content} if isinstance(name, str) else content


class SimulatedSource(Settings):
    """Simulated careers in the embedded PostgreSQL, read through the same code as any database."""

    kind: Literal["simulated"] = "simulated"
    careers: int = Field(20_000, ge=10, description="How many people.")
    seed: int = Field(0, ge=0, le=LARGEST_SEED, description="Same seed, same careers.")
    process: ProcessSettings = Field(ProcessSettings(), description="What they are like.")


Source = Annotated[PostgresSource | FileSource | SimulatedSource, Field(discriminator="kind")]
