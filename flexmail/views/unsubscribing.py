"""The page behind the link in every notification: works without a login, and never by GET.

The link is proof enough, so its POST needs no cookie and no token against forgery: mail programs
send it by themselves (RFC 8058). It is told to no search engine and to no other site.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, render_template, request

from flexmail.services import event_types, unsubscribing
from flexmail.views.access import proven_by_address, public

pages = Blueprint("unsubscribing", __name__)


@pages.get("/unsubscribe/<token>")
@public
def show(token: str) -> str:
    """Say whose mail about what can be stopped, with the button that does it."""
    return _page(token)


@pages.post("/unsubscribe/<token>")
@public
@proven_by_address
def switch(token: str) -> str:
    """Stop it, or have it come again; doing it twice changes nothing."""
    on = request.form.get("switch") == "on"
    address, type_name = unsubscribing.opened(token)
    unsubscribing.switch(address, type_name, on=on, now=datetime.now(UTC))
    return _page(token, done=True)


@pages.after_request
def keep_to_ourselves(response: Response) -> Response:
    """Tell nobody else of the address of this page."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _page(token: str, *, done: bool = False) -> str:
    address, type_name = unsubscribing.opened(token)
    everything = type_name == unsubscribing.EVERYTHING
    off = unsubscribing.is_off(address, type_name)
    return render_template(
        "unsubscribing/show.html",
        address=address,
        label="" if everything else event_types.of(type_name).label,
        off=off,
        all_off=not off and unsubscribing.is_off(address, unsubscribing.EVERYTHING),
        done=done,
    )
