"""How flexmail is doing, for programs that watch it."""

from __future__ import annotations

from datetime import UTC, datetime

from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from flexmail.services import status, troubles
from flexmail.services.shapes import Shape
from flexmail.views.api.resource import Resource, moment

resource = Resource("status", scope="status", description="How flexmail is doing.")


class LastRunSchema(Schema):
    """The last run of the reply job that reached its end."""

    at = moment("When it began.")
    looked_at = fields.Integer(required=True, metadata={"description": "Mails settled."})
    left = fields.Integer(required=True, metadata={"description": "Mails still in the folder."})
    by_outcome = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    seconds = fields.Float(required=True)


class TroubleSchema(Schema):
    """Whether something fails."""

    failing_since = moment("Since when it fails; null when it works.", nullable=True)
    error = fields.String(required=True, metadata={"description": "Why, and what to change."})


class TrustSchema(Schema):
    """Whether replies may be judged by what the mail server says of their senders."""

    state = fields.String(
        required=True,
        validate=OneOf(("not_needed", "waiting", "passed", "refused")),
        metadata={"description": "Only with `not_needed` and `passed` are replies processed."},
    )
    reason = fields.String(required=True, metadata={"description": "Why, and what to change."})


class ReplyProcessingSchema(TroubleSchema):
    """The reply job."""

    enabled = fields.Boolean(required=True)
    interval_minutes = fields.Integer(required=True)
    next_run_at = moment("When it runs next; null while it is off.", nullable=True)
    last_run = fields.Nested(LastRunSchema, required=True, allow_none=True)
    waiting = fields.Integer(
        required=True, metadata={"description": "Mails that the last run left in the folder."}
    )
    held = fields.Integer(
        required=True,
        metadata={
            "description": "Mails that were there before flexmail, untouched until confirmed."
        },
    )
    owner = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "host:pid of the process that runs the jobs."},
    )
    trust = fields.Nested(TrustSchema, required=True)


class OutboxSchema(TroubleSchema):
    """How many mails are in each state."""

    queued = fields.Integer(required=True)
    sending = fields.Integer(required=True)
    cancelled = fields.Integer(required=True)
    sent = fields.Integer(required=True)
    failed = fields.Integer(required=True)


class CallbacksSchema(Schema):
    """How many callbacks are in each state; a failed one is tried no more."""

    queued = fields.Integer(required=True)
    sending = fields.Integer(required=True)
    sent = fields.Integer(required=True)
    failed = fields.Integer(required=True)


class OpenApprovalsSchema(Schema):
    """How many approvals are open."""

    pending = fields.Integer(required=True)


class InstallationSchema(Schema):
    """Whether this flexmail may read and send, or the database belongs to another one."""

    ours = fields.Boolean(required=True)
    reason = fields.String(required=True, metadata={"description": "Why not, and what to do."})


class OwnTroubleSchema(Schema):
    """Something that is wrong with flexmail's own mail, and was told as such."""

    kind = fields.String(required=True, validate=OneOf(troubles.KINDS))
    since = moment("When it was noticed.")
    text = fields.String(required=True, metadata={"description": "What it is, for people."})


class StatusSchema(Schema):
    """The state of every part."""

    reply_processing = fields.Nested(ReplyProcessingSchema, required=True)
    outbox = fields.Nested(OutboxSchema, required=True)
    callbacks = fields.Nested(CallbacksSchema, required=True)
    approvals = fields.Nested(OpenApprovalsSchema, required=True)
    installation = fields.Nested(InstallationSchema, required=True)
    troubles = fields.List(fields.Nested(OwnTroubleSchema), required=True)
    warnings = fields.List(
        fields.String(), required=True, metadata={"description": "What an admin should mend."}
    )


@resource.route("/status", methods=["GET"])
@resource.answers(200, StatusSchema, "The state of every part.")
def get_status() -> Shape:
    """Look at the state"""
    return status.overview(now=datetime.now(UTC))
