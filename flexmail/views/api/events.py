"""Events for programs: tell what happened; who wants to know gets a mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from flexmail.services import events
from flexmail.services.event_types import MAX_SCOPE
from flexmail.services.events import NewEvent
from flexmail.services.new_event import (
    MAX_DATA_BYTES,
    MAX_DATA_DEPTH,
    MAX_RECIPIENTS,
    MAX_SUBJECT_CHARACTERS,
)
from flexmail.services.shapes import Shape, event_shape
from flexmail.views.api.resource import Resource, StrictSchema

resource = Resource("events", scope="events", description="Tell people what happened.")

_EXAMPLE = {
    "type": "failed",
    "scope": "billing/prod",
    "data": {
        "title": "Release 4.2 to production",
        "submitter": "ada@example.com",
        "error": "The database did not start within 60 s.",
        "link": "https://builds.example.com/4711",
    },
}


class NewEventSchema(StrictSchema):
    """What happened."""

    type = fields.String(
        required=True,
        metadata={
            "description": "approval_pending, scheduled, approval_rejected, deploying, completed,"
            " failed, or a name of your own: lower-case letters, digits, dots, dashes, underscores."
        },
    )
    scope = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_SCOPE),
        metadata={
            "description": "Where it happened, as a path such as billing/prod; whoever subscribed"
            " to billing hears of it too."
        },
    )
    subject = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_SUBJECT_CHARACTERS),
        metadata={"description": "One line; without it data.title."},
    )
    data = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata={
            "description": f"What the mail may tell: JSON of at most {MAX_DATA_BYTES} bytes, nested"
            f" at most {MAX_DATA_DEPTH} deep. title, details, link, submitter, approvers, version,"
            " error, reason, by, at and took have a place in the words that come with flexmail."
        },
    )
    recipients = fields.List(
        fields.String(),
        load_default=list,
        validate=validate.Length(max=MAX_RECIPIENTS),
        metadata={
            "description": "Addresses or group:NAME, besides whom the type is about and who"
            " subscribed."
        },
    )


class SkipSchema(Schema):
    """Somebody who gets no mail."""

    recipient = fields.String(required=True)
    reason = fields.String(required=True)


class EventSchema(Schema):
    """What became of an event."""

    id = fields.Integer(required=True)
    queued = fields.Integer(
        required=True, metadata={"description": "How many get a mail, now or in a summary."}
    )
    skipped = fields.List(fields.Nested(SkipSchema), required=True)


@resource.route("/events", methods=["POST"])
@resource.arguments(NewEventSchema, example=_EXAMPLE)
@resource.answers(202, EventSchema, "The event; its mails are on the way.")
@resource.refuses(409, 429)
def send_event(body: dict[str, Any]) -> tuple[Shape, int]:
    """Tell of an event

    409: e-mail is not set up yet. 429: the token told too many events in this hour.
    """
    told = NewEvent(**body | {"recipients": tuple(body["recipients"])})
    report = events.send(told, now=datetime.now(UTC), token_id=g.api_token_id)
    return event_shape(report), 202
