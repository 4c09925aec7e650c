"""The experiment file: everything that describes a run, typed, validated once, frozen.

Knows nothing of Ray, torch or databases. What is loaded here is trusted everywhere else: no
other module re-checks a value or gives it a second default.
"""

import difflib
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trajtune.errors import ExperimentError
from trajtune.objective import Metric, parse_constraint
from trajtune.storage.path import StoredPath, is_uri

AUTO: Final = "auto"
# No bucket's name holds a colon; a key may hold a slash.
_KEYS_IN_PATH: Final = re.compile(r"s3://[^/]*[:@]|\w+://[^/@]*:[^/]*@")
T = TypeVar("T", bound=BaseModel)


class Settings(BaseModel):
    """Base of every section: unknown keys are errors, values cannot be changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Params(Settings):
    """One point of a search space: everything about a model and its training that may be searched.

    The defaults are trajtune's own. `RESEARCH_DEFAULT` is the specification's point.
    """

    embedding_dim: int = Field(128, ge=1, description="Size of a title's vector.")
    hidden_dim: int = Field(16, ge=1, description="Hidden units of each LSTM direction.")
    num_layers: int = Field(2, ge=1, le=8, description="LSTM layers.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout between LSTM layers and in the classifier.")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's learning rate.")
    batch_size: int = Field(32, ge=1, description="Examples in a training step.")
    max_epochs: int = Field(10, ge=1, description="Most passes over the training examples.")
    patience: int = Field(5, ge=1, description="Epochs without a better val_next_role_nll before stopping.")
    tenure_weight: float = Field(0.1, ge=0, description="Weight of the tenure loss beside the cross-entropy.")
    hireability_weight: float = Field(0.1, ge=0, description="Weight of the hireability loss.")
    tenure_loss: Literal["pinball", "mse"] = Field(
        "pinball", description="pinball: 10 % and 90 % quantiles; mse: the specification's."
    )
    examples: Literal["every_transition", "last"] = Field(
        "every_transition",
        description="Training examples of a career: each prefix and its next title, or the last one alone.",
    )
    tie_weights: bool = Field(True, description="The output layer scores titles by their own vectors.")
    skip_last_title: bool = Field(True, description="The last title's vector also goes to the heads.")
    title_changes: bool = Field(
        True, description="The LSTM also reads how far a title's vector is from the one before."
    )
    repeat_gate: bool = Field(True, description="Whether to stay is learned apart from where to go.")
    title_vectors: Literal["id", "id_and_words"] = Field(
        "id_and_words", description="A vector for each title, or that plus the vectors of the title's words."
    )
    markov_prior: bool = Field(
        False, description="Add the log-odds of a back-off Markov model, each example left out of its counts."
    )
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the titles' vectors.")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of a target spread over all titles.")
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
    clip_norm: float = Field(0.0, ge=0, description="Longest gradient of a step; 0: no limit.")


RESEARCH_DEFAULT = Params(
    max_epochs=50,
    schedule="constant",
    weight_decay=0.0,
    decay_embeddings=False,
    tenure_loss="mse",
    examples="last",
    tie_weights=False,
    skip_last_title=False,
    title_changes=False,
    repeat_gate=False,
    title_vectors="id",
    markov_prior=False,
)
"""The specification to the letter; always trial 0, and every result is shown beside it."""


class JsonHistory(Settings):
    """One row a career: an id and a JSON list of roles."""

    layout: Literal["json"] = "json"
    id_column: str = Field("id", description="Column of the person's id.")
    history_column: str = Field("work_history", description="Column of the person's roles.")
    title_key: str = Field("title", description="Key of a role's title.")
    start_key: str = Field("start_date", description="Key of the date on which it began.")
    end_key: str = Field("end_date", description="Key of the date on which it ended.")
    current_key: str | None = Field(
        None, description="True while the role is held; null: `is_current` or one of its usual forms."
    )
    history_key: str | None = Field(
        None,
        description="Where the list lies within a JSON object, as `profile.jobs`; null: the list itself.",
    )


class RoleRows(Settings):
    """One row a role."""

    layout: Literal["roles"] = "roles"
    id_column: str = Field("candidate_id", description="Column of the person's id.")
    title_column: str = Field("title", description="Column of the role's title.")
    start_column: str = Field("start_date", description="Column of the date on which it began.")
    end_column: str = Field("end_date", description="Column of the date on which it ended.")
    current_column: str | None = Field(
        None, description="True while the role is held; null: `is_current` if there is such a column."
    )


Layout = Annotated[JsonHistory | RoleRows, Field(discriminator="layout")]


class PostgresSource(Settings):
    """A table of the database that the environment variable POSTGRES_URL names."""

    kind: Literal["postgres"] = "postgres"
    table: str = Field("candidates", description="A table or view, as `name` or `schema.name`.")
    query: str | None = Field(None, description="A SELECT to read instead of the table.")
    layout: Layout = Field(JsonHistory(), description="What a row is, and what its columns are called.")


class FileSource(Settings):
    """Files of role rows (CSV, Parquet) or of careers (JSONL, Parquet)."""

    kind: Literal["csv", "parquet", "jsonl"] = Field(description="How the files are written.")
    path: str = Field(description="A file, a directory or a glob.")
    layout: Layout = Field(RoleRows(), description="What a row is, and what its columns are called.")

    @model_validator(mode="after")
    def _holds_no_keys(self) -> Self:
        """The experiment is written beside every result, and shown."""
        if _KEYS_IN_PATH.match(self.path):
            raise ValueError(
                "keys do not belong into `path`: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return self


class ProcessSettings(Settings):
    """What a simulated population is like; `docs/explanation/simulation.md` argues the defaults."""

    num_families: int = Field(12, ge=2, le=12, description="Job families.")
    num_specialisations: int = Field(10, ge=2, le=120, description="Of each family; 10 give 840 titles.")
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


class SimulatedSource(Settings):
    """Simulated careers in the embedded PostgreSQL, read through the same code as any database."""

    kind: Literal["simulated"] = "simulated"
    careers: int = Field(20_000, ge=10, description="How many people.")
    seed: int = Field(0, description="Same seed, same careers.")
    process: ProcessSettings = Field(ProcessSettings(), description="What they are like.")


Source = Annotated[PostgresSource | FileSource | SimulatedSource, Field(discriminator="kind")]


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
    merge_repeats: bool = Field(False, description="Join consecutive roles of the same title into one.")
    max_quarantine_fraction: float = Field(
        0.2, ge=0, le=1, description="Stop if a larger share of the rows cannot be used."
    )


class SplitSettings(Settings):
    """The temporal split: both dates are exclusive ends."""

    by: Literal["career", "transition"] = Field(
        "career",
        description="What dates a career: the last thing known of it, or the start of its last role.",
    )
    train_cutoff: date | Literal["auto"] = Field(AUTO, description="First day that is not train.")
    val_cutoff: date | Literal["auto"] = Field(AUTO, description="First day that is not val but test.")
    fractions: tuple[float, float] = Field(
        (0.70, 0.85), description="Where auto cuts: shares of careers before each cutoff."
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


class PrunerSettings(Settings):
    """When a trial is stopped early: asynchronous successive halving, or another of Optuna's pruners."""

    name: Literal["asha", "hyperband", "median", "none"] = Field(
        "asha", description="none: no trial is stopped."
    )
    grace_period: int = Field(3, ge=1, description="Epochs before a trial may be stopped.")
    reduction_factor: int = Field(3, ge=2, description="One in so many goes on at each rung.")


class SearchSettings(Settings):
    """The search over `space`."""

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
    sampler: Literal["tpe", "random", "gp", "cmaes", "qmc"] = Field(
        "tpe", description="How Optuna chooses the next params."
    )
    seed: int = Field(0, description="Of the sampler and of each trial's training.")
    start_points: list[dict[str, bool | int | float | str]] = Field(
        default=[],
        description="Params to try after the research default; what a point leaves out is taken from that. "
        "The experiment's own `training` comes next, where the space holds it.",
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
            Params.model_validate({**RESEARCH_DEFAULT.model_dump(), **point})
        return self

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
        if self.other_metrics and self.sampler == "cmaes":
            raise ValueError("CMA-ES searches for one objective, but got several. Set `sampler: tpe`")
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


class TrackingSettings(Settings):
    """Logging beside the study; each needs the extra `trajtune[tracking]`."""

    mlflow: bool = Field(
        False, description="To MLFLOW_TRACKING_URI, or to mlflow.db in the run directory if that is not set."
    )
    tensorboard: bool = Field(False, description="To tensorboard/ in the run directory.")


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
            if is_uri(place) and not re.fullmatch(r"s3://[^/@?#]+(/[^/@?#]+)*/?", place):
                # A key in it would stand in every run's experiment.yaml, so it is not repeated here either.
                raise ValueError(
                    f"`{name}` must be a directory or s3://bucket/folder, without keys or options, but is "
                    f"{_without_user(place)}. Set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY in the environment"
                )
        if is_uri(self.runs) and self.study_url_variable is None:
            raise ValueError(
                f"`study_url_variable` must be given with `runs` at {self.runs}, because a study's journal "
                "cannot grow in an object store. Name the environment variable with a database's URL, as "
                "TRAJTUNE_STUDY_URL"
            )
        return self


def _without_user(uri: str) -> str:
    """A URI without what may be a key."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{re.split('[?#]', rest)[0].rpartition('@')[2]}"


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


def find_file(name: str, folder: str) -> Path:
    """Find a YAML file by path, or by name in ``folder`` here, in the package or beside it.

    Raises:
        ExperimentError: If there is none; names what was looked for and what there is.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        if path.is_file():
            return path
        beside = [file.name for file in path.parent.glob("*.y*ml")]
        raise ExperimentError(
            f"No file {name}. {did_you_mean(path.name, beside)}Give the path of a YAML file."
        )
    for candidate in _folders(folder):
        if (candidate / f"{name}.yaml").is_file():
            return candidate / f"{name}.yaml"
    known = known_names(folder)
    raise ExperimentError(
        f"No file {name}.yaml in {folder}/. {did_you_mean(name, known)}There are: {', '.join(known)}."
    )


def known_names(folder: str) -> list[str]:
    """The names that `find_file` knows in ``folder``, sorted."""
    return sorted({file.stem for candidate in _folders(folder) for file in candidate.glob("*.yaml")})


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question with the nearest known name and a blank after it; nothing if none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {near[0]}? " if near else ""


def _folders(folder: str) -> tuple[Path, ...]:
    package = Path(__file__).parent
    return Path(folder), package / folder, package.parent / folder


def load_yaml(path: StoredPath) -> dict[str, Any]:
    """Read one YAML mapping with the safe loader.

    Raises:
        ExperimentError: If it cannot be read, is not YAML, or is not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExperimentError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"{path} is not YAML: {reason}. Mend that line.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ExperimentError(f"{path} must hold `key: value` lines, but holds a {type(content).__name__}.")
    return content


def load_experiment(name: str = "default") -> Experiment:
    """Load an experiment by name (from ``experiments/``) or by path.

    Args:
        name: As ``default``, or the path of a YAML file.

    Returns:
        The experiment, every setting with its value.

    Raises:
        ExperimentError: With every broken rule of the file in one line.
    """
    path = find_file(name, "experiments")
    return validate(Experiment, load_yaml(path), str(path))


def validate(model: type[T], content: dict[str, Any], where: str) -> T:
    """Build ``model`` from ``content``; all faults are named together in one `ExperimentError`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(model, dict(e)) for e in error.errors())
        raise ExperimentError(f"{where}: {faults}.") from error


def save_experiment(experiment: Experiment, path: Path) -> None:
    """Write the resolved experiment as YAML; `load_experiment` reads it back unchanged."""
    path.write_text(experiment_yaml(experiment), "utf-8")


def experiment_yaml(experiment: Experiment) -> str:
    """The resolved experiment as YAML, every setting with its value."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _fault(model: type[BaseModel], error: dict[str, Any]) -> str:
    """One validation error in the house's form: key, rule, value, remedy."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), sorted(_all_keys(model)), n=1)
        remedy = f"did you mean `{near[0]}`?" if near else "remove it"
        return f"unknown key `{key}`, {remedy}"
    message = error["msg"].removeprefix("Value error, ")
    allowed = error.get("ctx", {}).get("expected") or error.get("ctx", {}).get("expected_tags")
    if isinstance(allowed, str):
        given = error["ctx"].get("tag", error["input"])
        question = did_you_mean(str(given), re.findall(r"'([^']*)'", allowed)).strip()
        message += f"; {question[0].lower()}{question[1:]}" if question else ""
    return f"`{key or 'file'}`: {message}" + (
        "" if isinstance(error["input"], dict) else f", got {error['input']!r}"
    )


def _all_keys(model: type[BaseModel]) -> set[str]:
    keys: set[str] = set()
    stack: list[Any] = [model]
    while stack:
        annotation = stack.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            keys |= set(annotation.model_fields)
            stack.extend(field.annotation for field in annotation.model_fields.values())
        else:
            stack.extend(getattr(annotation, "__args__", ()))
    return keys
