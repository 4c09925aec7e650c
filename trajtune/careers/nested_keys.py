"""Names with dots as paths into JSON: `title.name`, `id.bioguide`, `Person.Roles`."""

import json
from typing import Any


def json_value(value: Any) -> Any:
    """A JSON text as its value; anything else, and a text that is no JSON, as it is."""
    try:
        return json.loads(value, strict=False) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def json_text(value: Any) -> str:
    """A value as JSON text; dates as ISO text within it."""
    return json.dumps(value, default=str, ensure_ascii=False)


def value_at(value: Any, name: str) -> Any:
    """The value under a key, or under a path of keys; None if there is none.

    A key that has dots itself comes before a path. In a list on the way, the first element that has a value
    counts.
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
    """The list under a path of keys, or whatever is there; None if there is nothing.

    The lists below a list on the way are joined: ORCID has groups of employments.
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
