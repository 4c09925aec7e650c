"""Dates that are JSON objects, as exports write them: {"year": 2020, "month": 3}."""

import json
from collections.abc import Mapping
from typing import Any, Final

_WRAPPERS: Final = ("value", "date", "$date", "iso", "$numberlong", "$numberint")
"""Keys that a value may lie under: ORCID has {"year": {"value": "2020"}}, MongoDB {"$date": ...}."""


def object_text(text: str) -> str | None:
    """A JSON object as a date that `parse_date` reads; the empty string if it has no part.

    Args:
        text: JSON with ``year`` and perhaps ``month`` and ``day``, in any case, or with a date under one of
            a few usual keys. A month is a number or a name; 0 is none.

    Returns:
        None if it is not such an object.
    """
    try:
        return _of(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _of(content: Any) -> str | None:
    if not isinstance(content, Mapping):
        return _scalar(content)
    parts = {key.lower(): value for key, value in content.items()}
    wrapped = next((key for key in _WRAPPERS if key in parts), None)
    if wrapped is not None:
        return _of(parts[wrapped])
    if parts and "year" not in parts:
        return None
    year, month, day = (_of(parts.get(key)) for key in ("year", "month", "day"))
    if year is None or month is None or day is None:
        return None
    month, day = month.lstrip("-0"), day.lstrip("-0")  # XML writes months as --03
    if not year:
        return None if month or day else ""
    if not month:
        return year
    if month.isdigit():
        return "-".join([year, month.zfill(2), *([day.zfill(2)] if day else [])])
    return " ".join([*([day] if day else []), month, year])


def _scalar(value: Any) -> str | None:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else None
