"""The database that several hosts share: what SQLite settles with one lock, PostgreSQL has to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import select, text, update

from flexmail import create_app
from flexmail.crypto import key_ring, key_store
from flexmail.db import Base, db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import Conflict, InvalidInput, OwnershipLost
from flexmail.models import (
    Approval,
    AuditEntry,
    Callback,
    Decision,
    EmailSettings,
    HourlyCount,
    Installation,
    Reply,
    ReplyFolder,
    User,
)
from flexmail.services import (
    accounts,
    approvals,
    audit,
    audit_check,
    backup,
    canary,
    channels,
    concluding,
    event_warnings,
    events,
    installation,
    keys,
    leases,
    outbox,
    outbox_log,
    reply_folders,
    settings,
    sign_in,
    storing,
    trust,
    undo,
)
from flexmail.services.cases import Verdict
from flexmail.services.delivery import deliver_due
from flexmail.services.events import NewEvent
from flexmail.services.inbox import process_replies
from tests.conftest import NOW
from tests.postgresql import PostgreSql, binaries
from tests.services.stage import (
    ADA,
    APPROVALS,
    BOB,
    ask,
    connect,
    fill_in,
    hand_in,
    held,
    queued,
    receive_in,
    reply,
    set_up,
    together,
)
from tests.story.waiting import wait_for

ONE, TWO = "host1:1:x", "host2:1:y"
Migrated = tuple[str, Path]


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgreSql]:
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with PostgreSql() as started:
        yield started


@pytest.fixture(scope="module")
def migrated(cluster: PostgreSql, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """A database brought from nothing to the head, and the instance folder beside it."""
    name = cluster.new_database()
    folder = tmp_path_factory.mktemp("postgresql") / "instance"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEXMAIL_INSTANCE_PATH", str(folder))
        create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": cluster.uri(name)})
    return name, folder


@pytest.fixture
def app(
    no_environment: None, cluster: PostgreSql, migrated: Migrated, tmp_path: Path
) -> Iterator[Flask]:
    shutil.copytree(migrated[1], tmp_path / "instance", dirs_exist_ok=True)
    uri = cluster.uri(cluster.new_database(migrated[0]))
    app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": uri})
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_the_upgrade_from_nothing_equals_the_models(context: Flask) -> None:
    with db.engine.connect() as connection:
        compared = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(compared, Base.metadata) == []


def test_the_whole_loop_from_the_request_to_the_confirmation(
    people: Flask, server: MailServer
) -> None:
    connect(server)
    request = ask()
    assert deliver_due(now=NOW).sent == 1
    server.deliver(APPROVALS, reply(request))
    report = process_replies(now=NOW)
    assert (report.error, report.by_outcome) == ("", {"approved": 1})
    assert server.mailbox(APPROVALS) == []
    assert process_replies(now=NOW + timedelta(minutes=1)).by_outcome == {}
    assert [mail.recipient for mail in queued("reply_confirmation")] == [BOB]
    assert audit_check.verify().fault == ""


def test_of_approve_and_reject_in_the_same_moment_one_decides(people: Flask) -> None:
    set_up()
    bob = accounts.get(BOB).id
    for _ in range(5):
        request = ask(callback_url="https://ci.example.test/hook")
        by_mail = reply(request, "Approve")

        def on_page(verdict: Verdict = "reject", approval_id: int = request.approval_id) -> object:
            return approvals.decide_on_page(approval_id, bob, verdict=verdict, comment="", now=NOW)

        def in_mail(raw: bytes = by_mail) -> object:
            return hand_in(raw).outcome

        results = together(people, on_page, in_mail)
        broken = [one for one in results if isinstance(one, Exception)]
        assert all(isinstance(one, Conflict) for one in broken), results  # the page came second
        db.session.rollback()
        made = select(Decision).where(Decision.approval_id == request.approval_id)
        (decision,) = db.session.scalars(made)
        status = approvals.get(request.approval_id).status
        assert status == {"approve": "approved", "reject": "rejected"}[decision.verdict], results
        told = select(Callback).where(Callback.approval_id == request.approval_id)
        assert len(db.session.scalars(told).all()) == 1
    assert audit_check.verify().fault == ""


def test_who_cancels_while_a_batch_is_concluded_and_the_batch_never_wait_for_each_other(
    people: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server)
    request, real = ask(), concluding.conclude
    server.deliver(APPROVALS, reply(request))

    def cancel() -> str:
        with people.app_context():
            return approvals.cancel(request.approval_id, now=NOW).status

    with ThreadPoolExecutor(1) as pool:
        cancelled: list[Future[str]] = []

        def conclude(*given: Any) -> Any:
            cancelled.append(pool.submit(cancel))
            wait_for(lambda: cancelled[0].done() or _waits(), seconds=10, what="it has its row")
            return real(*given)

        monkeypatch.setattr("flexmail.services.settling.conclude", conclude)
        report = process_replies(now=NOW)
        assert cancelled[0].result(10) == "cancelled"
    assert (report.error, report.by_outcome) == ("", {"cancelled": 1})
    assert audit_check.verify().fault == ""


def _waiting() -> int:
    """Count the transactions that wait for another one."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with db.engine.connect() as connection:
        return connection.scalar(waiting) or 0


def _waits() -> bool:
    return bool(_waiting())


def test_a_request_under_way_and_a_reply_of_its_approver_never_wait_for_each_other(
    people: Flask,
) -> None:
    set_up()
    by_mail = reply(ask(ADA, BOB), sender=f"Ada <{ADA}>")

    def answer() -> str | None:
        with people.app_context():
            return hand_in(by_mail).outcome

    with ThreadPoolExecutor(1) as pool, db.engine.connect() as asking:
        # What the database does where a row that names an account is written.
        asking.execute(select(User.id).with_for_update(read=True, key_share=True)).all()
        answered = pool.submit(answer)
        wait_for(lambda: answered.done() or _waits(), seconds=10, what="it is answered, or waits")
        assert not _waits()
        assert answered.result(10) == "approved"


def test_requests_that_expire_are_locked_in_the_order_that_replies_lock_them(
    people: Flask,
) -> None:
    set_up()
    first, second = ask(expires_in=60).approval_id, ask(expires_in=60).approval_id
    later = NOW + timedelta(minutes=5)
    with transaction():
        # With more rows it is read by the time they expire, where it now lies behind the other.
        db.session.execute(text("DROP INDEX ix_approvals_status_id"))
        db.session.execute(update(Approval).where(Approval.id == first).values(expires_at=later))

    def expire() -> int:
        with people.app_context():
            return approvals.expire_due(now=later)

    def locked(approval_id: int) -> Any:
        wanted = select(Approval.id).where(Approval.id == approval_id)
        return wanted.with_for_update(skip_locked=True)

    with ThreadPoolExecutor(1) as pool:
        with db.engine.connect() as replying:
            assert replying.scalar(locked(first)) == first
            expired = pool.submit(expire)
            wait_for(_waits, seconds=10, what="the first of them is waited for")
            assert replying.scalar(locked(second)) == second
        assert expired.result(10) == 2


def test_who_leaves_a_group_while_a_reply_is_judged_leaves_before_it_or_after(
    people: Flask,
) -> None:
    set_up()
    accounts.edit(BOB, groups=["ops"])
    request = ask("group:ops")
    with ThreadPoolExecutor(1) as pool:

        def leave() -> None:
            with people.app_context():
                accounts.edit(BOB, groups=[])

        with transaction():
            case, person = held(request.approval_id)
            left = pool.submit(leave)
            wait_for(lambda: left.done() or _waits(), seconds=10, what="he left, or waits")
            assert not left.done()
            refusal = approvals.decide(
                case, person, verdict="approve", comment="", channel="web", now=NOW, proof={}
            )
            assert refusal is None
        left.result(10)
    actions = [entry.action for entry in audit.listing().items][:2]
    assert actions == ["account_edited", "approval_approved"]


def test_of_two_admins_who_disable_each_other_at_once_one_stays(people: Flask) -> None:
    accounts.edit(BOB, role="admin")

    def disable(email: str) -> Exception | None:
        with people.app_context():
            try:
                accounts.set_active(email, False)
            except Conflict as error:
                return error
        return None

    with ThreadPoolExecutor(2) as pool:
        with db.engine.connect() as auditing:
            auditing.execute(text(f"LOCK TABLE {AuditEntry.__tablename__} IN EXCLUSIVE MODE"))
            done = [pool.submit(disable, email) for email in (ADA, BOB)]
            wait_for(lambda: _waiting() == 2, seconds=10, what="both are looked at")
        refused = [call.result(10) for call in done]
    assert [type(each) for each in refused if each] == [Conflict]
    assert len([user for user in accounts.everyone() if user.active and user.role == "admin"]) == 1


def test_of_many_who_ask_for_a_new_lease_at_once_one_gets_it(context: Flask) -> None:
    asked = [
        lambda owner=f"host:{number}:x": leases.acquire("jobs", owner, now=NOW, seconds=10)
        for number in range(5)
    ]
    assert sorted(map(str, together(context, *asked))) == ["1", *["None"] * 4]


def test_of_many_who_note_a_new_channel_at_once_all_do(context: Flask) -> None:
    def note() -> str:
        with transaction():
            channels.started("replies", now=NOW)
        return "noted"

    assert together(context, *[note] * 5) == ["noted"] * 5


def test_an_owner_that_was_replaced_commits_nothing(context: Flask) -> None:
    first = leases.acquire("replies", ONE, now=NOW, seconds=10)
    late = NOW + timedelta(seconds=11)
    second = leases.acquire("replies", TWO, now=late, seconds=10)
    assert (first, second) == (1, 2)
    with pytest.raises(OwnershipLost), transaction():
        leases.check("replies", 1, now=late)
    with transaction():
        leases.check("replies", 2, now=late)


def test_two_senders_at_once_send_each_mail_once(people: Flask, server: MailServer) -> None:
    connect(server)
    for _ in range(20):
        ask()
    sent = together(people, *[lambda: deliver_due(now=NOW).sent] * 2)
    assert sum(result for result in sent if isinstance(result, int)) == 20, sent
    assert len(server.mailbox(BOB)) == 20


def test_any_later_change_of_the_audit_log_is_found(people: Flask) -> None:
    set_up()
    assert audit_check.verify().fault == ""
    with transaction():
        first = select(AuditEntry.id).order_by(AuditEntry.id).limit(1).scalar_subquery()
        db.session.execute(update(AuditEntry).where(AuditEntry.id == first).values(actor="nobody"))
    assert audit_check.verify().fault


def test_keys_rotate_and_the_old_one_goes(people: Flask) -> None:
    set_up(smtp_user="x", smtp_password="the password")
    hand_in(reply(ask()))
    before = key_store().read()
    assert keys.rotate().unreadable == 0
    _, dropped = keys.drop_old()
    assert (dropped, set(key_store().read()) & set(before)) == (1, set())
    db.session.rollback()
    sealed = db.session.scalars(select(Reply.sealed_raw)).one()
    assert sealed is not None
    assert key_ring().open(sealed)


def test_no_key_goes_while_something_that_it_sealed_is_not_committed_yet(people: Flask) -> None:
    set_up()
    by_mail = reply(ask())

    def change_keys() -> object:
        with people.app_context():
            keys.rotate()
            return keys.drop_old()

    with transaction(), ThreadPoolExecutor(1) as pool:
        # What is sealed in here was begun before there was a new key, and ends after it.
        row = receive_in(by_mail)
        storing.store()
        db.session.flush()
        changed = pool.submit(change_keys).exception(20)
    assert isinstance(changed, Conflict), changed
    assert key_ring().open(db.session.get_one(Reply, row.id).sealed_raw or b"")
    assert keys.drop_old()[1] == 1
    db.session.rollback()
    assert keys.unreadable() == 0


def test_a_copy_is_made_with_the_databases_own_tools(context: Flask, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=r"pg_dump, pg_restore.*restore --claim"):
        backup.make(tmp_path / "copy.db")


def test_after_a_claim_no_request_gets_the_id_of_an_older_one(people: Flask) -> None:
    set_up()
    last = ask().approval_id
    with transaction():
        db.session.get_one(Installation, 1).mark = "another"
    installation.claim(now=NOW)
    assert ask().approval_id > last + 1
    db.session.rollback()
    assert db.session.scalars(select(Approval.id)).all()[0] == last


def test_a_commit_that_may_be_forgotten_waits_for_no_disk(context: Flask) -> None:
    said = text("SHOW synchronous_commit")
    with transaction(durable=False):
        assert db.session.scalar(said) == "off"
    with transaction():
        assert db.session.scalar(said) == "on"


def test_events_of_the_same_people_in_any_order_never_wait_for_each_other(people: Flask) -> None:
    set_up()
    crowd = tuple(f"person{number}@corp.test" for number in range(100))

    def tell(recipients: tuple[str, ...]) -> int:
        return events.send(NewEvent("failed", recipients=recipients), now=NOW).queued

    calls = [partial(tell, order) for order in (crowd, crowd[::-1]) * 4]
    assert together(people, *calls) == [100] * 8
    db.session.rollback()
    counted = db.session.execute(select(HourlyCount.key, HourlyCount.count)).all()
    assert {tuple(row) for row in counted} == {(f"to:{address}", 8) for address in crowd}


def test_a_recipient_gets_no_more_than_the_limit_whoever_tells_at_once(people: Flask) -> None:
    set_up()
    people.config["NOTIFICATIONS_PER_RECIPIENT_HOUR"] = 3
    told = NewEvent("failed", recipients=(BOB,))
    found = together(people, *[lambda: events.send(told, now=NOW).queued] * 8)
    assert sorted(found) == [0] * 5 + [1] * 3  # type: ignore[type-var]
    assert "5 to bob@corp.test" in event_warnings.of(now=NOW)[0]


def test_the_outbox_is_found_by_everything_counted_and_cancelled_once(people: Flask) -> None:
    set_up()
    events.send(NewEvent("failed", recipients=(BOB, "eve@corp.test")), now=NOW)
    request = ask()
    (mail,) = outbox_log.listing(state="queued", kind="event", recipient=BOB).items
    assert mail.recipient == BOB
    assert "failed" in outbox_log.shown(mail).text.lower()
    assert outbox_log.counts()["queued"] == 3
    mail_id = mail.id
    found = together(people, *[lambda: outbox.cancel(mail_id).state] * 4)
    assert found.count("cancelled") == 1
    assert sum(isinstance(one, Conflict) for one in found) == 3
    assert approvals.get(request.approval_id).status == "pending"
    assert outbox_log.skips_of(BOB) == []


def test_a_new_password_never_goes_with_a_host_that_is_saved_at_the_same_moment(
    people: Flask,
) -> None:
    set_up(smtp_user="deploy")

    def moved() -> object:
        with people.app_context():
            return settings.save(fill_in(smtp_host_name="smtp.evil.test"))

    values = fill_in(smtp_password="typed for smtp.corp.test")
    with ThreadPoolExecutor(1) as pool:
        with transaction():
            row = settings.load()
            db.session.execute(
                update(EmailSettings).values(
                    sealed_smtp_password=key_ring().seal(str(values["smtp_password"]).encode())
                )
            )
            saved = pool.submit(moved)
            wait_for(lambda: saved.done() or _waits(), seconds=10, what="it is saved, or waits")
        saved.result(10)
    db.session.expire_all()
    row = settings.load()
    assert (row.smtp_host_name, row.sealed_smtp_password) == ("smtp.evil.test", None)


def test_two_who_save_the_first_settings_at_once_both_do(people: Flask) -> None:
    host = {"smtp_from_address": "a@corp.test"}
    saves = [
        partial(settings.save, fill_in(smtp_host_name=name, **host))
        for name in ("one.test", "two.test")
    ]
    assert together(people, *saves) == [[], []]
    assert settings.load().revision == 2


def test_every_wrong_password_of_many_at_once_is_counted(people: Flask) -> None:
    def guess() -> object:
        return sign_in.sign_in(BOB, "wrong", remote_address="192.0.2.1", now=NOW)

    for _ in range(2):
        assert {type(one) for one in together(people, *[guess] * 5)} == {InvalidInput}
    with pytest.raises(Conflict):
        guess()


def test_what_no_text_may_hold_is_no_account_and_no_group(people: Flask) -> None:
    set_up()
    with pytest.raises(InvalidInput):
        sign_in.sign_in("bob\0@corp.test", "wrong", remote_address="192.0.2.1", now=NOW)
    for name in ("bob\0@corp.test", "group:\0"):
        with pytest.raises(InvalidInput, match="no active account"):
            ask(name)


def test_two_who_make_the_same_account_at_once_make_it_once(people: Flask) -> None:
    make = partial(accounts.add, "new@corp.test", role="approver", now=NOW)
    results = together(people, make, make)
    assert [type(result) for result in results].count(Conflict) == 1, results


def test_two_who_follow_the_set_up_link_at_once_make_one_admin(context: Flask) -> None:
    make = [
        partial(accounts.add, f"{name}@corp.test", role="admin", now=NOW, only_if_first=True)
        for name in ("one", "two")
    ]
    assert [type(one) for one in together(context, *make)].count(Conflict) == 1


def test_who_confirms_confirms_no_mail_that_a_run_holds_back_at_that_moment(
    people: Flask,
) -> None:
    set_up()
    with transaction():
        folder = db.session.scalars(select(ReplyFolder)).one()
        folder.uidvalidity, folder.held_below_uid, folder.held = 7, 5, {"count": 4}

    def confirm() -> int:
        with people.app_context():
            return reply_folders.confirm(settings.load(), now=NOW, mark="7-5")

    with ThreadPoolExecutor(1) as pool:
        with transaction():  # as a run that finds other mails under the numbers
            folder = db.session.scalars(select(ReplyFolder)).one()
            folder.uidvalidity, folder.held_below_uid, folder.held = 8, 90, {"count": 89}
            db.session.flush()
            confirmed = pool.submit(confirm)
            wait_for(lambda: confirmed.done() or _waits(), seconds=10, what="it looks at it")
        assert isinstance(confirmed.exception(10), Conflict), confirmed
    assert db.session.scalars(select(ReplyFolder.held_below_uid)).one() == 90


def test_a_canary_that_is_asked_for_again_while_it_is_concluded_breaks_no_run(
    people: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    process_replies(now=NOW)
    assert deliver_due(now=NOW).sent == 1
    refusal = canary._refusal

    def ask_again() -> None:
        with people.app_context():
            trust.ask_again()

    with ThreadPoolExecutor(1) as pool:

        def meanwhile(*given: Any) -> str:
            asked = pool.submit(ask_again)
            wait_for(lambda: asked.done() or _waits(), seconds=10, what="it is forgotten, or waits")
            return refusal(*given)

        monkeypatch.setattr(canary, "_refusal", meanwhile)
        report = process_replies(now=NOW + timedelta(minutes=1))
    assert (report.error, bool(report.waits_for)) == ("", True)
    db.session.rollback()


def test_who_claims_and_who_puts_a_mail_back_never_wait_for_each_other(
    people: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server)
    server.deliver(APPROVALS, reply(ask(), "Perhaps"))
    (reply_id,) = process_replies(now=NOW).reply_ids
    check = leases.check

    def claim() -> bool:
        with people.app_context(), transaction():
            row = db.session.get_one(Installation, 1, with_for_update=True)
            installation.take_over(row, now=NOW)
        return True

    with ThreadPoolExecutor(1) as pool:
        claimed: list[Future[bool]] = []

        def check_and_meanwhile(*given: Any, **named: Any) -> None:
            check(*given, **named)
            claimed.append(pool.submit(claim))
            wait_for(lambda: claimed[0].done() or _waits(), seconds=10, what="it is claimed")

        monkeypatch.setattr(leases, "check", check_and_meanwhile)
        undo.restore(reply_id, now=NOW)
        assert claimed[0].result(10)
    assert len(server.mailbox(APPROVALS)) == 1
