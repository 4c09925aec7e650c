"""Names with dots are paths into JSON: `title.name`, `id.bioguide`, `Person.Roles`."""

import json
from typing import Any


def json_value(value: Any) -> Any:
    """Return the value of a JSON text. Return anything else, and a text that is not JSON, unchanged."""
    try:
        return json.loads(value, strict=False) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def json_text(value: Any) -> str:
    """Return a value as JSON text, with dates in ISO format."""
    return json.dumps(value, default=str, ensure_ascii=False)


def value_at(value: Any, name: str) -> Any:
    """Return the value under a key or a path of keys; None if there is none.

    A key that contains dots itself takes precedence over a path. In a list on the path, the first element
    with a value counts.
    """
    if isinstance(value, list):
        found = (value_at(element, name) for element in value)
        return next((inner for inner in found if inner is not None), None)
    if not isinstance(value, dict):
        return None
    if name in value or "." not in name:
        return value.get(name)
    first, _, rest = name.partition(".")
    return value_at(value.get(first), rest)


def list_at(value: Any, name: str) -> Any:
    """Return the list, or any other value, under a path of keys; None if there is none.

    If a list on the path contains lists, these are joined. For example, ORCID has groups of employments.
    """
    if isinstance(value, list):
        inner = [list_at(element, name) for element in value]
        lists = [
            element if isinstance(element, list) else [element] for element in inner if element is not None
        ]
        return [role for roles in lists for role in roles] if lists else None
    if not isinstance(value, dict):
        return None
    if name in value or "." not in name:
        return value.get(name)
    first, _, rest = name.partition(".")
    return list_at(value.get(first), rest)
