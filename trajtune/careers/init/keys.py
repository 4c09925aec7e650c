"""Keys of JSON objects, with dots for nested objects, and their values as text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trajtune.careers.parse.date_objects import object_text

_DEPTH: Final = 5
_MAX_KEYS: Final = 300


def flat_values(objects: Sequence[Mapping[str, Any]]) -> dict[str, list[str | None]]:
    """Return for each key and path of keys its value in every object, as text.

    An object that is a date counts as one value. Lists and empty objects are JSON text.

    Args:
        objects: JSON objects, for example the roles of a history.
    """
    columns: dict[str, list[str | None]] = {}
    for number, content in enumerate(objects):
        for name, text in _leaves(content, "", _DEPTH):
            if name not in columns and len(columns) < _MAX_KEYS:
                columns[name] = [None] * len(objects)
            if name in columns:
                columns[name][number] = text
    return columns


def _leaves(content: Mapping[str, Any], prefix: str, depth: int) -> list[tuple[str, str | None]]:
    leaves: list[tuple[str, str | None]] = []
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and depth and object_text(json.dumps(value)) is None:
            # Skip keys with a dot, which cannot be part of a path.
            leaves += _leaves(value, f"{name}.", depth - 1) if "." not in key else []
        else:
            leaves.append((name, as_text(value)))
    return leaves


def as_text(value: Any) -> str | None:
    """Return a JSON value as text, and a string unchanged."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def parsed(text: str | None) -> Any:
    """Return the value of a JSON text, decoding nested JSON texts too; None if it is not JSON."""
    try:
        value = json.loads(text or "null", strict=False)
        value = json.loads(value, strict=False) if isinstance(value, str) else value
        if isinstance(value, list) and value and all(isinstance(role, str) for role in value):
            return [json.loads(role, strict=False) for role in value]
        return value
    except (ValueError, RecursionError):
        return None
