"""The HTTP application: a career, a batch, health, metrics, and the page with a form for a career."""

import asyncio
import json
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from trajtune.bundle.answer import answer_of
from trajtune.bundle.bundle import Bundle
from trajtune.bundle.explain import explain
from trajtune.bundle.prediction import Prediction
from trajtune.errors import BundleError
from trajtune.serving.about import about
from trajtune.serving.careers import Career, career_of, careers_of
from trajtune.serving.limits import Limits, RefusedError, read_body
from trajtune.serving.metrics import Metrics
from trajtune.serving.observed import Asgi, Observed

_PAGE: Final = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_FEW: Final = 8
"""Largest batch that is answered at once; a larger one runs in a thread and does not delay other requests."""


def create_app(bundle: Bundle, limits: Limits) -> Asgi:
    """The application that serves a bundle.

    Args:
        bundle: An open bundle.
        limits: What a request may ask for.

    Returns:
        An ASGI application.
    """
    metrics = Metrics(bundle)
    app = FastAPI(
        title="trajtune",
        description="What comes next in a career.",
        docs_url=None,  # these pages would be fetched from another host
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    _add_predictions(app, bundle, limits, metrics)
    _add_status(app, bundle, metrics)
    _add_page(app)
    _add_refusals(app)
    return Observed(app, metrics, frozenset(getattr(route, "path", "") for route in app.routes))


def _add_predictions(app: FastAPI, bundle: Bundle, limits: Limits, metrics: Metrics) -> None:
    outcomes = bundle.outcomes
    # One long request at a time: more would share the same core, and need memory each.
    turn = asyncio.Semaphore(1)

    def one(career: Career, explained: bool) -> dict[str, Any]:
        bundle.encode(career.titles, "The career")
        explanation = explain(bundle, career.titles) if explained else None
        prediction = explanation.prediction if explanation else bundle.predict([career.titles])[0]
        metrics.answered([prediction], len(career.titles))
        return career.identified(answer_of(prediction, outcomes, explanation))

    def many(careers: list[Career]) -> list[dict[str, Any]]:
        predictions = bundle.predict([career.titles for career in careers])
        metrics.answered(predictions, sum(len(career.titles) for career in careers))
        return [
            career.identified(answer_of(prediction, outcomes))
            for career, prediction in zip(careers, predictions, strict=True)
        ]

    @app.post("/predict", openapi_extra=_spoken(one_career=True))
    async def predict(request: Request) -> Response:
        """What comes next in one career; `?explain=true` adds what each role contributes."""
        explained = _flag(request.query_params.get("explain"), "explain")
        career = career_of(await _body(request, limits), limits)
        if explained:
            async with turn:
                return _json(await run_in_threadpool(one, career, True))
        return _json(one(career, False))

    @app.post("/predict/batch", openapi_extra=_spoken(one_career=False))
    async def predict_batch(request: Request) -> Response:
        """What comes next in each of a list of careers, in their order."""
        careers = careers_of(await _body(request, limits), limits)
        if len(careers) <= _FEW:
            return _json(many(careers))
        async with turn:
            return _json(await run_in_threadpool(many, careers))


def _add_status(app: FastAPI, bundle: Bundle, metrics: Metrics) -> None:
    known = about(bundle)

    @app.get("/health")
    async def health() -> Response:
        """The bundle that is served, and whether its gates passed."""
        return _json(known)

    @app.get("/metrics")
    async def counters() -> Response:
        """Counters in Prometheus' text format."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_page(app: FastAPI) -> None:
    for path, (name, kind) in _PAGE.items():
        content = (files("trajtune.serving") / "page" / name).read_bytes()

        async def part(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind, headers=_HEADERS)

        app.add_api_route(path, part, include_in_schema=False)


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return _json({"error": error.reason}, error.status)

    @app.exception_handler(BundleError)
    async def no_career(request: Request, error: BundleError) -> Response:
        return _json({"error": str(error)}, 422)

    @app.exception_handler(HTTPException)
    async def no_such_path(request: Request, error: HTTPException) -> Response:
        return _json({"error": f"{error.detail}."}, error.status_code, error.headers)


async def _body(request: Request, limits: Limits) -> bytes:
    try:
        return await read_body(request.stream(), request.headers.get("content-length"), limits)
    except ClientDisconnect:
        raise RefusedError(400, "The request ended before its body was complete. Send it again.") from None


def _flag(value: str | None, name: str) -> bool:
    if value in (None, "", "false", "0"):
        return False
    if value in ("true", "1"):
        return True
    raise RefusedError(422, f"`{name}` must be true or false. Fix the query.")


def _json(content: object, status: int = 200, headers: Any = None) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    own = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(text.encode(), status, own, "application/json")


def _spoken(*, one_career: bool) -> dict[str, Any]:
    """The request and the answer in OpenAPI's words."""
    titles = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    career = {"anyOf": [titles, Career.model_json_schema()]}
    prediction = TypeAdapter(Prediction).json_schema(mode="serialization")
    error = {"type": "object", "properties": {"error": {"type": "string"}}}

    def content(schema: dict[str, Any]) -> dict[str, Any]:
        whole = schema if one_career else {"type": "array", "items": schema}
        return {"content": {"application/json": {"schema": whole}}}

    refusals = {str(status): ("Not answered", error) for status in (408, 413, 422)}
    asked = {"name": "explain", "in": "query", "schema": {"type": "boolean"}}
    return {
        "requestBody": {"required": True, **content(career)},
        "parameters": [asked] if one_career else [],
        "responses": {
            "200": {"description": "Predictions", **content({**prediction, "required": ["abstained"]})},
            **{
                status: {"description": what, "content": {"application/json": {"schema": schema}}}
                for status, (what, schema) in refusals.items()
            },
        },
    }
