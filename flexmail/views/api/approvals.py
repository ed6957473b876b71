"""Approvals for programs: ask, look, wait, cancel. Deciding is for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flask import Response, g, jsonify, url_for
from marshmallow import fields, validate

from flexmail.errors import InvalidInput
from flexmail.services import approval_requests, approvals
from flexmail.services.approval_requests import NewApproval
from flexmail.services.approval_shape import approval_shape
from flexmail.services.shapes import Shape, page_shape
from flexmail.views.api import waiting
from flexmail.views.api.approval_schemas import (
    EXAMPLE,
    STATUSES,
    ApprovalSchema,
    NewApprovalSchema,
)
from flexmail.views.api.resource import (
    PageQuery,
    Resource,
    StrictSchema,
    page_schema,
)

resource = Resource(
    "approvals", scope="approvals", description="Ask people for a yes or no, and learn the answer."
)

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_RETRY_SECONDS = "5"
_ONE = "/approvals/<row:approval_id>"


class ListQuery(PageQuery):
    """Which approvals."""

    status = fields.String(
        validate=validate.OneOf(STATUSES), metadata={"description": "Only those with this status."}
    )


class WaitQuery(StrictSchema):
    """How long to wait."""

    wait = fields.Integer(
        load_default=0,
        validate=validate.Range(0),
        metadata={
            "description": "Seconds to wait for a final status; 25 at the most, more counts as 25."
        },
    )


class RepeatHeaders(StrictSchema):
    """What makes a repeat harmless."""

    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        metadata={
            "description": "1 to 255 printable ASCII characters. The same token, key and body"
            " answer the first approval again and send nothing."
        },
    )


@resource.route("/approvals", methods=["POST"])
@resource.arguments(NewApprovalSchema, example=EXAMPLE)
@resource.arguments(RepeatHeaders, location="headers")
@resource.answers(
    201,
    ApprovalSchema,
    "The approval; its mail is on the way.",
    headers={"Location": {"description": "Where it is.", "schema": {"type": "string"}}},
)
@resource.refuses(409)
def create_approval(body: dict[str, Any], headers: dict[str, str]) -> tuple[Response, int, Any]:
    """Ask for an approval

    Each approver gets one mail. 409: e-mail is not set up yet, or the Idempotency-Key was used
    for another body.
    """
    approval = approval_requests.request(
        NewApproval(**body | {"approvers": tuple(body["approvers"])}),
        now=datetime.now(UTC),
        token_id=g.api_token_id,
        idempotency_key=_checked(headers.get("idempotency_key")),
    )
    location = url_for(".get_approval", approval_id=approval.id)
    return jsonify(approval_shape(approval)), 201, {"Location": location}


@resource.route("/approvals", methods=["GET"])
@resource.arguments(ListQuery, location="query")
@resource.answers(200, page_schema("ApprovalPage", ApprovalSchema), "One page, the newest first.")
def list_approvals(query: dict[str, Any]) -> Shape:
    """List approvals"""
    return page_shape(approvals.listing(**query), approval_shape)


@resource.route(_ONE, methods=["GET"])
@resource.arguments(WaitQuery, location="query")
@resource.answers(200, ApprovalSchema, "The approval as it is now.")
@resource.refuses(404)
def get_approval(query: dict[str, int], approval_id: int) -> tuple[Shape, int, dict[str, str]]:
    """Look at an approval, or wait for it

    With `wait` the answer comes as soon as the status is final, or when the time is over: look at
    `status`. When too many clients wait already the answer comes at once, with Retry-After.
    """
    shape, waited = waiting.await_final(approval_id, query["wait"])
    return shape, 200, {} if waited else {"Retry-After": _RETRY_SECONDS}


@resource.route(f"{_ONE}/cancel", methods=["POST"])
@resource.answers(200, ApprovalSchema, "The approval, cancelled.")
@resource.refuses(404, 409)
def cancel_approval(approval_id: int) -> Shape:
    """Cancel an approval

    No body is needed. 409: its status is final already.
    """
    return approval_shape(approvals.cancel(approval_id, now=datetime.now(UTC)))


def _checked(key: str | None) -> str | None:
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidInput({"Idempotency-Key": ["Give 1 to 255 printable ASCII characters."]})
    return key
