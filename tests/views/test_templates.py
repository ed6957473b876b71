"""Words on the pages: read-only until copied, shown as a mail, and never lost while typed."""

from __future__ import annotations

import re
from html import unescape

import lxml.html
import pytest
from flask import Flask
from lxml.html import FormElement
from sqlalchemy import func, select

from flexmail.db import db, transaction
from flexmail.models import EventTemplate, OutboxMail
from flexmail.services import event_templates, events
from flexmail.services.events import NewEvent
from flexmail.views.headers import HEADERS
from tests.conftest import NOW, Cast
from tests.services import stage
from tests.views.visitor import Visitor

PATH = "/templates/failed"
WORDS = {
    "subject": "Oh no: {{ title }}",
    "text": "{{ data.error }}\r\n\r\nSorry.",
    "html": '<p style="color:#a00">{{ data.error }}</p>',
}
ATTACK = "</textarea><script>alert(1)</script>"


@pytest.fixture
def told(app: Flask, cast: Cast) -> Flask:
    """Have mail set up, and one event of the type."""
    with app.app_context():
        stage.set_up()
        tell(title="Release 9", error=f"<b>{ATTACK}", items=3)
    return app


def tell(type_name: str = "failed", **data: object) -> None:
    events.send(NewEvent(type_name, data=data, recipients=("x@corp.test",)), now=NOW)


def typed(page: str) -> dict[str, str]:
    """Return what stands in the fields of the form."""
    form = form_of(page)
    return {name: str(form.fields[name]).lstrip("\r\n") for name in WORDS}


def form_of(page: str) -> FormElement:
    found: list[FormElement] = lxml.html.fromstring(page).xpath("//form[@data-follow]")
    return found[0]


def frame_of(page: str) -> str:
    (frame,) = lxml.html.fromstring(page).xpath("//iframe")
    assert frame.get("sandbox") == ""
    return str(frame.get("srcdoc"))


def stored(app: Flask) -> EventTemplate | None:
    with app.app_context():
        return db.session.get(EventTemplate, "failed")


def test_the_built_in_words_can_be_looked_at_and_copied_not_changed(
    app: Flask, ada: Visitor
) -> None:
    page = ada.get(PATH).text
    form = form_of(page)
    assert len(form.xpath(".//*[@readonly]")) == len(WORDS)
    assert ">Save<" not in page
    assert "Release 4.2 to production" in frame_of(page)
    copied = ada.get(f"{PATH}?edit=yes").text
    assert typed(copied) == typed(page)
    assert form_of(copied).xpath(".//*[@readonly]") == []
    assert ">Save<" in copied
    assert stored(app) is None


def test_words_are_saved_and_shown_in_the_list(app: Flask, ada: Visitor) -> None:
    assert "has these words" in ada.follow(ada.post(PATH, WORDS)).text
    row = stored(app)
    assert row is not None
    assert (row.subject, row.text) == (WORDS["subject"], "{{ data.error }}\n\nSorry.")
    assert re.search(r"failed</a></th>\s*<td[^>]*>\s*<span class=\"state good\">own", listed(ada))
    assert "Copy to edit" not in ada.get(PATH).text


def listed(visitor: Visitor) -> str:
    return visitor.get("/templates").text


@pytest.mark.parametrize(
    ("field", "words", "sentence"),
    [
        ("subject", "{{ titel }}", "There is no variable titel."),
        ("text", "{% for %}", "Line 1: "),
        ("html", "<script>alert(1)</script>", "A notification cannot hold <script>."),
        ("html", f"{{{{ x }}}}{ATTACK}", "There is no variable x."),
        ("subject", "", "It gives nothing."),
    ],
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/preview", f"{PATH}/sample"])
def test_what_will_not_do_is_said_beside_its_field_and_nothing_typed_is_lost(
    app: Flask, ada: Visitor, path: str, field: str, words: str, sentence: str
) -> None:
    given = {**WORDS, field: words}
    answer = ada.post(path, given | {"editing": "yes"})
    assert answer.status_code == 422
    page = lxml.html.fromstring(answer.text)
    (said,) = page.xpath(f"//*[@id='{field}-error']")
    assert sentence in said.text_content()
    assert sentence in unescape(answer.text.partition('id="preview"')[2])
    assert page.xpath("//iframe | //script[not(@src)]") == []
    shown = {name: value.replace("\n", "\r\n") for name, value in typed(answer.text).items()}
    assert shown == given
    assert stored(app) is None


def test_a_preview_shows_the_mail_as_typed_and_saves_nothing(told: Flask, ada: Visitor) -> None:
    answer = ada.post(f"{PATH}/preview", WORDS | {"which": "last", "editing": "yes"})
    assert answer.status_code == 200
    assert typed(answer.text)["subject"] == WORDS["subject"]
    preview = lxml.html.fromstring(answer.text).xpath("//*[@id='preview']")[0]
    assert "Oh no: Release 9" in preview.text_content()
    assert f"<b>{ATTACK}\n\nSorry." in preview.text_content()
    frame = lxml.html.document_fromstring(frame_of(answer.text))
    assert frame.xpath("//script | //textarea | //*[@style]") == []
    assert ATTACK in frame.text_content()
    assert stored(told) is None


def test_the_frame_is_styled_by_a_nonce_that_serves_once(ada: Visitor) -> None:
    nonces = set()
    for _ in range(2):
        answer = ada.post(f"{PATH}/preview", WORDS)
        policy = answer.headers["Content-Security-Policy"]
        found = re.search(r"style-src 'self' 'nonce-([\w-]{22})';", policy)
        assert found
        nonces.add(found[1])
        assert policy.replace(f" 'nonce-{found[1]}'", "") == HEADERS["Content-Security-Policy"]
        assert f'<style nonce="{found[1]}">' in frame_of(answer.text)
        rest = HEADERS.keys() - {"Content-Security-Policy"}
        assert {name: answer.headers[name] for name in rest} == {n: HEADERS[n] for n in rest}
    assert len(nonces) == 2


def test_what_the_last_event_told_stands_beside_the_words(told: Flask, ada: Visitor) -> None:
    page = ada.get(PATH).text
    assert '<code>data.items</code></dt><dd class="written">3</dd>' in page
    assert "<script>alert" not in page
    assert "What the last event told" not in ada.get("/templates/completed").text


def test_a_sample_goes_to_the_one_who_asks(told: Flask, ada: Visitor) -> None:
    answer = ada.post(f"{PATH}/sample", WORDS | {"to": "charlie@evil.test", "editing": "yes"})
    assert answer.status_code == 200
    assert "A sample is on its way to ada@corp.test." in answer.text
    assert typed(answer.text)["html"] == WORDS["html"]
    with told.app_context():
        newest = select(OutboxMail).order_by(OutboxMail.id.desc()).limit(1)
        mail = db.session.scalars(newest).one()
        assert mail.recipient == "ada@corp.test"
        assert mail.subject == "[Sample] Oh no: Release 4.2 to production"
    assert stored(told) is None


def test_without_a_mail_server_a_sample_is_refused_with_the_words_kept(
    app: Flask, ada: Visitor
) -> None:
    answer = ada.post(f"{PATH}/sample", WORDS | {"editing": "yes"})
    assert answer.status_code == 409
    assert "not set up" in answer.text
    assert typed(answer.text)["subject"] == WORDS["subject"]
    with app.app_context():
        assert db.session.scalar(select(func.count(OutboxMail.id))) == 0


def test_what_somebody_else_saved_meanwhile_is_not_overwritten_unseen(
    app: Flask, ada: Visitor
) -> None:
    form = form_of(ada.get(f"{PATH}?edit=yes").text)
    assert ada.post(PATH, WORDS).status_code == 303
    answer = ada.post(PATH, {**WORDS, "subject": "Mine", "seen": str(form.fields["seen"])})
    assert answer.status_code == 409
    assert "Somebody else changed these words" in answer.text
    assert typed(answer.text)["subject"] == "Mine"
    row = stored(app)
    assert row is not None
    assert row.subject == WORDS["subject"]


def test_the_built_in_words_come_back_after_a_confirmation(app: Flask, ada: Visitor) -> None:
    ada.post(PATH, WORDS)
    page = ada.get(f"{PATH}/reset").text
    assert "will be gone" in page
    assert stored(app) is not None
    assert "built-in words again" in ada.follow(ada.post(f"{PATH}/reset")).text
    assert stored(app) is None
    assert "will be gone" not in ada.get(f"{PATH}/reset").text


def test_words_that_fail_say_so_on_their_page_in_the_list_and_on_the_status_page(
    app: Flask, ada: Visitor
) -> None:
    ada.post(PATH, WORDS)
    with app.app_context(), transaction():
        row = db.session.get_one(EventTemplate, "failed")
        row.failed_at, row.failure = NOW, "text: It broke."
    for path in (PATH, "/templates"):
        page = ada.get(path).text
        assert "text: It broke." in page
        assert "2 Nov 2026, 09:00 UTC" in page
    assert "The words for mails about failed could not be used" in ada.get("/").text
    ada.post(PATH, WORDS)
    assert "It broke" not in ada.get(PATH).text


def test_a_type_of_ones_own_can_be_written_for_before_it_comes(app: Flask, ada: Visitor) -> None:
    answer = ada.get("/templates?type=invoice.sent")
    assert answer.headers["Location"] == "/templates/invoice.sent"
    assert "Invoice sent" in ada.follow(answer).text
    assert ada.post("/templates/invoice.sent", WORDS).status_code == 303
    assert "invoice.sent" in listed(ada)
    with app.app_context():
        assert event_templates.get("invoice.sent").own


@pytest.mark.parametrize(
    "path",
    ["/templates/Has%20Spaces", "/templates/*", "/templates?type=A", f"/templates/{'a' * 65}"],
)
def test_what_is_no_type_is_not_found(ada: Visitor, path: str) -> None:
    answer = ada.get(path)
    assert answer.status_code == 404
    assert "lower-case letters" in answer.text
