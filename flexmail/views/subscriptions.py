"""Subscriptions, for admins: who hears of which events, and who would hear of one."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import Form

from flexmail.errors import InvalidInput
from flexmail.models import Subscription
from flexmail.services import event_log, event_types, subscriptions
from flexmail.views import fields

pages = Blueprint("subscriptions", __name__)

_TYPES = {"list": "types", "autocomplete": "off", "spellcheck": "false"}
_SCOPE = {"autocomplete": "off", "spellcheck": "false"}


class SubscriptionForm(FlaskForm):
    """A subscription that is not there yet."""

    type = fields.text(
        "Type", "Of the event, such as failed; * stands for anything.", required=True, **_TYPES
    )
    scope = fields.text(
        "Scope",
        "A path such as billing/prod: it and all below it. Empty is everywhere.",
        **_SCOPE,
    )
    recipient = fields.text(
        "Recipient",
        "An address, with an account or without, or group:NAME.",
        required=True,
        autocomplete="off",
    )


class HearersForm(Form):
    """An event that has not come yet; asking changes nothing."""

    type = fields.text("Type", "Of the event.", required=True, id="asked-type", **_TYPES)
    scope = fields.text("Scope", "Where it happens.", id="asked-scope", **_SCOPE)


@pages.get("/subscriptions")
def index() -> ResponseReturnValue:
    """List the newest first, all or those of one recipient; tell who would hear of an event."""
    form = HearersForm(request.args)
    hearers, status = None, 200
    if "type" in request.args:
        try:
            hearers = subscriptions.hearers(form.type.data, form.scope.data)
        except InvalidInput as error:
            fields.show(form, error)
            status = 422
    return _page(asked=form, hearers=hearers), status


@pages.post("/subscriptions")
def add() -> ResponseReturnValue:
    """Subscribe somebody; a repeat changes nothing and says so."""
    form = SubscriptionForm()
    try:
        row, fresh = subscriptions.add(
            form.type.data, form.scope.data, form.recipient.data, now=datetime.now(UTC)
        )
    except InvalidInput as error:
        fields.show(form, error)
        return _page(form=form), 422
    what = _in_words(row)
    flash(f"{what} from now on." if fresh else f"{what} already.", "good")
    if why := subscriptions.unheard([row.recipient]).get(row.recipient):
        flash(f"No mail goes to {row.recipient} as long as it is so: {why}.", "warning")
    return redirect(url_for(".index"), 303)


@pages.post("/subscriptions/<row:subscription_id>/remove")
def remove(subscription_id: int) -> ResponseReturnValue:
    """End a subscription."""
    flash(f"{_in_words(subscriptions.remove(subscription_id))} no more.", "good")
    return redirect(url_for(".index"), 303)


def _in_words(row: Subscription) -> str:
    return f"{row.recipient} hears of {row.type} {f'at {row.scope}' if row.scope else 'everywhere'}"


def _page(
    *,
    form: SubscriptionForm | None = None,
    asked: HearersForm | None = None,
    hearers: subscriptions.Hearers | None = None,
) -> str:
    recipient = request.args.get("recipient", "").strip()
    page = subscriptions.listing(to=recipient, cursor=request.args.get("cursor"))
    return render_template(
        "subscriptions/index.html",
        page=page,
        recipient=recipient,
        unheard=subscriptions.unheard(row.recipient for row in page.items),
        form=form or SubscriptionForm(formdata=None),
        asked=asked or HearersForm(),
        hearers=hearers,
        types=sorted({*event_types.BUILT_IN, *event_log.types_seen()}),
    )
