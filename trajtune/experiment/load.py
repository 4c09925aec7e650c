"""Find, read, check and write experiment files; every fault of a file is named in one line."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from trajtune.errors import ExperimentError
from trajtune.experiment.settings import Experiment
from trajtune.storage.path import StoredPath

T = TypeVar("T", bound=BaseModel)

_MAY_HOLD_A_SECRET: Final = re.compile(r"://|jdbc:|password|secret", re.IGNORECASE)
"""A URL or a connection's settings where another value belongs."""

_KINDS: Final = ("kind", "layout")
"""Settings that decide which other settings their section has."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, for which ``1e-2`` is a number: YAML 1.1 wants ``1.0e-2``, and reads text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


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
    package = Path(__file__).parents[1]
    return Path(folder), package / folder, package.parent / folder


def load_yaml(path: StoredPath) -> dict[str, Any]:
    """Read one YAML mapping with the safe loader.

    Raises:
        ExperimentError: If it cannot be read, is not YAML, or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise ExperimentError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"{path} is not YAML: {reason}. Fix that line.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ExperimentError(f"{path} must hold `key: value` lines, but holds a {type(content).__name__}.")
    return content


def load_experiment(name: str | Path = "default", settings: Mapping[str, Any] | None = None) -> Experiment:
    """Load an experiment by name (from ``experiments/``) or by path.

    Args:
        name: For example ``default``, or the path of a YAML file.
        settings: Settings in place of the file's, by their path with dots.

    Returns:
        The experiment, every setting with its value.

    Raises:
        ExperimentError: With every broken rule of the file, or of the settings, in one line.

    Examples:
        >>> load_experiment("smoke", {"training.dropout": 0.2, "search.trials": 9}).training.dropout
        0.2
    """
    path = find_file(str(name), "experiments")
    content = load_yaml(path)
    experiment = validate(Experiment, content, str(path))
    return _changed(content, settings) if settings else experiment


def resolve(experiment: Experiment | str | Path, settings: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment itself, or the one of that name or path, with the ``settings`` in place of its own."""
    if isinstance(experiment, Experiment):
        return with_settings(experiment, settings or {})
    return load_experiment(experiment, settings)


def with_settings(experiment: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """The experiment with other settings, checked like a file's.

    Args:
        experiment: Stays as it is.
        settings: Values by the path of each setting with dots. A mapping replaces the whole section.

    Raises:
        ExperimentError: With every unknown key, with the nearest known one, and every broken rule.

    Examples:
        >>> with_settings(load_experiment("smoke"), {"search.sampler": "random"}).search.sampler
        'random'
    """
    return _changed(experiment.model_dump(mode="json"), settings) if settings else experiment


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """Settings from lines ``section.key=value``, each value read as YAML.

    Raises:
        ExperimentError: If a line has no ``=`` or its value is not YAML.

    Examples:
        >>> parse_settings(["training.learning_rate=1e-2", "split.fractions=[0.6, 0.8]"])
        {'training.learning_rate': 0.01, 'split.fractions': [0.6, 0.8]}
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            given = "" if _MAY_HOLD_A_SECRET.search(assignment) else f", but got {assignment!r}"
            raise ExperimentError(
                f"A setting must be written section.key=value{given}. Write it, for example, as "
                "training.dropout=0.2."
            )
        try:
            settings[name.strip()] = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
        except yaml.YAMLError as error:
            raise ExperimentError(f"The value of {name.strip()} is not YAML. Put it in quotes.") from error
    return settings


def _changed(content: Mapping[str, Any], settings: Mapping[str, Any]) -> Experiment:
    changed = dict(content)
    # What decides which other settings there are comes first, the outer one before the inner.
    for name in sorted(settings, key=lambda name: (name.split(".")[-1] not in _KINDS, name.count("."))):
        value = settings[name]
        changed = _replaced(changed, name.split("."), os.fspath(value) if isinstance(value, Path) else value)
    return validate(Experiment, changed, "The settings given")


def _replaced(content: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """The content with another value at a path; a section of another kind begins empty."""
    key, *below = path
    if not below:
        is_other_kind = key in _KINDS and isinstance(value, str) and content.get(key) != value
        return {**({} if is_other_kind else content), key: value}
    within = content.get(key)
    return {**content, key: _replaced(within if isinstance(within, Mapping) else {}, below, value)}


def validate(model: type[T], content: dict[str, Any], where: str) -> T:
    """Build ``model`` from ``content``; all faults are named together in one `ExperimentError`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(model, dict(e)) for e in error.errors())
        raise ExperimentError(
            f"{where}: {faults.removesuffix('?')}{'?' if faults.endswith('?') else '.'}"
        ) from error


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
    given = repr(error["input"])
    is_shown = not isinstance(error["input"], dict) and not _MAY_HOLD_A_SECRET.search(given)
    return f"`{key or 'file'}`: {message}" + (f", got {given}" if is_shown else "")


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
