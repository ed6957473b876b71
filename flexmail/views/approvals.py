"""Approvals: list, ask for one, look at one, decide it, cancel it."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectChoice

from flexmail.errors import Conflict, InvalidInput
from flexmail.models import FINAL_STATUSES
from flexmail.services import accounts, approval_requests, approvals, approvers, bounces, callbacks
from flexmail.services.cases import Case, Person, Verdict
from flexmail.views import fields
from flexmail.views.access import signed_in, viewer
from flexmail.views.approval_forms import DecideForm, NewApprovalForm

pages = Blueprint("approvals", __name__)

STATUSES = ("pending", *FINAL_STATUSES)


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
        callback_url=form.callback_url.data,
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


def _verdict(button: str) -> Verdict:
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
    case, viewing = Case.of(approval), Person.of(person)
    refusal = approvals.authorise(case, viewing, channel="web", verdict=None, now=now)
    return render_template(
        "approvals/show.html",
        approval=approval,
        form=form,
        refusal=refusal,
        addressed=case.is_for(viewing),
        people=approvers.people(approval),
        deliveries=bounces.deliveries(approval.id),
        callback=callbacks.of_approval(approval.id),
    )
