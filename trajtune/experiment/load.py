"""Find, read, validate and write experiment files; all faults of a file are reported in one line."""

import difflib
import re
from collections.abc import Iterable
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


def load_experiment(name: str = "default") -> Experiment:
    """Load an experiment by name (from ``experiments/``) or by path.

    Args:
        name: Name of an experiment, for example ``default``, or path of a YAML file.

    Returns:
        The experiment, with a value for every setting.

    Raises:
        ExperimentError: If the file breaks any rule; lists all of them in one line.
    """
    path = find_file(name, "experiments")
    return validate(Experiment, load_yaml(path), str(path))


def validate(model: type[T], content: dict[str, Any], where: str) -> T:
    """Return ``content`` as a ``model``; an `ExperimentError` lists all faults together."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(model, dict(e)) for e in error.errors())
        raise ExperimentError(f"{where}: {faults}.") from error


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
