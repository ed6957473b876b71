"""Asking: what a request may hold, one mail and one secret an approver, and once an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db
from flexmail.errors import Conflict, InvalidInput
from flexmail.mail.reference import digest
from flexmail.models import Approval, ApprovalReference
from flexmail.services import accounts, settings, tokens
from flexmail.services.approval_requests import NewApproval, request
from tests.conftest import NOW
from tests.services.stage import (
    ADA,
    APPROVALS,
    BOB,
    REFERENCE,
    ask,
    asked,
    fill_in,
    opened,
    queued,
    read,
    set_up,
    text_of,
    together,
)

CAROL = "carol@corp.test"
WANTED = NewApproval(title="Deploy billing 4.2", approvers=(BOB,))


@pytest.fixture
def ready(people: Flask) -> Flask:
    accounts.add(CAROL, role="approver", groups=["ops"], now=NOW)
    set_up()
    return people


def refused(**given: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as raised:
        request(replace(WANTED, **given), now=NOW)  # type: ignore[arg-type]
    assert nothing_is_stored()
    return raised.value.errors


def nothing_is_stored() -> bool:
    rows = [
        *db.session.scalars(select(Approval)),
        *db.session.scalars(select(ApprovalReference)),
    ]
    return not rows and not queued()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ""),
        ("title", "  "),
        ("title", "a" * 201),
        ("title", "two\nlines"),
        ("title", "Deploy\r\nBcc: x@evil.test"),
        ("title", "nul\x00"),
        ("details", "a" * 20_001),
        ("details", "bell\x07"),
        ("details", "nul\x00"),
        ("details", "see FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("title", "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("approvers", ()),
        ("approvers", (BOB,) * 101),
        ("approvers", ("",)),
        ("approvers", ("nobody@corp.test",)),
        ("approvers", (BOB, "nobody@corp.test")),
        ("approvers", ("Bob@corp.test",)),
        ("approvers", ("Bob <bob@corp.test>",)),
        ("approvers", ("group:",)),
        ("approvers", ("group:nobody",)),
        ("approvers", ("\ud800@corp.test",)),
        ("rule", "all"),
        ("rule", "2"),
        ("rule", ""),
        ("expires_in", 0),
        ("expires_in", 59),
        ("expires_in", -60),
        ("expires_in", 365 * 24 * 3600 + 1),
        ("link", "ftp://corp.test/x"),
        ("link", "javascript:alert(1)"),
        ("link", "https://"),
        ("link", "https://corp.test/a b"),
        ("link", "https://corp.test/\r\nx"),
        ("link", "https://[::1"),
        ("link", "https://corp.test/" + "a" * 2000),
        ("context", {"a": "b" * 20_001}),
        ("context", {"a": [{"b": "\ud800"}]}),
        ("context", {"\ud800": 1}),
        ("context", {"a": float("nan")}),
        ("context", {"a": float("-inf")}),
        ("submitter", "two\nlines"),
        ("submitter", "a" * 255),
        ("mail_decision", "forbid"),
        ("mail_decision", ""),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_nothing_is_stored(
    name: str, value: object, ready: Flask
) -> None:
    assert list(refused(**{name: value})) == [name]


@pytest.mark.parametrize("name", ["title", "details", "submitter"])
def test_half_a_character_is_refused(name: str, ready: Flask) -> None:
    assert list(refused(**{name: "a\ud800"})) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "a" * 200),
        ("title", "Grüße 👋 " + "ж" * 190),
        ("title", "<script>alert(1)</script>"),
        ("title", "{{ 7*7 }} {% raw %}"),
        ("title", "a  b"),
        ("title", "=?utf-8?q?x?="),
        ("details", "a" * 20_000),
        ("details", "line\r\nline\n\tindented"),
        ("details", "."),
        ("approvers", (BOB, "bob@CORP.test", BOB)),
        ("expires_in", 60),
        ("expires_in", 365 * 24 * 3600),
        ("link", "https://corp.test/" + "a" * 1900),
        ("link", "http://[::1]:8000/x?y=1#z"),
        ("submitter", "pipeline <ci@corp.test>"),
        ("mail_decision", "reject_only"),
        ("comment_required", True),
        ("context", {"nested": [1, {"a": None}]}),
        ("context", {"grüße": "👋 \U0001f44b \x00"}),
    ],
)
def test_what_is_right_makes_one_request_and_one_mail(
    name: str, value: object, ready: Flask
) -> None:
    approval = request(replace(WANTED, **{name: value}), now=NOW)  # type: ignore[arg-type]
    assert approval.status == "pending"
    assert [mail.recipient for mail in queued()] == [BOB]
    if name not in ("approvers", "expires_in"):
        assert getattr(approval, name) == value


def test_a_disabled_account_cannot_be_asked(ready: Flask) -> None:
    accounts.set_active(BOB, False)
    assert "approvers" in refused()


def test_a_group_of_disabled_accounts_cannot_be_asked(ready: Flask) -> None:
    accounts.set_active(CAROL, False)
    assert "approvers" in refused(approvers=("group:ops",))


@pytest.mark.parametrize("group", ["group:ops", "group:OPS"])
def test_a_group_is_asked_by_one_mail_a_member_each_person_once(group: str, ready: Flask) -> None:
    accounts.edit(BOB, groups=["ops"])
    accounts.add("dan@corp.test", role="approver", groups=["ops"], now=NOW)
    accounts.set_active("dan@corp.test", False)
    request(replace(WANTED, approvers=(group, BOB, ADA)), now=NOW)
    assert sorted(mail.recipient for mail in queued()) == [ADA, BOB, CAROL]


def test_a_request_ends_after_seven_days_unless_it_says_otherwise(ready: Flask) -> None:
    assert request(WANTED, now=NOW).expires_at == NOW + timedelta(days=7)
    assert request(replace(WANTED, expires_in=90), now=NOW).expires_at == NOW + timedelta(
        seconds=90
    )


def test_without_mail_settings_nothing_is_asked(people: Flask) -> None:
    with pytest.raises(Conflict, match="not set up"):
        request(WANTED, now=NOW)
    assert nothing_is_stored()


def test_each_approver_gets_secrets_of_their_own_stored_as_digests(ready: Flask) -> None:
    approval = request(replace(WANTED, approvers=(BOB, CAROL)), now=NOW)
    bob, carol = asked(approval.id, BOB), asked(approval.id, CAROL)
    assert len({bob.reference, carol.reference, bob.message_id, carol.message_id}) == 4
    assert carol.reference not in bob.text
    for row in db.session.scalars(select(ApprovalReference)):
        mine = bob if row.user.email == BOB else carol
        assert row.reference_digest == digest(mine.reference)
        assert row.message_id_digest == digest(mine.message_id)


def test_the_mail_is_a_machines_and_is_answered_to_the_reply_address(ready: Flask) -> None:
    set_up(approval_reply_address="Answers <answers@corp.test>")
    sent = ask()
    mail = read(sent.raw)
    assert mail["From"] == f"Deployments <{APPROVALS}>"
    assert mail["To"] == BOB
    assert mail["Reply-To"] == "answers@corp.test"
    assert mail["Subject"] == f"Approval requested: Deploy billing 4.2 [FM #{sent.approval_id}]"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["In-Reply-To"] is None


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_the_mail_ends_with_both_links_the_markers_and_the_reference(
    kind: str, ready: Flask
) -> None:
    sent = ask()
    text = text_of(sent.raw, kind)
    assert text.count("mailto:") == 2
    assert "body=Approve%0D%0A" in text
    assert "body=Reject%0D%0A" in text
    assert sent.reference in text
    assert f"Reference: {sent.reference}" in sent.text.strip().splitlines()[-1]


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_request_that_mail_can_only_reject_has_no_link_that_approves(
    kind: str, ready: Flask
) -> None:
    text = text_of(ask(mail_decision="reject_only").raw, kind)
    assert "body=Approve" not in text
    assert "body=Reject" in text


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_without_email_approval_the_mail_carries_no_reference(kind: str, ready: Flask) -> None:
    settings.save(fill_in(enable_email_approval=False))
    text = text_of(ask().raw, kind)
    assert "mailto:" not in text
    assert not REFERENCE.search(text)


def test_what_a_request_says_is_text_and_not_markup(ready: Flask) -> None:
    request(replace(WANTED, title="<b>bold</b>", details="{{ 7*7 }}<script>"), now=NOW)
    html = text_of(opened(queued()[0]), "html")
    assert "<b>bold</b>" not in html
    assert "<script>" not in html
    assert "{{ 7*7 }}" in html


def test_a_mail_that_cannot_be_made_leaves_no_request(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.config["TIMEZONE"] = "Mars/Base"
    with pytest.raises(Exception, match="Mars"):
        request(WANTED, now=NOW)
    assert nothing_is_stored()


def keyed(key: str | None, wanted: NewApproval = WANTED, *, token_id: int | None = None) -> int:
    return request(wanted, now=NOW, token_id=token_id, idempotency_key=key).id


@pytest.fixture
def token_ids(ready: Flask) -> list[int]:
    return [tokens.create(name, ["approvals"], now=NOW)[0].id for name in ("one", "two")]


def test_a_repeat_answers_the_first_request_and_sends_nothing(token_ids: list[int]) -> None:
    first = keyed("deploy-17", token_id=token_ids[0])
    assert keyed("deploy-17", token_id=token_ids[0]) == first
    assert len(queued()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Deploy billing 4.3"},
        {"approvers": (CAROL,)},
        {"details": "more"},
        {"expires_in": 3600},
        {"comment_required": True},
        {"mail_decision": "reject_only"},
        {"context": {"a": 1}},
    ],
)
def test_a_key_that_was_used_for_something_else_is_refused(
    other: Mapping[str, object], token_ids: list[int]
) -> None:
    keyed("deploy-17", token_id=token_ids[0])
    with pytest.raises(Conflict):
        keyed("deploy-17", replace(WANTED, **other), token_id=token_ids[0])  # type: ignore[arg-type]
    assert len(queued()) == 1


def test_keys_are_apart_for_each_token_and_without_a_key_each_request_is_new(
    token_ids: list[int],
) -> None:
    one, two = token_ids
    made = {
        keyed("k", token_id=one),
        keyed("k", token_id=two),
        keyed("other", token_id=one),
        keyed(None, token_id=one),
        keyed(None, token_id=one),
        keyed(None),
    }
    assert len(made) == 6


def test_a_repeat_answers_also_when_the_approver_is_gone(token_ids: list[int]) -> None:
    first = keyed("deploy-17", token_id=token_ids[0])
    accounts.set_active(BOB, False)
    assert keyed("deploy-17", token_id=token_ids[0]) == first


@pytest.mark.parametrize("with_token", [True, False])
def test_repeats_at_the_same_moment_make_one_request(
    with_token: bool, ready: Flask, token_ids: list[int]
) -> None:
    token_id = token_ids[0] if with_token else None
    results = together(ready, *[lambda: keyed("deploy-17", token_id=token_id)] * 5)
    assert len(set(results)) == 1, results
    assert len(queued()) == 1


def test_different_requests_with_one_key_at_the_same_moment_make_one(
    ready: Flask, token_ids: list[int]
) -> None:
    results = together(
        ready,
        *[
            lambda title=f"Deploy {number}": keyed(
                "k", replace(WANTED, title=title), token_id=token_ids[0]
            )
            for number in range(4)
        ],
    )
    assert [type(result) for result in results].count(Conflict) == 3
    assert len(queued()) == 1
