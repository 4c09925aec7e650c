"""Find, read, validate and write experiment files; all faults of a file are reported in one line."""

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

_MAY_BE_SECRET: Final = re.compile(r"://|jdbc:|password|secret", re.IGNORECASE)
"""Matches values that look like a URL or connection settings, which messages do not repeat."""

_KINDS: Final = ("kind", "layout")
"""Settings that decide which other settings their section has."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, but ``1e-2`` is a number; YAML 1.1 reads it as text and requires ``1.0e-2``."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def find_file(name: str, folder: str) -> Path:
    """Find a YAML file by path or by name.

    A name is looked up in ``folder`` in the working directory, in the package and next to the package.

    Raises:
        ExperimentError: If there is no such file; lists the available names.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        if path.is_file():
            return path
        others = [file.name for file in path.parent.glob("*.y*ml")]
        raise ExperimentError(
            f"No file {name}. {did_you_mean(path.name, others)}Give the path of a YAML file."
        )
    for candidate in _folders(folder):
        if (candidate / f"{name}.yaml").is_file():
            return candidate / f"{name}.yaml"
    known = known_names(folder)
    raise ExperimentError(
        f"No file {name}.yaml in {folder}/. {did_you_mean(name, known)}There are: {', '.join(known)}."
    )


def known_names(folder: str) -> list[str]:
    """Return the names that `find_file` finds in ``folder``, sorted."""
    return sorted({file.stem for candidate in _folders(folder) for file in candidate.glob("*.yaml")})


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``Did you mean X? `` with the most similar known name, or an empty text if none is similar."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {near[0]}? " if near else ""


def _folders(folder: str) -> tuple[Path, ...]:
    package = Path(__file__).parents[1]
    return Path(folder), package / folder, package.parent / folder


def load_yaml(path: StoredPath) -> dict[str, Any]:
    """Return the YAML mapping in a file, read with the safe loader.

    Raises:
        ExperimentError: If the file cannot be read, is not YAML, or is not a mapping.
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
        raise ExperimentError(
            f"{path} must contain `key: value` lines, but contains a {type(content).__name__}. Write a "
            "mapping."
        )
    return content


def load_experiment(name: str | Path = "default", settings: Mapping[str, Any] | None = None) -> Experiment:
    """Load an experiment by name (from ``experiments/``) or by path.

    Args:
        name: Name of an experiment, for example ``default``, or path of a YAML file.
        settings: Settings that replace those of the file, by their dotted path.

    Returns:
        The experiment, with a value for every setting.

    Raises:
        ExperimentError: If the file breaks any rule; lists all of them in one line.

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
            given = "" if _MAY_BE_SECRET.search(assignment) else f", but got {assignment!r}"
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
    """Return ``content`` as a ``model``; an `ExperimentError` lists all faults together."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(model, dict(e)) for e in error.errors())
        raise ExperimentError(
            f"{where}: {faults.removesuffix('?')}{'?' if faults.endswith('?') else '.'}"
        ) from error


def save_experiment(experiment: Experiment, path: Path) -> None:
    """Write the resolved experiment as YAML, which `load_experiment` reads back unchanged."""
    path.write_text(experiment_yaml(experiment), "utf-8")


def experiment_yaml(experiment: Experiment) -> str:
    """Return the resolved experiment as YAML, with a value for every setting."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _fault(model: type[BaseModel], error: dict[str, Any]) -> str:
    """Return one validation error as a text with key, rule, value and remedy."""
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
    is_shown = not isinstance(error["input"], dict) and not _MAY_BE_SECRET.search(given)
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
