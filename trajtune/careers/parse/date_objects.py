"""Parse dates that are JSON objects, for example {"year": 2020, "month": 3}."""

import json
from collections.abc import Mapping
from typing import Any, Final

_WRAPPERS: Final = ("value", "date", "$date", "iso", "$numberlong", "$numberint")
"""Keys that may wrap a value: ORCID has {"year": {"value": "2020"}}, MongoDB {"$date": ...}."""


def object_text(text: str) -> str | None:
    """Return a JSON object as a text for `parse_date`; the empty string if all parts are missing.

    Args:
        text: JSON with ``year`` and possibly ``month`` and ``day``, in any case, or with a date under a
            usual key. A month is a number or a name; 0 counts as missing.

    Returns:
        The text, or None if it is not such an object.
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
