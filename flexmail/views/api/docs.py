"""The description of the API: for programs at `/api/openapi.json`, for people at `/api/docs`.

Both are public and made from the same OpenAPI value; the page is plain HTML from the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from apispec import APISpec
from flask import Blueprint, Flask, Response, render_template, request
from markupsafe import Markup, escape

Json = dict[str, Any]

_CODE = re.compile(r"`([^`]+)`")


def init_app(app: Flask, spec: APISpec) -> None:
    """Serve the description."""
    description = spec.to_dict()
    text = json.dumps(description, indent=2)
    page = {
        "info": description["info"],
        "groups": _groups(description),
        "problem": list(_rows(description, {"$ref": "#/components/schemas/Problem"})),
    }
    blueprint = Blueprint("api_docs", __name__, url_prefix="/api")

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(text, content_type="application/json")

    @blueprint.get("/docs")
    def docs() -> str:
        base = app.config["BASE_URL"] or request.host_url.rstrip("/")
        return render_template("api/docs.html", base=base, **page)

    blueprint.add_app_template_filter(_marked, "marked")
    app.register_blueprint(blueprint)


def _marked(text: str) -> Markup:
    """Set what stands in `backticks` as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped)


def _groups(description: Json) -> list[Json]:
    """Return the operations below the name of their resource, as the page shows them."""
    texts = {tag["name"]: tag.get("description", "") for tag in description["tags"]}
    groups: dict[str, Json] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            name = operation["tags"][0]
            group = groups.setdefault(
                name, {"name": name, "description": texts.get(name, ""), "operations": []}
            )
            common = operations.get("parameters", [])
            group["operations"].append(_operation(description, path, method, operation, common))
    return list(groups.values())


def _operation(
    description: Json, path: str, method: str, operation: Json, common: list[Json]
) -> Json:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    responses = [
        (status, _resolved(description, answer))
        for status, answer in operation["responses"].items()
    ]
    good = next(answer for status, answer in responses if status.startswith("2"))
    return {
        "id": operation["operationId"],
        "path": path,
        "method": method.upper(),
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "scope": next(iter(operation["security"][0].values()))[0],
        "parameters": [
            _row(parameter["name"], parameter["schema"], parameter)
            for parameter in [*common, *operation.get("parameters", [])]
        ],
        "body": list(_rows(description, body.get("schema", {}))),
        "example": json.dumps(body["example"], indent=2) if "example" in body else "",
        "answer": list(_rows(description, _schema_of(good))),
        "responses": [(status, answer["description"]) for status, answer in responses],
    }


def _schema_of(answer: Json) -> Json:
    schema: Json = answer["content"]["application/json"]["schema"]
    return schema


def _rows(description: Json, schema: Json, before: str = "") -> Iterator[Json]:
    """Yield one row a key, what lies below it as `key.below` and `key[].below`."""
    schema = _resolved(description, schema)
    required = schema.get("required", [])
    for name, value in schema.get("properties", {}).items():
        found = _resolved(description, value)
        yield _row(before + name, found, {"required": name in required})
        if "items" in found:
            yield from _rows(description, found["items"], f"{before}{name}[].")
        else:
            yield from _rows(description, found, f"{before}{name}.")


def _row(name: str, schema: Json, where: Json) -> Json:
    return {
        "name": name,
        "in": where.get("in", ""),
        "type": _type(schema),
        "required": where.get("required", False),
        "default": json.dumps(schema["default"]) if schema.get("default", "") != "" else "",
        "description": where.get("description") or schema.get("description", ""),
        "choices": [value for value in schema.get("enum", []) if value is not None],
        "minimum": schema.get("minimum"),
        "maximum": schema.get("maximum"),
    }


def _type(schema: Json) -> str:
    found = schema.get("type", "object")
    return " or ".join(found) if isinstance(found, list) else str(found)


def _resolved(description: Json, value: Json) -> Json:
    """Follow references, also the one that may be null instead."""
    while "$ref" in value or "anyOf" in value:
        inner = next((one for one in value.get("anyOf", []) if "$ref" in one), value)
        found: Json = description
        for step in inner["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = {**found, **{k: v for k, v in value.items() if k not in ("$ref", "anyOf")}}
    return value
