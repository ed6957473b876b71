"""How an approval looks going in and coming out; what it may hold is decided by the service."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from flexmail.models import CALLBACK_STATES, FINAL_STATUSES, MAIL_STATES
from flexmail.services import new_approval as rules
from flexmail.views.api.resource import StrictSchema, moment

STATUSES = ("pending", *FINAL_STATUSES)
MAIL_DECISIONS = ("allow", "reject_only")
EXAMPLE = {
    "title": "Deploy shop 4.2 to production",
    "details": "42 commits, all tests green.",
    "approvers": ["bob@example.com", "group:ops"],
    "expires_in": 86400,
    "link": "https://ci.example.com/build/42",
    "context": {"build": 42},
}


class Truth(fields.Boolean):
    """JSON's true and false, and nothing that looks like them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise ValidationError("Give true or false.")
        return value


class NewApprovalSchema(StrictSchema):
    """What is asked of whom."""

    title = fields.String(
        required=True,
        metadata={
            "description": "One line, the subject of the mail.",
            "minLength": 1,
            "maxLength": rules.MAX_TITLE_CHARACTERS,
        },
    )
    details = fields.String(
        metadata={
            "description": "Text that the mail shows below the title.",
            "maxLength": rules.MAX_DETAILS_CHARACTERS,
        }
    )
    approvers = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Addresses of accounts, or `group:NAME`; any one of them decides.",
            "minItems": 1,
            "maxItems": rules.MAX_APPROVERS,
        },
    )
    rule = fields.String(
        metadata={
            "description": "`any`: the first decision ends the request.",
            "enum": ["any"],
            "default": "any",
        }
    )
    expires_in = fields.Integer(
        strict=True,
        metadata={
            "description": "Seconds until it expires; without it 7 days.",
            "minimum": rules.MIN_EXPIRY_SECONDS,
            "maximum": rules.MAX_EXPIRY_SECONDS,
        },
    )
    link = fields.String(
        metadata={"description": "Where to read more; https or http.", "maxLength": 2000}
    )
    context = fields.Dict(
        keys=fields.String(),
        metadata={"description": "Anything of yours; it comes back with the approval."},
    )
    submitter = fields.String(
        metadata={"description": "Who wants this, as the mail shows it.", "maxLength": 254}
    )
    comment_required = Truth(
        metadata={"description": "A rejection needs a comment.", "default": False}
    )
    mail_decision = fields.String(
        metadata={
            "description": "With reject_only, mail may reject, and the page alone approves.",
            "enum": list(MAIL_DECISIONS),
            "default": "allow",
        },
    )
    callback_url = fields.String(
        metadata={
            "description": "Where the final approval is sent, signed as Standard Webhooks say;"
            " https, or a host and port that the operator lists.",
            "maxLength": rules.MAX_URL,
        }
    )


class DecisionSchema(Schema):
    """What one approver said."""

    by = fields.String(required=True, metadata={"description": "The account's address."})
    verdict = fields.String(required=True, validate=validate.OneOf(("approve", "reject")))
    comment = fields.String(required=True)
    channel = fields.String(required=True, validate=validate.OneOf(("email", "web")))
    at = moment("When it was taken.")


class DeliverySchema(Schema):
    """How the mail to one approver fares."""

    to = fields.String(required=True, metadata={"description": "The address it goes to."})
    state = fields.String(required=True, validate=validate.OneOf(MAIL_STATES))
    status_code = fields.String(
        required=True,
        metadata={"description": "Why it failed, as RFC 3463 counts, such as 5.1.1; or empty."},
    )
    answer = fields.String(
        required=True,
        metadata={"description": "What a mail server said last, or what the bounce says."},
    )
    at = moment("When it bounced; else when the mail server took it; else when it was made.")


class CallbackStateSchema(Schema):
    """How a callback fares."""

    webhook_id = fields.String(
        required=True, metadata={"description": "The same on every try: the header `webhook-id`."}
    )
    state = fields.String(required=True, validate=validate.OneOf(CALLBACK_STATES))
    attempts = fields.Integer(required=True)
    retry_at = moment("When it is tried next.", nullable=True)
    answer = fields.String(
        required=True, metadata={"description": "What the program said last, or what went wrong."}
    )
    sent_at = moment("When the program took it.", nullable=True)


class ApprovalSchema(Schema):
    """A request for a yes or no; its status is final once it left pending."""

    id = fields.Integer(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    title = fields.String(required=True)
    details = fields.String(required=True)
    link = fields.String(required=True)
    context = fields.Dict(keys=fields.String(), required=True)
    submitter = fields.String(required=True)
    rule = fields.String(
        required=True, metadata={"description": "any: the first decision ends the request."}
    )
    comment_required = fields.Boolean(required=True)
    mail_decision = fields.String(required=True, validate=validate.OneOf(MAIL_DECISIONS))
    approvers = fields.List(fields.String(), required=True)
    decisions = fields.List(fields.Nested(DecisionSchema), required=True)
    deliveries = fields.List(
        fields.Nested(DeliverySchema),
        required=True,
        metadata={"description": "The mails that ask for it, one an approver."},
    )
    callback_url = fields.String(
        required=True, metadata={"description": "Where it is sent once it is final, or empty."}
    )
    callback = fields.Nested(
        CallbackStateSchema,
        required=True,
        allow_none=True,
        metadata={"description": "How that fares; null until it is final, and in what is sent."},
    )
    created_at = moment("When it was asked.")
    expires_at = moment("When it expires unless it is decided.")
    decided_at = moment("When its status became final.", nullable=True)
