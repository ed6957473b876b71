"""The API of programs, `/api/v1`: JSON, bearer tokens, problems as RFC 9457 says, OpenAPI 3.1.

A room of `views`: JSON in, one service call, JSON out.
"""

from __future__ import annotations

from http import HTTPStatus

import flask_smorest
from flask import Flask
from flask_wtf import CSRFProtect

from flexmail.views import access
from flexmail.views.api import (
    approvals,
    callbacks,
    docs,
    events,
    outbox,
    problems,
    replies,
    settings,
    settings_schemas,
    status,
    waiting,
)
from flexmail.views.api.resource import SECURITY, Resource, problem_name

RESOURCES = (approvals, events, replies, outbox, callbacks, status, settings)

_DESCRIPTION = (
    "Every call but this description needs the header `Authorization: Bearer <token>`; an admin"
    " makes tokens with `flexmail tokens create`. Bodies are one JSON object"
    " with the header `Content-Type: application/json`. Moments are ISO 8601 in UTC. Lists are"
    " `{items, next_cursor}`. Errors are `application/problem+json` (RFC 9457)."
)
_ERRORS = {
    400: "The body is empty or no JSON.",
    401: "There is no token, or none that is good.",
    403: "The token does not have the scope that this call asks for.",
    404: "There is no such thing.",
    409: "The present state does not allow it.",
    413: "The body is too large.",
    415: "The body has another media type than application/json.",
    422: "Something in body, query or header is wrong; `errors` says what, by field.",
    429: "Too often; try again after the seconds in Retry-After.",
    503: "The database is busy; try again after the seconds in Retry-After.",
}


class Api(flask_smorest.Api):
    """Collects the description; errors and the page of it are flexmail's own."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Leave the pages' errors alone."""

    def _register_responses(self) -> None:
        schema = {"$ref": "#/components/schemas/Problem"}
        for code, text in _ERRORS.items():
            content = {problems.MEDIA_TYPE: {"schema": schema}}
            described = {"description": f"{HTTPStatus(code).phrase}. {text}", "content": content}
            self.spec.components.response(problem_name(code), described)
        self.spec.components.schema("Problem", schema=problems.ProblemSchema)

    def _register_etag_headers(self) -> None:
        """Describe no ETag: there is none."""

    def _register_pagination_header(self) -> None:
        """Describe no header for pages: `next_cursor` stands in the body."""

    def register_blueprint(self, resource: Resource) -> None:
        """Register a resource; its tag is its title, for pages own the plain blueprint names."""
        self._app.register_blueprint(resource)
        resource.register_views_in_doc(
            self, self._app, self.spec, name=resource.name, parameters=None
        )
        self.spec.tag({"name": resource.title, "description": resource.description})


def init_app(app: Flask, csrf: CSRFProtect = access.csrf) -> None:
    """Register every resource; no CSRF token is asked for, since no cookie counts here."""
    app.config.update(API_TITLE="flexmail", API_VERSION="v1", OPENAPI_VERSION="3.1.0")
    api = Api(app, spec_kwargs={"info": {"description": _DESCRIPTION}})
    scheme = {"type": "http", "scheme": "bearer", "description": "A token; its scopes say what."}
    api.spec.components.security_scheme(SECURITY, scheme)
    with app.app_context():
        settings_schemas.describe(api.spec)
    for module in RESOURCES:
        csrf.exempt(module.resource)
        api.register_blueprint(module.resource)
    docs.init_app(app, api.spec)
    problems.init_app(app)
    waiting.init_app(app)
