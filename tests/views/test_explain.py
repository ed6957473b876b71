"""The page that explains a mail: pasted, from a file, or from the kept copy of a processed one."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from flexmail.db import db, transaction
from flexmail.models import Reply
from flexmail.services import explaining
from flexmail.services.apart import Apart
from tests.conftest import Cast
from tests.services import stage
from tests.views.filled import fill_database
from tests.views.settings_form import Shown
from tests.views.test_access import contents
from tests.views.test_lists import ATTACK
from tests.views.visitor import Visitor

PATH = "/replies/explain"


@pytest.fixture
def filled(app: Flask, cast: Cast) -> Flask:
    with app.app_context():
        fill_database()
    return app


@pytest.fixture
def asked(filled: Flask) -> stage.Asked:
    with filled.app_context():
        return stage.ask(now=datetime.now(UTC), title="Ship it")


def send(visitor: Visitor, mail: str, raw: bytes | None = None) -> TestResponse:
    """Send the form as a browser does, with a file or an empty choice of one."""
    file = FileStorage(BytesIO(raw or b""), "mail.eml" if raw is not None else "")
    fields = {"csrf_token": visitor.token(), "mail": mail, "file": file}
    boundary, body = encode_multipart(fields)
    kind = f"multipart/form-data; boundary={boundary}"
    return visitor.client.post(PATH, data=body, content_type=kind)


def upload(visitor: Visitor, raw: bytes, pasted: str = "") -> TestResponse:
    return send(visitor, pasted, raw)


def rules(answer: TestResponse) -> dict[str, str]:
    """Return mark by rule, in the order of the page."""
    page = Shown(answer.text).page
    return {
        item.xpath("string(.//strong)"): item.xpath("string(.//span[contains(@class, 'state')])")
        for item in page.xpath("//ol[@class='rules']/li")
    }


def outcome(answer: TestResponse) -> str:
    (heading,) = Shown(answer.text).page.xpath("//h2[@id='outcome']")
    return Shown.words(heading)


def typed(answer: TestResponse) -> str:
    (area,) = Shown(answer.text).page.xpath("//textarea")
    return str(area.text or "").strip()


def test_a_pasted_mail_is_explained_and_stays_in_its_field(
    filled: Flask, ada: Visitor, asked: stage.Asked
) -> None:
    mail = stage.reply(asked, "Approve\r\nLooks good.").decode()
    before = contents(filled)
    answer = send(ada, mail)
    assert contents(filled) == before
    assert answer.status_code == 200
    assert outcome(answer) == "approved bob@corp.test approved the request."
    found = rules(answer)
    assert list(found)[:3] == ["Reading", "Size", "Own mail"]
    assert set(found.values()) == {"holds"}
    page = Shown(answer.text).page
    assert page.xpath("string(//pre[contains(@class, 'own')])") == "Approve\nLooks good."
    assert "Ship it" in page.xpath("string(//pre[contains(@class, 'rest')])")
    assert "Your answer was counted" in answer.text
    assert typed(answer) == mail.replace("\r\n", "\n").strip()


def test_a_file_is_explained_and_counts_before_what_is_pasted(
    ada: Visitor, asked: stage.Asked
) -> None:
    answer = upload(ada, stage.reply(asked, "Reject\r\nNot today."), pasted="From: x\r\n\r\nHm")
    assert answer.status_code == 200
    assert outcome(answer).startswith("rejected")
    assert typed(answer) == ""
    assert not stage.REFERENCE.search(answer.text)


def test_marks_say_what_holds_what_fails_and_what_was_not_reached(ada: Visitor) -> None:
    found = rules(upload(ada, stage.reply(None)))
    assert found["Reference"] == "fails"
    assert found["Sender"] == "not reached"
    assert found["From"] == "holds"


def test_a_mail_of_many_megabytes_is_read_in_part(ada: Visitor, asked: stage.Asked) -> None:
    raw = stage.reply(asked, "Approve\r\n\r\n" + "> x\r\n" * 1_000_000)
    answer = upload(ada, raw)
    assert answer.status_code == 200
    assert outcome(answer).startswith("approved")
    assert "Its first 1,048,576 bytes are read" in answer.text


def test_as_much_can_be_pasted_as_is_read(ada: Visitor, asked: stage.Asked) -> None:
    mail = stage.reply(asked, "Approve\r\n\r\n" + "> x\r\n" * 190_000).decode()
    assert 900_000 < len(mail) < 1 << 20
    answer = send(ada, mail)
    assert outcome(answer).startswith("approved")


@pytest.mark.parametrize("pasted", ["", " \r\n\r\n"])
def test_without_a_mail_the_page_says_what_to_give(pasted: str, ada: Visitor) -> None:
    answer = send(ada, pasted)
    assert answer.status_code == 422
    page = Shown(answer.text)
    assert "Paste a mail or choose a file." in page.notices("bad")[0]
    (area,) = page.page.xpath("//textarea")
    assert area.get("aria-invalid") == "true"
    assert "mail-error" in area.get("aria-describedby")


def test_an_empty_file_is_named_as_such(ada: Visitor) -> None:
    answer = upload(ada, b"\r\n")
    assert answer.status_code == 422
    assert "The file is empty." in answer.text


def test_what_is_no_mail_is_explained_as_malformed(ada: Visitor) -> None:
    for raw in (b"\x00\xff" * 1000, b"Approve", "Genehmigt, ja! \N{SNOWMAN}".encode()):
        answer = upload(ada, raw)
        assert answer.status_code == 200
        assert outcome(answer).startswith("malformed")


def test_a_kept_copy_is_explained_from_its_page(filled: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/replies/2").text)
    (form,) = [one for one in page.page.forms if "explain" in (one.action or "")]
    token = ada.token()
    before = contents(filled)
    answer = ada.client.post(str(form.action), data={"csrf_token": token})
    assert contents(filled) == before
    assert answer.status_code == 200
    assert outcome(answer).startswith("unclear")
    assert "was processed" in answer.text
    assert "ended as unclear" in answer.text
    assert typed(answer) == ""
    assert not stage.REFERENCE.search(answer.text)
    assert "&lt;fm-" not in answer.text.lower().replace("fm-…", "")


def test_where_no_process_can_read_the_mail_the_page_says_so(
    filled: Flask, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "Apart", lambda: Apart("there.is.no.such.module"))
    for answer in (upload(ada, b"From: x@y.test\r\n\r\n"), ada.post("/replies/1/explain")):
        assert answer.status_code == 503
        assert "process that reads mails" in Shown(answer.text).notices("bad")[0]


def test_a_copy_that_is_gone_says_so(filled: Flask, ada: Visitor) -> None:
    with filled.app_context(), transaction():
        db.session.get_one(Reply, 1).sealed_raw = None
    assert "explain" not in ada.get("/replies/1").text
    answer = ada.post("/replies/1/explain")
    assert answer.status_code == 409
    assert "No copy" in answer.text
    assert ada.post("/replies/99/explain").status_code == 404


def test_a_copy_that_no_key_opens_says_so_when_explained(filled: Flask, ada: Visitor) -> None:
    from cryptography.fernet import Fernet

    from flexmail.crypto import key_store

    with filled.app_context():
        key_store().replace([Fernet.generate_key().decode()])
    answer = ada.post("/replies/1/explain")
    assert answer.status_code == 409
    assert "None of the encryption keys opens" in answer.text


def test_markup_in_an_explained_mail_is_text(ada: Visitor, asked: stage.Asked) -> None:
    mail = stage.reply(asked, f"Reject {ATTACK}", headers=(f"Precedence: {ATTACK}",))
    for answer in (upload(ada, mail), send(ada, mail.decode())):
        page = Shown(answer.text)
        assert "alert(" in page.text
        assert not page.page.xpath("//script[not(@src)]")
        assert not page.page.xpath("//*[@onerror or @onload or self::svg or self::img]")


def test_approvers_explain_nothing(filled: Flask, bob: Visitor, asked: stage.Asked) -> None:
    answer = upload(bob, stage.reply(asked))
    assert answer.status_code == 403
    assert "approved" not in answer.text
    assert bob.post("/replies/1/explain").status_code == 403


def test_the_way_to_the_page_is_on_the_list(ada: Visitor) -> None:
    links = Shown(ada.get("/replies").text).page.xpath(f"//main//a[@href='{PATH}']")
    assert [Shown.words(link) for link in links] == ["Explain a mail"]
