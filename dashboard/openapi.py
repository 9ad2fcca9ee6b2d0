"""The OpenAPI document, made from the endpoints and the types of their answers."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from dashboard import answers
from dashboard.changes import CSRF_HEADER
from dashboard.endpoints import ENDPOINTS, Endpoint

_REF = "#/components/schemas/{name}"
_FAILURES = {
    "400": "A parameter cannot be used.",
    "401": "A login or the header `Authorization: Bearer DASHBOARD_TOKEN` is needed.",
    "403": "The request comes by another name or from another site.",
    "404": "Nothing has this id.",
    "429": "Too many wrong tokens: no other is looked at for Retry-After seconds.",
    "503": "ClickHouse does not answer, or the answer takes long: ask again after Retry-After seconds.",
}


@cache
def document() -> bytes:
    """Return the document as JSON."""
    others = [answers.Failure, answers.Session, answers.Chosen, answers.Changes]
    kinds = [*(endpoint.answer for endpoint in ENDPOINTS), *others]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    paths = {
        endpoint.path: {"get": _operation(endpoint, schema)}
        for endpoint, schema in zip(ENDPOINTS, schemas, strict=False)
    }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Receiptstream dashboard",
                "version": "1",
                "description": "Every number is that of the view of the same name in ClickHouse. What changes "
                "something needs DASHBOARD_TOKEN; a page's session sends the header X-CSRF-Token with it.",
            },
            "paths": {**paths, **_changes(), "/api/stream": {"get": _stream()}, "/api/me": {"get": _me()}},
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{}, {"token": []}],
        }
    )


def _operation(endpoint: Endpoint, schema: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if endpoint.listing is not None:
        content["text/csv"] = {"schema": {"type": "string"}}
    return {
        "summary": endpoint.summary,
        "operationId": endpoint.path.rpartition("/")[2],
        "parameters": [
            {"name": name, "in": "query", "description": told, "required": needed, "schema": kind}
            for name, told, kind, needed in endpoint.parameters()
        ],
        "responses": {"200": {"description": endpoint.summary, "content": content}, **_failures()},
    }


def _changes() -> dict[str, Any]:
    """Return the operations that change dead letters."""
    told = {
        "redrive": "Send open dead letters again, each to the step that refused it; twice is once",
        "discard": "Mark open dead letters as of no use; they stay stored",
    }
    return {f"/api/dead/{kind}": {"post": _change(kind, summary)} for kind, summary in told.items()}


def _change(kind: str, summary: str) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}

    return {
        "summary": summary,
        "operationId": kind,
        "parameters": [
            {
                "name": CSRF_HEADER,
                "in": "header",
                "description": "`csrf` of /api/me; not needed with `Authorization: Bearer DASHBOARD_TOKEN`.",
                "required": False,
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {"required": True, "content": content("Chosen")},
        "responses": {
            "200": {"description": "What became of each letter", "content": content("Changes")},
            **_failures(),
        },
    }


def _failures() -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Failure")}
    return {
        status: {"description": told, "content": {"application/json": {"schema": schema}}}
        for status, told in _FAILURES.items()
    }


def _stream() -> dict[str, Any]:
    return {
        "summary": "Server-sent events: `update` (newest windows and alerts), `status`, `hello`, `reset`",
        "operationId": "stream",
        "description": "Each event's id is the next offset of every partition; with it as Last-Event-ID the stream "
        "goes on where it was, or says `reset` when too much has passed: then ask for everything anew.",
        "parameters": [
            {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {"description": "The stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **_failures(),
        },
    }


def _me() -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Session")}
    return {
        "summary": "The viewer's own session",
        "operationId": "me",
        "responses": {
            "200": {"description": "The session", "content": {"application/json": {"schema": schema}}},
            **_failures(),
        },
    }
