"""Jobs under gunicorn: several workers, one owner, and no restart for new settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from flexmail.services import accounts
from tests.conftest import PASSWORD
from tests.servers import Dovecot, Exim
from tests.story import pages, post
from tests.story.office import PostOffice
from tests.story.serving import ROUNDING, Browser, Gunicorn
from tests.story.waiting import wait_for

pytestmark = [pytest.mark.dovecot, pytest.mark.exim, pytest.mark.slow]

NewAddress = Callable[[], str]

WORKERS = ("-w", "4")
WITHIN = timedelta(seconds=2)


@pytest.fixture(scope="module")
def office(exim: Exim, dovecot: Dovecot) -> PostOffice:
    return PostOffice(exim, dovecot)


@pytest.fixture(scope="module")
def served(office: PostOffice, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Four workers with approval on, and a first run behind them."""
    with Gunicorn(tmp_path_factory.mktemp("served"), *WORKERS) as running:
        running.save(**office.settings("served@example.test"))
        running.wait_for_run(after=None, seconds=10)
        yield running


def on_with_interval(served: Gunicorn, minutes: int) -> None:
    """Save, and see the job going by it: a run that this made due has begun and ended."""
    before = served.last_run_at()
    served.let_last_run_be(timedelta(days=1))
    other = minutes % 1440 + 1
    served.save(enable_email_approval=True, email_reply_process_interval=other)
    before = served.wait_for_run(after=before, seconds=10)
    served.let_last_run_be(timedelta(days=1))
    served.save(email_reply_process_interval=minutes)
    served.wait_for_run(after=before, seconds=10)


def test_exactly_one_of_four_workers_owns_the_jobs(served: Gunicorn) -> None:
    assert len(served.workers()) == 4
    owners = {served.owner() for _ in range(20)}
    assert len(owners) == 1
    assert owners <= served.names()
    assert served.log().count("/setup/") == 1


def test_a_shorter_interval_works_within_two_seconds_in_the_same_processes(
    served: Gunicorn,
) -> None:
    on_with_interval(served, 5)
    workers, owner, last = served.workers(), served.owner(), served.last_run_at()
    began = served.let_last_run_be(timedelta(seconds=90))
    next_run = served.next_run_at()
    assert next_run is not None
    assert abs(next_run - (began + timedelta(minutes=5))) <= ROUNDING

    saved_at = datetime.now(UTC)
    served.save(email_reply_process_interval=1)
    ran_at = served.wait_for_run(after=last, seconds=10)

    assert saved_at <= ran_at <= saved_at + WITHIN
    next_run = served.next_run_at()
    assert next_run is not None
    assert abs(next_run - (ran_at + timedelta(minutes=1))) <= ROUNDING
    assert (served.workers(), served.owner()) == (workers, owner)


def test_the_interval_saved_on_the_page_of_any_worker_works_within_two_seconds(
    served: Gunicorn,
) -> None:
    on_with_interval(served, 5)
    with served.rows():
        accounts.add("ada@corp.test", role="admin", password=PASSWORD, now=datetime.now(UTC))
    ada, last = Browser(served.url), served.last_run_at()
    pages.sign_in(ada, "ada@corp.test", PASSWORD)
    served.let_last_run_be(timedelta(seconds=90))

    saved_at = datetime.now(UTC)
    pages.save_settings(ada, {"email_reply_process_interval": 1})

    assert served.wait_for_run(after=last, seconds=10) <= saved_at + WITHIN


def test_saves_with_the_same_interval_do_not_restart_the_clock(served: Gunicorn) -> None:
    on_with_interval(served, 5)
    last = served.last_run_at()
    due = served.let_last_run_be(timedelta(seconds=54)) + timedelta(minutes=1)
    served.save(email_reply_process_interval=1)

    for count in (10, 20, 30, 40, 50):
        served.save(email_reply_process_count=count, email_reply_process_interval=1)
        next_run = served.next_run_at()
        assert next_run is not None
        assert abs(next_run - due) <= ROUNDING

    assert due - ROUNDING <= served.wait_for_run(after=last, seconds=10) <= due + 2 * ROUNDING


def test_without_approval_there_is_no_next_run_and_with_it_there_is_one_again(
    served: Gunicorn,
) -> None:
    on_with_interval(served, 5)
    last = served.last_run_at()
    assert last is not None

    served.save(enable_email_approval=False)
    assert served.next_run_at() is None
    assert served.replies()["enabled"] is False
    served.save(enable_email_approval=True)

    next_run = served.next_run_at()
    assert next_run is not None
    assert abs(next_run - (last + timedelta(minutes=5))) <= ROUNDING


def test_the_scheduled_run_decides_a_reply_and_leaves_the_folder_empty(
    served: Gunicorn, office: PostOffice, new_address: NewAddress
) -> None:
    bob, approvals = new_address(), new_address()
    with served.rows():
        accounts.add(bob, role="approver", now=datetime.now(UTC))
    served.save(**office.settings(approvals))
    on_with_interval(served, 5)
    asked = served.call("POST", "/approvals", {"title": "Deploy billing", "approvers": [bob]})
    (question,) = office.await_mails(bob, 1)
    with office.dovecot.client(approvals) as folder:
        folder.append("INBOX", post.top_posted(question, bob, "Approve ship it"))

    served.let_last_run_be(timedelta(seconds=90))
    served.save(email_reply_process_interval=1)

    answer = served.call("GET", f"/approvals/{asked['id']}?wait=10")
    assert answer["status"] == "approved"
    assert [decision["by"] for decision in answer["decisions"]] == [bob]
    wait_for(lambda: office.mails(approvals) == [], seconds=5, what="an empty folder")
    assert post.subjects(office.await_mails(bob, 2))[1].startswith("Approved: Deploy billing")
