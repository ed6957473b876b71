"""What became of each mail from the reply folder, for programs."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from flexmail.models import OUTCOMES
from flexmail.services import reply_log
from flexmail.services.shapes import Shape, page_shape, reply_shape
from flexmail.views.api.resource import PageQuery, Resource, moment, page_schema

resource = Resource(
    "replies", scope="mail", description="What became of each mail that was processed, and why."
)


class ListQuery(PageQuery):
    """Which mails."""

    outcome = fields.String(
        validate=validate.OneOf(OUTCOMES),
        metadata={"description": "Only those with this outcome."},
    )


class ReplySchema(Schema):
    """One processed mail."""

    id = fields.Integer(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    reason = fields.String(required=True)
    approval_id = fields.Integer(required=True, allow_none=True)
    sender = fields.String(
        required=True,
        data_key="from",
        metadata={"description": "The From line as it came; it proves nothing by itself."},
    )
    subject = fields.String(required=True)
    message_id = fields.String(required=True)
    processed_at = moment("When it was settled.", nullable=True)
    first_seen_at = moment("When it was first read from the folder.")
    size_bytes = fields.Integer(required=True)
    raw_partial = fields.Boolean(
        required=True, metadata={"description": "Whether only its first part was fetched."}
    )
    restored_at = moment("When it was put back into the folder.", nullable=True)


@resource.route("/replies", methods=["GET"])
@resource.arguments(ListQuery, location="query")
@resource.answers(200, page_schema("ReplyPage", ReplySchema), "One page, the newest first.")
def list_replies(query: dict[str, Any]) -> Shape:
    """List processed mail"""
    return page_shape(reply_log.listing(**query), reply_shape)
