"""The words of notifications, for admins: look at them, copy and change them, try, go back."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from flask import (
    Blueprint,
    Response,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from wtforms import Field

from flexmail.errors import Conflict, InvalidInput
from flexmail.mail.compose import OutgoingContent
from flexmail.mail.event_template import FIELDS, VARIABLES
from flexmail.mail.preview import framed
from flexmail.services import event_templates, event_texts, event_types
from flexmail.services.event_templates import Words
from flexmail.views import fields
from flexmail.views.headers import policy_with
from flexmail.views.template_forms import WordsForm

pages = Blueprint("templates", __name__)


@pages.get("/templates")
def index() -> ResponseReturnValue:
    """List the types; `?type=` goes to one that may not be there yet."""
    if wanted := request.args.get("type", "").strip():
        return redirect(url_for(".show", type_name=event_templates.get(wanted).type), 303)
    return render_template(
        "templates/index.html",
        entries=event_templates.listing(),
        built_in=event_types.BUILT_IN,
    )


@pages.get("/templates/<type_name>")
def show(type_name: str) -> ResponseReturnValue:
    """Show the words and the mail that they make; `?edit=yes` opens a copy of ours."""
    words = event_templates.get(type_name)
    form = _filled(words, editing=bool(words.own) or "edit" in request.args)
    return _with_preview(words, form, status=200)


@pages.post("/templates/<type_name>")
def save(type_name: str) -> ResponseReturnValue:
    """Put the words in force."""
    words = event_templates.get(type_name)
    form = _typed(words)
    form.editing.data = "yes"
    try:
        event_templates.save(
            type_name, form.source, now=datetime.now(UTC), seen=request.form.get("seen")
        )
    except (InvalidInput, Conflict) as error:
        return _refused(words, form, error)
    flash(f"The next mail about {type_name} has these words.", "good")
    return redirect(url_for(".show", type_name=type_name), 303)


@pages.post("/templates/<type_name>/preview")
def preview(type_name: str) -> ResponseReturnValue:
    """Show the mail that the words make as they are typed; nothing is saved."""
    words = event_templates.get(type_name)
    return _with_preview(words, _typed(words), status=422)


@pages.post("/templates/<type_name>/sample")
def send_sample(type_name: str) -> ResponseReturnValue:
    """Send the mail that the words make as they are typed to whoever asks; nothing is saved."""
    words = event_templates.get(type_name)
    form = _typed(words)
    try:
        event_templates.send_sample(
            type_name, form.source, form.which.data, g.person.email, now=datetime.now(UTC)
        )
    except (InvalidInput, Conflict) as error:
        return _refused(words, form, error)
    flash(f"A sample is on its way to {g.person.email}. Nothing was saved.", "good")
    return _with_preview(words, form, status=422)


@pages.get("/templates/<type_name>/reset")
def confirm_reset(type_name: str) -> ResponseReturnValue:
    """Ask once more, since the words are gone afterwards."""
    return render_template("templates/reset.html", words=event_templates.get(type_name))


@pages.post("/templates/<type_name>/reset")
def reset(type_name: str) -> ResponseReturnValue:
    """Go back to the words that came with flexmail."""
    event_templates.reset(type_name)
    flash(f"Mails about {type_name} have the built-in words again.", "good")
    return redirect(url_for(".show", type_name=type_name), 303)


def _typed(words: Words) -> WordsForm:
    form = WordsForm()
    if not words.last or form.which.data != event_templates.LAST:
        form.which.data = event_templates.SAMPLE
    return form


def _filled(words: Words, *, editing: bool) -> WordsForm:
    has_sample = words.type in event_types.BUILT_IN or not words.last
    values = {name: getattr(words.source, name) for name in FIELDS} | {
        "which": event_templates.SAMPLE if has_sample else event_templates.LAST,
        "seen": event_templates.version(words.own),
        "editing": "yes" if editing else "",
    }
    return WordsForm(formdata=None, data=values)


def _refused(words: Words, form: WordsForm, error: InvalidInput | Conflict) -> Response:
    """Show what was typed with what is wrong; in doubt the mail that it makes is not shown."""
    if isinstance(error, InvalidInput):
        fields.show(form, error)
        return _page(words, form, refused=True, status=422)
    form.form_errors.append(str(error))
    return _page(words, form, refused=True, status=409)


def _with_preview(words: Words, form: WordsForm, *, status: int) -> Response:
    """Show the words with their mail; `status` is for words that make none."""
    now = datetime.now(UTC)
    try:
        mail = event_templates.preview(words.type, form.source, form.which.data, now=now)
    except InvalidInput as error:
        fields.show(form, error)
        return _page(words, form, status=status)
    return _page(words, form, mail=mail)


def _page(
    words: Words,
    form: WordsForm,
    *,
    mail: OutgoingContent | None = None,
    refused: bool = False,
    status: int = 200,
) -> Response:
    if not form.editing.data:
        typed: list[Field] = [form[name] for name in FIELDS]
        for field in typed:
            field.render_kw = field.render_kw | {"readonly": True}
    nonce = secrets.token_urlsafe(16)
    page = render_template(
        "templates/show.html",
        words=words,
        form=form,
        mail=mail,
        framed=framed(mail.html, nonce) if mail else "",
        nonce=nonce,
        refused=refused,
        variables=VARIABLES,
        told=event_texts.told(words.last.data) if words.last else [],
    )
    answer = make_response(page, status)
    answer.headers["Content-Security-Policy"] = policy_with(nonce)
    return answer
