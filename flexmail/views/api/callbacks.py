"""Callbacks, for programs: which wait, which were taken, which failed."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from flexmail.models import CALLBACK_STATES
from flexmail.services import callbacks
from flexmail.services.shapes import Shape, callback_shape, page_shape
from flexmail.views.api.approval_schemas import CallbackStateSchema
from flexmail.views.api.resource import PageQuery, Resource, moment, page_schema

resource = Resource(
    "callbacks", scope="mail", description="What programs were told of final approvals."
)


class ListQuery(PageQuery):
    """Which callbacks."""

    state = fields.String(
        validate=validate.OneOf(CALLBACK_STATES),
        metadata={"description": "Only those in this state."},
    )


class CallbackSchema(CallbackStateSchema):
    """One callback."""

    id = fields.Integer(required=True)
    approval_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Null where it tells of trouble with flexmail's own mail."},
    )
    url = fields.String(required=True)
    created_at = moment("When the approval became final, or when it was queued once more.")


@resource.route("/callbacks", methods=["GET"])
@resource.arguments(ListQuery, location="query")
@resource.answers(200, page_schema("CallbackPage", CallbackSchema), "One page, the newest first.")
def list_callbacks(query: dict[str, Any]) -> Shape:
    """List callbacks"""
    return page_shape(callbacks.listing(**query), callback_shape)
