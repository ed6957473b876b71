"""Approvals: list, ask for one, look at one, decide it, cancel it."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectChoice, SelectField, SelectMultipleField, TextAreaField
from wtforms.validators import Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from flexmail.errors import Conflict, InvalidInput
from flexmail.models import FINAL_STATUSES
from flexmail.services import accounts, approval_requests, approvals, approvers
from flexmail.views import fields
from flexmail.views.access import signed_in, viewer

pages = Blueprint("approvals", __name__)

STATUSES = ("pending", *FINAL_STATUSES)
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


@pages.get("/approvals")
@signed_in
def index() -> ResponseReturnValue:
    """List the newest first; an approver sees the own ones."""
    status = request.args.get("status") or None
    if status and status not in STATUSES:
        raise InvalidInput({"status": [f"Give one of: {', '.join(STATUSES)}."]})
    page = approvals.listing(viewer=viewer(), status=status, cursor=request.args.get("cursor"))
    return render_template("approvals/index.html", page=page, status=status, statuses=STATUSES)


@pages.get("/approvals/new")
def new() -> ResponseReturnValue:
    """Ask what is to be approved."""
    return _new_page(NewApprovalForm(formdata=None))


@pages.post("/approvals/new")
def request_approval() -> ResponseReturnValue:
    """Make the request and queue its mail."""
    form = NewApprovalForm()
    if not form.validate():
        return _new_page(form), 422
    wanted = approval_requests.NewApproval(
        title=form.title.data,
        approvers=tuple(form.approvers.data or ()),
        details=form.details.data or "",
        link=form.link.data,
        expires_in=form.expires_in.data,
        comment_required=form.comment_required.data,
        mail_decision=form.mail_decision.data,
        submitter=g.person.email,
    )
    try:
        approval = approval_requests.request(wanted, now=datetime.now(UTC))
    except InvalidInput as error:
        fields.show(form, error)
        return _new_page(form), 422
    except Conflict as error:
        form.form_errors.append(str(error))
        return _new_page(form), 409
    flash("The request is made; its mail is on the way.", "good")
    return redirect(url_for(".show", approval_id=approval.id), 303)


@pages.get("/approvals/<row:approval_id>")
@signed_in
def show(approval_id: int) -> ResponseReturnValue:
    """Show one approval, with the form to decide it for whoever may."""
    return _page(approval_id, DecideForm(formdata=None))


@pages.post("/approvals/<row:approval_id>")
@signed_in
def decide(approval_id: int) -> ResponseReturnValue:
    """Take the verdict of the button."""
    form = DecideForm()
    if not form.validate():
        return _page(approval_id, form), 422
    try:
        approval = approvals.decide_on_page(
            approval_id,
            g.person.id,
            verdict=_verdict(request.form.get("verdict", "")),
            comment=form.comment.data or "",
            now=datetime.now(UTC),
        )
    except InvalidInput as error:
        fields.show(form, error)
        return _page(approval_id, form), 422
    except Conflict as error:
        form.form_errors.append(str(error))
        return _page(approval_id, form), 409
    flash(f"Your decision is taken: the request is {approval.status}.", "good")
    return redirect(url_for(".show", approval_id=approval_id), 303)


@pages.post("/approvals/<row:approval_id>/cancel")
def cancel(approval_id: int) -> ResponseReturnValue:
    """Take a request back."""
    try:
        approvals.cancel(approval_id, now=datetime.now(UTC))
    except Conflict as error:
        form = DecideForm(formdata=None)
        form.form_errors.append(str(error))
        return _page(approval_id, form), 409
    flash("The request is cancelled.", "good")
    return redirect(url_for(".show", approval_id=approval_id), 303)


def _verdict(button: str) -> approvals.Verdict:
    if button == "approve":
        return "approve"
    if button == "reject":
        return "reject"
    raise InvalidInput("Press Approve or Reject.")


def _new_page(form: NewApprovalForm) -> str:
    people = [user for user in accounts.everyone() if user.active]
    groups = sorted({group for user in people for group in user.group_names})
    form.approvers.choices = [
        *(
            SelectChoice(user.email, f"{user.name} ({user.email})" if user.name else user.email)
            for user in people
        ),
        *(SelectChoice(f"group:{group}", f"Group {group}") for group in groups),
    ]
    return render_template("approvals/new.html", form=form)


def _page(approval_id: int, form: DecideForm) -> str:
    person, now = viewer(), datetime.now(UTC)
    approval = approvals.get(approval_id, viewer=person)
    refusal = approvals.authorise(approval, person, channel="web", verdict=None, now=now)
    return render_template(
        "approvals/show.html",
        approval=approval,
        form=form,
        refusal=refusal,
        addressed=approvers.is_approver(approval, person),
        people=approvers.people(approval),
    )
