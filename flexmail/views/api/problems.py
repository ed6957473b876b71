"""Errors as programs get them: `application/problem+json`, as RFC 9457 says.

Every refusal of the services is mapped to its HTTP status here and nowhere else in the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Blueprint, Flask, Response, request
from marshmallow import Schema, fields
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.routing import RequestRedirect

from flexmail.errors import Conflict, InvalidInput, NotFound, SecretUnreadable, TooMany

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
_BUSY = "The database is busy: try again in a moment."


class ProblemSchema(Schema):
    """An error as RFC 9457 has it."""

    type = fields.String(required=True, metadata={"description": "Always about:blank."})
    title = fields.String(required=True, metadata={"description": "The HTTP status in words."})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status."})
    detail = fields.String(required=True, metadata={"description": "What is wrong, for people."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "With 422: sentences by field; an empty name means the whole."},
    )


def problem(
    status: int,
    detail: str,
    *,
    errors: Mapping[str, Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error answer."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    return Response(json.dumps(body), status, headers, content_type=MEDIA_TYPE)


def init_app(app: Flask) -> None:
    """Answer below /api what no route answers: 404 and 405."""
    app.before_request(_answer_lost_request)


def handle_errors(blueprint: Blueprint) -> None:
    """Answer every error of a blueprint's views; by code, since that is looked up first."""
    for code in default_exceptions:
        blueprint.register_error_handler(code, _of_http)
    blueprint.register_error_handler(HTTPException, _of_http)
    blueprint.register_error_handler(
        InvalidInput, lambda error: problem(422, str(error), errors=error.errors)
    )
    blueprint.register_error_handler(NotFound, lambda error: problem(404, str(error)))
    for refusal in (Conflict, SecretUnreadable):
        blueprint.register_error_handler(refusal, lambda error: problem(409, str(error)))
    blueprint.register_error_handler(
        TooMany,
        lambda error: problem(429, str(error), headers={"Retry-After": str(error.seconds)}),
    )
    for trouble in (exc.OperationalError, exc.InterfaceError, exc.TimeoutError):
        blueprint.register_error_handler(trouble, _of_database)


def _answer_lost_request() -> Response | None:
    lost = request.routing_exception
    if lost is None or not request.path.startswith("/api/") or isinstance(lost, RequestRedirect):
        return None
    return _of_http(lost)


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return problem(status, _detail(error), headers=headers)


def _detail(error: HTTPException) -> str:
    if error.code == 404:
        return "There is nothing at this address."
    if error.code == 413:
        return "The body is too large."
    if error.code == 500:
        return "flexmail failed at this request; its log says how."
    return error.description or error.name


def _of_database(_: Exception) -> Response:
    return problem(503, _BUSY, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
