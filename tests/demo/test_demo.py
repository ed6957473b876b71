"""`flexmail demo` as a newcomer meets it: one command, and the whole loop over its pages."""

from __future__ import annotations

import html
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from flexmail.demo import INSTALL
from flexmail.demo.stage import ADA, BOB, FLEXMAIL

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "flexmail", "demo"]
SECONDS = 40
MAILBOXES = "/demo/mailboxes"


class Browser:
    """Follows links and sends forms with their hidden fields, as a browser does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self._open(Request(urljoin(self.address, path), headers=headers))

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        return self._open(Request(urljoin(self.address, path), urlencode(fields).encode()))

    def page(self, path: str) -> str:
        status, page = self.get(path)
        assert status == 200, page
        return page

    def send(self, path: str, action: str, **typed: str) -> str:
        """Send the form of a page that leads to `action`."""
        form = next(form for form in forms_of(self.page(path)) if form.action == action)
        status, page = self.post(action, **form.fields | typed)
        assert status == 200, page
        return page

    def _open(self, request: Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


class Form:
    """A form of a page: where it leads, and what is filled in."""

    def __init__(self, source: str) -> None:
        self.action = attribute("action", source)
        inputs = re.findall(r"<input\b[^>]*>", source)
        areas = re.findall(r'<textarea\b[^>]*\bname="(\w+)"[^>]*>\n?(.*?)</textarea>', source, re.S)
        self.fields = {attribute("name", tag): attribute("value", tag) for tag in inputs}
        self.fields |= {name: html.unescape(text) for name, text in areas}


def attribute(name: str, tag: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


def forms_of(page: str) -> list[Form]:
    return [Form(source) for source in re.findall(r"<form\b.*?</form>", page, re.S)]


@contextmanager
def running(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the demo on a free port; give the process, and what it said when it was ready."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            yield process, said
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def address_in(said: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert found, said
    return found[0]


@pytest.fixture(scope="module")
def welcome() -> Iterator[str]:
    """A demo that has read its reply folder once, and will not by itself during these tests."""
    with running() as (_, said):
        browser = Browser(address_in(said))
        until(lambda: "It did so last" in browser.page(MAILBOXES))
        done = flexmail_beside(said, "settings", "set", "email_reply_process_interval=1440")
        assert done.returncode == 0, done.stderr
        yield said


def flexmail_beside(said: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a second terminal, as the demo says how."""
    found = re.search(r"export (FLEXMAIL_INSTANCE_PATH)=(\S+)", said)
    assert found
    return run_to_its_end([*COMMAND[:-1], *args], **{found[1]: found[2]})


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline


@pytest.fixture
def browser(welcome: str) -> Browser:
    return Browser(address_in(welcome))


@pytest.fixture
def ada(welcome: str) -> Browser:
    browser = Browser(address_in(welcome))
    form = next(form for form in forms_of(browser.page("/login")) if "password" in form.fields)
    typed = {"email": ADA.email, "password": ADA.password}
    status, page = browser.post(form.action or "/login", **form.fields | typed)
    assert status == 200, page
    return browser


def newest_mail(browser: Browser, address: str, subject: str) -> str:
    """Return the path of the newest mail in a mailbox whose subject begins so."""
    link = rf'href="({MAILBOXES}/{address}/\d+)">{subject}'
    found = re.search(link, browser.page(MAILBOXES))
    assert found
    return found[1]


def asked(browser: Browser) -> tuple[str, str]:
    """Ask Bob once more; return the path of the mail to him, and that of the approval."""
    browser.send(MAILBOXES, f"{MAILBOXES}/ask")
    path = newest_mail(browser, BOB.email, "Approval requested")
    found = re.search(r"/approvals/\d+", browser.page(path))
    assert found
    return path, found[0]


def waiting(browser: Browser) -> int:
    found = re.search(rf"{FLEXMAIL}: the reply folder, (\d+) waiting", browser.page(MAILBOXES))
    assert found
    return int(found[1])


def test_it_says_where_it_is_and_who_can_sign_in(welcome: str) -> None:
    for said in (ADA.email, ADA.password, BOB.email, BOB.password, MAILBOXES, "every minute"):
        assert said in welcome


def test_an_answer_by_link_approves_and_is_confirmed(browser: Browser, ada: Browser) -> None:
    path, approval = asked(browser)
    assert "pending" in ada.page(approval).lower()
    link = re.search(rf'href="({path}\?answer=1)"[^>]*>Approve<', browser.page(path))
    assert link

    browser.send(link[1], path, body="Approve\n\nGo ahead.\n\n" + reference_lines(browser, path))
    assert waiting(browser) == 1
    page = browser.send(MAILBOXES, f"{MAILBOXES}/read")

    assert f"{BOB.email} approved the request" in page
    assert waiting(browser) == 0
    assert "approved" in ada.page(approval).lower()
    assert "Go ahead." in ada.page(approval)
    assert (
        "your answer was counted"
        in browser.page(newest_mail(browser, BOB.email, "Approved:")).lower()
    )


def reference_lines(browser: Browser, path: str) -> str:
    (form,) = (form for form in forms_of(browser.page(f"{path}?answer=1")) if form.action == path)
    return form.fields["body"].partition("\n")[2].strip()


def test_an_event_reached_who_subscribed_and_its_link_stops_such_mail(
    browser: Browser, ada: Browser
) -> None:
    path = newest_mail(browser, ADA.email, "Failed: Deploy shop 2.3 to production")
    page = browser.page(path)
    assert "You are subscribed to failed at shop." in page
    found = re.search(r'href="http://127\.0\.0\.1:\d+(/unsubscribe/[^"]+)"', page)
    assert found
    assert ADA.email in browser.page(found[1])
    status, page = browser.post(found[1], **{"List-Unsubscribe": "One-Click"})
    assert (status, "This mail is stopped" in page) == (200, True)
    asked = ada.page("/subscriptions?type=failed&scope=shop/prod")
    assert "They switched off mail about failed." in asked
    assert newest_mail(browser, BOB.email, "Failed: Deploy shop 2.3 to production")


def test_a_reply_with_history_rejects(browser: Browser, ada: Browser) -> None:
    path, approval = asked(browser)
    (form,) = (
        form for form in forms_of(browser.page(f"{path}?answer=reply")) if form.action == path
    )
    assert form.fields["body"].startswith("\n\nOn ")
    browser.send(f"{path}?answer=reply", path, body=f"Reject{form.fields['body']}")
    page = browser.send(MAILBOXES, f"{MAILBOXES}/read")
    assert f"{BOB.email} rejected the request" in page
    assert "rejected" in ada.page(approval).lower()


def test_an_empty_reply_decides_nothing_and_is_explained(browser: Browser, ada: Browser) -> None:
    path, approval = asked(browser)
    browser.send(f"{path}?answer=reply", path)
    assert "unclear" in browser.send(MAILBOXES, f"{MAILBOXES}/read")
    assert "pending" in ada.page(approval).lower()
    assert newest_mail(browser, BOB.email, "Your answer was not counted")


def test_commands_in_a_second_terminal_reach_it(welcome: str, browser: Browser) -> None:
    done = flexmail_beside(welcome, "settings", "test", "--to", ADA.email)
    assert done.returncode == 0, done.stderr
    assert newest_mail(browser, ADA.email, "flexmail test mail")


def test_whoever_is_signed_in_keeps_the_navigation(browser: Browser, ada: Browser) -> None:
    assert "Sign out" in ada.page(MAILBOXES)
    assert "Sign out" not in browser.page(MAILBOXES)


def test_looking_at_mail_and_answers_changes_nothing(browser: Browser) -> None:
    path, _ = asked(browser)
    before = browser.page(MAILBOXES).count("<tr>")
    for look in (path, f"{path}?answer=1", f"{path}?answer=2", f"{path}?answer=reply"):
        browser.page(look)
    for action in ("read", "ask"):
        assert browser.get(f"{MAILBOXES}/{action}")[0] in (404, 405)
    assert browser.page(MAILBOXES).count("<tr>") == before


def test_nothing_is_sent_without_a_csrf_token(browser: Browser) -> None:
    path, _ = asked(browser)
    before = waiting(browser)
    for action in (path, f"{MAILBOXES}/read", f"{MAILBOXES}/ask"):
        assert browser.post(action, answer="1", subject="Re", body="Approve")[0] == 400
    assert waiting(browser) == before


def test_what_the_mail_server_would_refuse_is_said_beside_the_answer(browser: Browser) -> None:
    path, _ = asked(browser)
    form = next(form for form in forms_of(browser.page(f"{path}?answer=1")) if form.action == path)
    status, page = browser.post(path, **form.fields | {"subject": "two\r\nlines"})
    assert status == 422
    assert "was not sent" in page


def test_only_people_answer_and_only_what_exists_is_shown(browser: Browser) -> None:
    path, _ = asked(browser)
    browser.send(f"{path}?answer=1", path)
    inbox = newest_mail(browser, FLEXMAIL, "Re:")
    assert "?answer=" not in browser.page(inbox)
    browser.send(MAILBOXES, f"{MAILBOXES}/read")
    for missing in (inbox, f"{MAILBOXES}/charlie@evil.test/101", f"{MAILBOXES}/{BOB.email}/9999"):
        assert browser.get(missing)[0] == 404


def test_a_page_elsewhere_cannot_give_this_machine_a_name_of_its_own(browser: Browser) -> None:
    assert browser.get(MAILBOXES, Host="evil.test")[0] == 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    own = tmp_path / "own.db"
    environment = {
        "TMPDIR": str(tmp_path),
        "FLEXMAIL_SQLALCHEMY_DATABASE_URI": f"sqlite:///{own}",
        "FLEXMAIL_BASE_URL": "no address",
    }
    with running(**environment) as (process, said):
        assert [path.name.startswith("flexmail-demo-") for path in tmp_path.iterdir()] == [True]
        assert Browser(address_in(said)).get(MAILBOXES)[0] == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("The demo ends.\n")
    assert not list(tmp_path.iterdir())


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_to_its_end([*COMMAND, "--port", str(port)])
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"Port {port} of 127.0.0.1 is in use" in done.stderr


@pytest.mark.parametrize("missing", ["aiosmtpd", "pymap", "trustme"])
def test_without_the_extra_one_line_says_how_to_install_it(missing: str) -> None:
    without = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['flexmail', 'demo'];"
        "from flexmail.__main__ import main; main()"
    )
    done = run_to_its_end([sys.executable, "-c", without])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.removeprefix("Error: ") == f"{INSTALL}\n"


def run_to_its_end(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
