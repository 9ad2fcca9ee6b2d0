"""The reference page of the HTTP interfaces: `python -m cli._pages` writes docs/http.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final

from core.pages import table, write
from dashboard import openapi

Object = Mapping[str, Any]
_MADE: Final = (
    "<!-- Made by `python -m cli._pages` from ingest/openapi.json and dashboard/openapi.py: change it there. -->"
)
_INTRO: Final = """\
The ingress tells its own description at `/openapi.json`, the dashboard at `/api/openapi.json`, both OpenAPI 3.1: make
clients from these. Here is the same to read. Who may ask what: [security](security.md)."""
_OTHERS: Final = """\
## Every role

Processor, sink and notifier serve `/metrics` ([metrics](metrics.md)), `/healthz` and `/readyz` on `METRICS_HOST` and
`METRICS_PORT`; ingress and dashboard on their own port. `/readyz` is 503 with a `reason` while the role does not do its
work."""
_METHODS: Final = ("get", "head", "post")
_ANSWER: Final = ("answer", "body", "when")


def http_page() -> str:
    """Return docs/http.md."""
    ingress = json.loads(resources.files("ingest").joinpath("openapi.json").read_bytes())
    dashboard = json.loads(openapi.document())
    parts = [
        ["# HTTP", _MADE, "", _INTRO],
        ["## Ingress", "", ingress["info"]["description"], "", *_routes(ingress)],
        ["## Dashboard", "", dashboard["info"]["description"], "", *_routes(dashboard)],
        [_OTHERS],
    ]
    return "\n\n".join("\n".join(part).rstrip("\n") for part in parts) + "\n"


def _routes(described: Object) -> Iterator[str]:
    """Yield every route; what all of them answer stands once, in front."""
    operations = [
        (f"{method.upper()} {path}", item[method], item.get("parameters", []))
        for path, item in described["paths"].items()
        for method in _METHODS
        if method in item
    ]
    first, *others = ([*_answers(operation)] for _, operation, _ in operations)
    shared = [answer for answer in first if all(answer in each for each in others)]
    if shared:
        yield from ("Each route may answer:", "", *table(_ANSWER, shared), "")
    for name, operation, parameters in operations:
        yield from _route(name, operation, [*parameters, *operation.get("parameters", [])])
        yield from (*table(_ANSWER, (answer for answer in _answers(operation) if answer not in shared)), "")


def _route(name: str, operation: Object, parameters: list[Object]) -> Iterator[str]:
    """Yield a route's heading, what it does and what it takes."""
    yield from (f"### {name}", "", f"{operation['summary']}.", "")
    if "description" in operation:
        yield from (operation["description"], "")
    if parameters:
        yield from (*table(("parameter", "in", "values", "meaning"), map(_parameter, parameters)), "")
    if "requestBody" in operation:
        yield from (f"Takes {_content(operation['requestBody'])}.", "")


def _answers(operation: Object) -> Iterator[tuple[str, ...]]:
    for status, answer in operation["responses"].items():
        yield status, _content(answer) or "none", answer["description"]


def _parameter(parameter: Object) -> tuple[str, ...]:
    needed = "" if not parameter.get("required") else " (needed)"
    name = f"`{parameter['name']}`{needed}"
    return name, parameter["in"], _values(parameter["schema"]), parameter.get("description", "")


def _values(schema: Object) -> str:
    """Return what a value may be, with its default."""
    if "enum" in schema:
        text = ", ".join(f"`{each}`" for each in schema["enum"])
    else:
        text = str(schema.get("format", schema["type"]))
        if "minimum" in schema and "maximum" in schema:
            text += f", {schema['minimum']} to {schema['maximum']}"
        if "maxLength" in schema:
            text += f", at most {schema['maxLength']} characters"
    return f"{text}; default `{schema['default']}`" if "default" in schema else text


def _content(holder: Object) -> str:
    """Return the media types of a body, with the schema's name in the description where it has one."""
    return " or ".join(_media(kind, media["schema"]) for kind, media in holder.get("content", {}).items())


def _media(kind: str, schema: Object) -> str:
    names = [each["$ref"].rpartition("/")[2] for each in (schema, *schema.get("oneOf", ())) if "$ref" in each]
    return f"`{kind}`: {' or '.join(map(_readable, names))}" if names else f"`{kind}`"


def _readable(name: str) -> str:
    """Return a schema's name; msgspec writes `Page[Alert]` as `Page_Alert_`."""
    outer, _, inner = name.rstrip("_").partition("_")
    return f"`{outer}` of `{inner}`" if inner else f"`{outer}`"


PAGES = {"http.md": http_page}


def main() -> None:
    """Write the pages."""
    write(PAGES)


if __name__ == "__main__":
    main()
