"""Careers as a request gives them: the forms of a line of ``trajtune predict --input``."""

import json
from typing import Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import from_json

from trajtune.serving.limits import Limits, RefusedError, check_length, check_number

_SHOWN: Final = 80
"""Characters of a value in a message."""


class Career(BaseModel):
    """One career: a list of titles, or an object with `titles` and, optionally, an `id`."""

    model_config = ConfigDict(frozen=True, strict=True)

    titles: list[str]
    """Titles, oldest first, as people write them."""

    id: JsonValue = None
    """Repeated in the answer."""

    @model_validator(mode="before")
    @classmethod
    def _of_list(cls, value: Any) -> Any:
        return {"titles": value} if isinstance(value, list) else value

    @field_validator("id")
    @classmethod
    def _finite(cls, value: JsonValue) -> JsonValue:
        json.dumps(value, allow_nan=False)
        return value

    def identified(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, with the career's id first if it has one."""
        return {"id": self.id, **answer} if "id" in self.model_fields_set else answer


_CAREERS: Final = TypeAdapter(list[Career])


def career_of(body: bytes, limits: Limits) -> Career:
    """The career of a request.

    Raises:
        RefusedError: 422 with what is wrong.
    """
    try:
        career = Career.model_validate(_json(body))
    except ValidationError as error:
        raise RefusedError(422, _reason("The career", error, 0)) from None
    check_length("The career", len(career.titles), limits)
    return career


def careers_of(body: bytes, limits: Limits) -> list[Career]:
    """The careers of a request for many.

    Raises:
        RefusedError: 422 with the career's number, from 1, and what is wrong.
    """
    content = _json(body)
    if not isinstance(content, list):
        raise RefusedError(422, "The body must be a JSON list of careers. Put a single one in a list.")
    check_number(len(content), limits)
    try:
        careers = _CAREERS.validate_python(content)
    except ValidationError as error:
        place = error.errors(include_url=False, include_context=False)[0]["loc"][0]
        raise RefusedError(422, _reason(f"Career {int(place) + 1}", error, 1)) from None
    for number, career in enumerate(careers, start=1):
        check_length(f"Career {number}", len(career.titles), limits)
    return careers


def _json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RefusedError(422, f"The body is not JSON: {error}. Send JSON in UTF-8.") from None


def _reason(name: str, error: ValidationError, depth: int) -> str:
    """What is wrong with a career, in the words of ``trajtune predict``.

    Args:
        name: What the career is called.
        error: Pydantic's finding.
        depth: How many parts of a location lead to the career.
    """
    first = error.errors(include_url=False, include_context=False)[0]
    match first["loc"][depth:]:
        case ("titles", _, *_):
            shown = repr(first["input"])
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
            return f"{name} has the title {shown}. Give the title as a text, or leave it out."
        case ("id", *_):
            return f"{name} has an `id` with a number that is too large. Give it as text."
        case _:
            return f"{name} must be a list of titles or an object with `titles`. Fix that career."
