"""The forms of approvals: what is to be approved and by whom, and the verdict on it."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectChoice, SelectField, SelectMultipleField, TextAreaField
from wtforms.validators import Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from flexmail.views import fields

_HOUR = 3600
_DAY = 24 * _HOUR
_EXPIRIES = [
    SelectChoice(_HOUR, "an hour"),
    SelectChoice(8 * _HOUR, "8 hours"),
    SelectChoice(_DAY, "a day"),
    *(SelectChoice(days * _DAY, f"{days} days") for days in (3, 7, 14, 30)),
]


class NewApprovalForm(FlaskForm):
    """What is to be approved, and by whom."""

    title = fields.text("Title", "One line; it is the subject of the mail.", required=True)
    details = TextAreaField(
        "Details", description="What approvers need to know.", default="", render_kw={"rows": 5}
    )
    link = fields.text("Link", "Where to read more: https://… May be empty.", type="url")
    approvers = SelectMultipleField(
        "Approvers",
        description="The first decision of any of them ends the request.",
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    expires_in = SelectField(
        "Expires after",
        choices=_EXPIRIES,
        coerce=int,
        default=7 * _DAY,
        description="An answer that comes later decides nothing.",
    )
    mail_decision = SelectField(
        "By mail",
        choices=[
            SelectChoice("allow", "approve or reject"),
            SelectChoice("reject_only", "reject only"),
        ],
        default="allow",
        description="The second choice keeps approving to the page.",
    )
    callback_url = fields.text(
        "Callback URL",
        "Where a program is told of the decision: https://… May be empty.",
        type="url",
    )
    comment_required = BooleanField(
        "Rejecting needs a comment", description="A bare reject is then sent back as unclear."
    )


class DecideForm(FlaskForm):
    """A verdict is the button; the comment may be empty."""

    comment = TextAreaField(
        "Comment",
        [Length(max=10_000, message="Give at most 10,000 characters.")],
        description="Stands beside your decision.",
        default="",
        render_kw={"rows": 3},
    )

    def validate_comment(self, field: TextAreaField) -> None:
        """Refuse what is no text."""
        if any(ord(character) < 32 and character not in "\t\r\n" for character in field.data):
            raise ValidationError("Give text without control characters.")
