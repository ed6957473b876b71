"""A callback exists exactly if the approval it tells of is final, and says what the API says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import undefer

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.models import Approval, Callback, User
from flexmail.services import (
    approval_requests,
    approvals,
    callbacks,
    explaining,
    tokens,
    webhook_secrets,
)
from flexmail.services.approval_requests import NewApproval
from flexmail.services.approval_shape import approval_shape
from flexmail.services.cases import Verdict
from flexmail.transport.webhook import target_of
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, Asked, asked, hand_in, reply, set_up, together

URL = "https://ci.example.test/hook"
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def ask(url: str = URL, token_id: int | None = None, *approvers: str) -> Asked:
    wanted = NewApproval(
        title="Deploy billing 4.2", approvers=approvers or (BOB,), callback_url=url
    )
    return asked(approval_requests.request(wanted, now=NOW, token_id=token_id).id)


def rows() -> list[Callback]:
    wanted = select(Callback).order_by(Callback.id).options(undefer(Callback.body))
    return list(db.session.scalars(wanted.execution_options(populate_existing=True)))


def user_id(email: str = BOB) -> int:
    return db.session.scalars(select(User.id).where(User.email == email)).one()


def by_mail(request: Asked) -> None:
    hand_in(reply(request, "Reject\r\nNot today, Bob."), now=LATER)


def by_page(request: Asked) -> None:
    approvals.decide_on_page(
        request.approval_id, user_id(), verdict="reject", comment="Not today, Bob.", now=LATER
    )


def by_cancelling(request: Asked) -> None:
    approvals.cancel(request.approval_id, now=LATER)


def by_expiring(request: Asked) -> None:
    assert approvals.expire_due(now=NOW + approvals.DEFAULT_EXPIRY) == 1


ENDS = {
    "rejected": by_mail,
    "rejected on the page": by_page,
    "cancelled": by_cancelling,
    "expired": by_expiring,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_every_end_of_an_approval_makes_one_callback(
    end: Callable[[Asked], None], ready: Flask
) -> None:
    token, _ = tokens.create("pipeline", ["approvals"], now=NOW)
    request = ask(token_id=token.id)
    assert rows() == []
    end(request)
    (row,) = rows()
    approval = approvals.get(request.approval_id)
    body = json.loads(row.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert body["type"] == "approval.decided"
    assert body["timestamp"].startswith(approval.decided_at.isoformat()[:19])  # type: ignore[union-attr]
    shape = json.loads(json.dumps(approval_shape(approval)))
    assert body["data"] | {"callback": None} == shape | {"callback": None}
    assert body["data"]["status"] == approval.status != "pending"
    assert [decision["by"] for decision in body["data"]["decisions"]] == (
        [BOB] if approval.status == "rejected" else []
    )
    assert (row.token_id, row.url, row.origin) == (token.id, URL, "https://ci.example.test:443")
    assert (row.state, row.attempts, row.retry_at) == ("queued", 0, approval.decided_at)


def test_the_approval_tells_how_its_callback_fares(ready: Flask) -> None:
    request = ask()
    shape = approval_shape(approvals.get(request.approval_id))
    assert (shape["callback_url"], shape["callback"]) == (URL, None)
    by_page(request)
    shape = approval_shape(approvals.get(request.approval_id))
    assert shape["callback"] == {
        "webhook_id": rows()[0].webhook_id,
        "state": "queued",
        "attempts": 0,
        "retry_at": "2026-11-02T09:05:00Z",
        "answer": "",
        "sent_at": None,
    }


def test_without_an_address_there_is_no_callback(ready: Flask) -> None:
    request = ask("")
    by_mail(request)
    assert rows() == []
    assert approval_shape(approvals.get(request.approval_id))["callback"] is None


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_decision_that_is_not_committed_leaves_no_callback(
    end: Callable[[Asked], None], ready: Flask
) -> None:
    request = ask()
    with transaction():
        db.session.execute(
            db.text(
                "CREATE TRIGGER full_disk BEFORE UPDATE ON approvals"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        )
    with pytest.raises(Exception, match="disk full"):
        end(request)
    db.session.rollback()
    assert rows() == []
    assert approvals.get(request.approval_id).status == "pending"


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_approval_is_not_closed_when_its_callback_cannot_be_stored(
    end: Callable[[Asked], None], ready: Flask
) -> None:
    request = ask()
    with transaction():
        db.session.execute(
            db.text(
                "CREATE TRIGGER full_disk BEFORE INSERT ON callbacks"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        )
    with pytest.raises(Exception, match="disk full"):
        end(request)
    db.session.rollback()
    assert approvals.get(request.approval_id).status == "pending"
    assert approvals.get(request.approval_id).decisions == []


def test_approve_and_reject_in_the_same_moment_make_one_callback(ready: Flask) -> None:
    request = ask(URL, None, ADA, BOB)
    ada, bob = user_id(ADA), user_id(BOB)

    def decide(who: int, verdict: Verdict) -> Approval:
        return approvals.decide_on_page(
            request.approval_id, who, verdict=verdict, comment="", now=LATER
        )

    together(ready, lambda: decide(ada, "approve"), lambda: decide(bob, "reject"))
    (row,) = rows()
    assert json.loads(row.body)["data"]["status"] == approvals.get(request.approval_id).status


def test_explaining_what_a_mail_would_do_calls_nobody(ready: Flask) -> None:
    assert explaining.explain(reply(ask(), "Approve"), now=LATER).outcome == "approved"
    assert rows() == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://ci.example.test/", "https address"),
        ("ci.example.test", "like https://"),
        ("https://ada:pw@ci.example.test/", "user and password"),
        ("https://127.0.0.1/", "inside the network"),
        ("https://[::1]/", "inside the network"),
        ("https://169.254.169.254/latest", "never called"),
        ("http://[::ffff:169.254.169.254]:80/", "never called"),
        ("https://10.1.2.3:8443/", "10.1.2.3:8443 in FLEXMAIL_CALLBACK_ALLOWED_HOSTS"),
        ("https://ci.example.test/\n", "visible ASCII"),
        ("https://ci.example.test/" + "x" * 2000, "2000 characters"),
        ("https://" + "ci." * 100 + "example.test/", "253 characters"),
    ],
)
def test_an_address_that_is_not_called_is_refused_in_words(
    url: str, said: str, ready: Flask
) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(url)
    assert list(caught.value.errors) == ["callback_url"]
    assert said in str(caught.value)
    assert db.session.scalar(select(Approval.id)) is None


def test_what_the_operator_lists_may_be_in_clear_and_inside(ready: Flask) -> None:
    ready.config["CALLBACK_ALLOWED_HOSTS"] = frozenset({("10.1.2.3", 8080)})
    assert callbacks.fault_of("http://10.1.2.3:8080/hook") == ""
    assert "https" in callbacks.fault_of("http://10.1.2.3:8081/hook")
    assert "https" in callbacks.fault_of("http://10.1.2.4:8080/hook")


def test_a_repeat_with_another_callback_is_another_request(ready: Flask) -> None:
    token, _ = tokens.create("pipeline", ["approvals"], now=NOW)

    def request(url: str) -> int:
        wanted = NewApproval(title="Deploy", approvers=(BOB,), callback_url=url)
        return approval_requests.request(
            wanted, now=NOW, token_id=token.id, idempotency_key="build-1"
        ).id

    assert request(URL) == request(URL)
    with pytest.raises(Conflict):
        request(URL + "2")


def change(**values: object) -> None:
    with transaction():
        for name, value in values.items():
            setattr(db.session.get_one(Callback, 1), name, value)


@pytest.mark.parametrize("state", ["failed", "sent"])
def test_a_callback_can_be_sent_again_under_its_id(state: str, ready: Flask) -> None:
    by_page(ask())
    (before,) = [(row.webhook_id, row.body) for row in rows()]
    change(state=state, attempts=9, sent_at=LATER)
    again = callbacks.retry(1, now=NOW + timedelta(days=9))
    assert (again.state, again.attempts, again.sent_at) == ("queued", 0, None)
    assert again.retry_at == again.created_at == NOW + timedelta(days=9)
    assert [(row.webhook_id, row.body) for row in rows()] == [before]


def test_a_waiting_callback_goes_now_and_keeps_its_tries(ready: Flask) -> None:
    by_page(ask())
    change(attempts=3, retry_at=NOW + timedelta(days=1))
    again = callbacks.retry(1, now=NOW + timedelta(hours=2))
    assert (again.attempts, again.retry_at) == (3, NOW + timedelta(hours=2))
    assert again.created_at == LATER


def test_a_callback_under_way_is_not_queued_twice(ready: Flask) -> None:
    by_page(ask())
    change(state="sending")
    with pytest.raises(Conflict, match="being sent"):
        callbacks.retry(1, now=LATER)
    with pytest.raises(NotFound):
        callbacks.retry(2, now=LATER)


def test_a_token_has_a_secret_of_its_own_and_keeps_it_when_it_is_revoked(ready: Flask) -> None:
    made = [tokens.create(name, ["approvals"], now=NOW)[0] for name in ("one", "two")]
    secrets = [webhook_secrets.of(token.id) for token in made]
    tokens.revoke(made[0].id, now=NOW)
    assert [webhook_secrets.of(token.id) for token in made] == secrets
    assert len({*secrets, webhook_secrets.of_installation()}) == 3
    for secret, token in zip(secrets, made, strict=True):
        assert secret.startswith("whsec_")
        assert secret.encode() not in (token.sealed_webhook_secret or b"")
        assert secret not in repr(token)


def test_what_has_no_secret_is_signed_with_the_installations(ready: Flask) -> None:
    token, _ = tokens.create("older", ["approvals"], now=NOW)
    with transaction():
        db.session.merge(token).sealed_webhook_secret = None
    own = webhook_secrets.of_installation()
    assert webhook_secrets.of(token.id) == webhook_secrets.of(None) == own


def test_many_that_ask_at_once_agree_on_one_installation_secret(ready: Flask) -> None:
    found = together(ready, *[webhook_secrets.of_installation] * 6)
    assert len(set(found)) == 1
    assert str(found[0]).startswith("whsec_")


def test_the_origin_is_what_one_server_shares() -> None:
    origins = {target_of(f"https://CI.test{rest}").origin for rest in ("", "/a", ":443/b?c")}
    assert origins == {"https://ci.test:443"}
