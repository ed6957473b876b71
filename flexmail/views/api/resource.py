"""One resource of the API: its routes, the scope they ask for, and how they are described.

Only a bearer token opens them (RFC 6750); a session cookie is not even looked at, which is why no
CSRF token is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import flask_smorest
from flask import Response, g, request
from marshmallow import RAISE, Schema, fields, validate

from flexmail.services import audit, tokens
from flexmail.services.paging import MAX_LIMIT
from flexmail.views.api import problems
from flexmail.views.api.body import StrictParser

Json = dict[str, Any]
View = Callable[..., Any]
Decorator = Callable[[View], View]

PREFIX = "/api/v1"
SECURITY = "token"
_REALM = 'Bearer realm="flexmail"'


class Resource(flask_smorest.Blueprint):
    """A blueprint below `/api/v1` whose every route asks for a token with one scope."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, *, scope: str, description: str) -> None:
        super().__init__(f"api_{name}", __name__, url_prefix=PREFIX, description=description)
        self.title, self.scope = name, scope
        self.before_request(lambda: _refuse_without(scope))
        problems.handle_errors(self)
        self._prepare_doc_cbks.append(self._describe)

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **kw: Any
    ) -> None:
        """Add a route, tagged with the name of the resource."""
        kw["tags"] = [self.title]
        super().add_url_rule(rule, endpoint, view_func, *args, **kw)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, *args: Any, **kw: Any) -> None:
        super()._store_endpoint_docs(endpoint, self.doc(operationId=endpoint)(obj), *args, **kw)

    def answers(self, status: int, schema: type[Schema] | Json, text: str, **doc: Any) -> Decorator:
        """Describe the good answer; the view returns it as a plain value."""
        described = self.alt_response(status, schema=schema, description=text, success=True, **doc)
        return cast(Decorator, described)

    def refuses(self, *statuses: int) -> Decorator:
        """Describe refusals besides those that every route may answer."""

        def decorate(view: View) -> View:
            for status in statuses:
                view = self.alt_response(status, response=problem_name(status))(view)
            return view

        return decorate

    def _describe(self, doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
        statuses = [401, 403, 503]
        if "requestBody" in doc or "requestBody" in doc_info.get("manual_doc", {}):
            statuses += [400, 413, 415, 422]
        elif doc.get("parameters"):
            statuses.append(422)
        responses = {int(status): text for status, text in doc.get("responses", {}).items()}
        responses |= {status: problem_name(status) for status in statuses}
        doc["responses"] = dict(sorted(responses.items()))
        doc["security"] = [{SECURITY: [self.scope]}]
        return doc


class StrictSchema(Schema):
    """What a program may send: an unknown key is refused by name."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "There is no such key."}  # noqa: RUF012 (marshmallow's own way)


class PageQuery(StrictSchema):
    """Where a page of a list begins and how long it is."""

    cursor = fields.String(metadata={"description": "The `next_cursor` of the page before."})
    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": "How many to return at the most."},
    )


def page_schema(name: str, item: type[Schema]) -> type[Schema]:
    """Return the schema of a page of a list, the newest first."""
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next_cursor": fields.String(
                required=True,
                allow_none=True,
                metadata={"description": "Ask for `?cursor=` this next; null on the last page."},
            ),
        },
        name=name,
    )


def problem_name(status: int) -> str:
    """Return the name of an error among the components of the description."""
    return f"Problem{status}"


def moment(text: str, *, nullable: bool = False) -> fields.Field[Any]:
    """Describe a moment."""
    return fields.String(
        required=True, allow_none=nullable, metadata={"format": "date-time", "description": text}
    )


def _refuse_without(scope: str) -> Response | None:
    """Let a request through that brings a good token; note which one it was."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        return _unauthorized("Send the header Authorization: Bearer <token>.", _REALM)
    token = tokens.identify(secret.strip(), now=datetime.now(UTC))
    if token is None:
        challenge = f'{_REALM}, error="invalid_token"'
        return _unauthorized("This token is unknown or was revoked.", challenge)
    if scope not in token.scopes:
        challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        detail = f"This token does not have the scope {scope}."
        return problems.problem(403, detail, headers={"WWW-Authenticate": challenge})
    g.api_token_id = token.id
    audit.act_as(f"token {token.id} ({token.name})", "api")
    return None


def _unauthorized(detail: str, challenge: str) -> Response:
    return problems.problem(401, detail, headers={"WWW-Authenticate": challenge})
