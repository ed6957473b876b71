"""Mail that goes out, for programs: what waits, what went, what failed."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from flexmail.mail.address import MAX_ADDRESS
from flexmail.models import MAIL_KINDS, MAIL_STATES
from flexmail.services import outbox_log
from flexmail.services.shapes import Shape, mail_shape, page_shape
from flexmail.views.api.resource import PageQuery, Resource, moment, page_schema

resource = Resource("outbox", scope="mail", description="Mail that waits, went out or failed.")


class ListQuery(PageQuery):
    """Which mails."""

    state = fields.String(
        validate=validate.OneOf(MAIL_STATES), metadata={"description": "Only those in this state."}
    )
    kind = fields.String(
        validate=validate.OneOf(MAIL_KINDS), metadata={"description": "Only those of this kind."}
    )
    recipient = fields.String(
        validate=validate.Length(max=MAX_ADDRESS),
        metadata={"description": "Only those to this address."},
    )


class MailSchema(Schema):
    """One mail to one recipient."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(MAIL_KINDS))
    recipient = fields.String(required=True)
    subject = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(MAIL_STATES))
    attempts = fields.Integer(required=True)
    retry_at = moment("When it is tried next.", nullable=True)
    status_code = fields.String(
        required=True,
        metadata={"description": "Why it failed, as RFC 3463 counts, such as 5.1.1; or empty."},
    )
    answer = fields.String(
        required=True,
        metadata={"description": "What the mail server said last, or what the bounce says."},
    )
    meaning = fields.String(
        required=True,
        metadata={"description": "What that means and what to do, where the mail has not gone."},
    )
    created_at = moment("When it was queued.")
    sent_at = moment("When the mail server took it.", nullable=True)
    bounced_at = moment("When a report came that it did not arrive.", nullable=True)
    approval_id = fields.Integer(required=True, allow_none=True)
    event_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The event that it tells of."}
    )
    encrypted = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "Whether the connection was encrypted; null until it is sent."},
    )


@resource.route("/outbox", methods=["GET"])
@resource.arguments(ListQuery, location="query")
@resource.answers(200, page_schema("OutboxPage", MailSchema), "One page, the newest first.")
def list_outbox(query: dict[str, Any]) -> Shape:
    """List outgoing mail"""
    return page_shape(outbox_log.listing(**query), mail_shape)
