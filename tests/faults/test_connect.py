"""The reply folder cannot be reached, or not safely: the run says so and nothing is lost."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from flexmail.services import status
from flexmail.services.reply_run import Report
from tests.faults.acts import Fault, answer, changed, hook, instead, stall
from tests.faults.oracle import ASIDE, FOLDER, HASTY, Scene
from tests.faults.proxy import Proxy
from tests.servers import PASSWORD, Dovecot

pytestmark = pytest.mark.dovecot

NewScene = Callable[..., Scene]
LOGIN = rb"AUTHENTICATE|LOGIN "


def alarm(scene: Scene) -> str:
    """Return what the status says about the reply job."""
    told = status.overview(now=datetime.now(UTC))["reply_processing"]
    assert told["failing_since"] is not None
    return str(told["error"])


def came_to_nothing(scene: Scene, report: Report, words: str) -> None:
    """Check that the run read nothing, says why, and that the status says the same."""
    assert report.looked_at == 0
    assert words in report.error
    assert alarm(scene) == report.error
    assert scene.outcomes() == {}


def logins(proxy: Proxy) -> int:
    return sum(b"AUTHENTICATE" in line or b"LOGIN" in line for line in proxy.said("flexmail"))


def test_a_connection_that_is_refused(scene: Scene) -> None:
    scene.proxy.refuse()

    came_to_nothing(scene, scene.run(), "refused the connection")

    scene.proxy.listen()
    scene.clear()


@pytest.mark.parametrize("tls", ["clear", "implicit"])
def test_a_server_that_never_greets(tls: str, new_scene: NewScene) -> None:
    scene = new_scene(tls)
    scene.proxy.put(fault := Fault("server", rb"^\* OK", stall))

    came_to_nothing(scene, scene.run(HASTY), "did not answer in time")

    assert fault.fired == 1
    scene.clear()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_greeting_of_bye(tls: str, new_scene: NewScene) -> None:
    scene = new_scene(tls)
    scene.proxy.put(fault := Fault("server", rb"^\* OK", instead(b"* BYE full\r\n", then_cut=True)))

    came_to_nothing(scene, scene.run(), "full")

    assert fault.fired == 1
    scene.clear()


def test_a_wrong_password_is_tried_ten_times_an_hour_at_most(scene: Scene) -> None:
    scene.save(imap_password="wrong by one letter")
    no = answer(b"TAG NO [AUTHENTICATIONFAILED] wrong user or password\r\n")
    scene.proxy.put(tried := Fault("flexmail", LOGIN, no, times=0))

    for minute in range(60):
        scene.run(after=timedelta(minutes=minute), at_once=False, checked=minute == 59)

    assert sum(report.looked_at for report in scene.reports) == 0
    assert 1 <= tried.fired <= 10
    assert "IMAP Password" in alarm(scene)
    assert "wrong by one letter" not in alarm(scene)
    scene.save(imap_password=PASSWORD)
    scene.clear()


def test_a_server_that_is_unavailable_for_now(scene: Scene) -> None:
    no = answer(b"TAG NO [UNAVAILABLE] later\r\n")
    scene.proxy.put(fault := Fault("flexmail", LOGIN, no))

    came_to_nothing(scene, scene.run(), "cannot log anybody in now")

    assert fault.fired == 1
    scene.clear()


def test_a_folder_that_is_missing(scene: Scene) -> None:
    scene.save(email_reply_folder="Replies")

    came_to_nothing(scene, scene.run(), "There is no folder Replies")

    assert f"Folders that exist: {ASIDE}, {FOLDER}." in alarm(scene)
    scene.save(email_reply_folder=FOLDER)
    scene.clear()


def shown(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    now = datetime.now(UTC)
    certificate = authority.issue_cert(
        *names,
        not_before=now - timedelta(days=3) if expired else None,
        not_after=now - timedelta(days=1) if expired else None,
    )
    certificate.configure_cert(context)
    return context


def self_signed() -> ssl.SSLContext:
    """A certificate that vouches for itself: that of an authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as cert:
        context.load_cert_chain(cert, key)
    return context


CERTIFICATES: dict[str, tuple[Callable[[Dovecot], ssl.SSLContext], str]] = {
    "self-signed": (lambda _: self_signed(), "self-signed or comes from an unknown authority"),
    "of an unknown authority": (lambda _: shown(trustme.CA(), Proxy.host), "unknown authority"),
    "for another host": (lambda it: shown(it.authority, "other.test"), "made for another name"),
    "expired": (lambda it: shown(it.authority, Proxy.host, expired=True), "has expired"),
}


@pytest.mark.parametrize(
    ("why", "tls"), [*((why, "implicit") for why in CERTIFICATES), ("for another host", "starttls")]
)
def test_a_certificate_that_does_not_verify(
    why: str, tls: str, new_scene: NewScene, dovecot: Dovecot
) -> None:
    scene = new_scene(tls)
    right = scene.proxy.context
    make, words = CERTIFICATES[why]
    scene.proxy.context = make(dovecot)

    came_to_nothing(scene, scene.run(), words)

    assert logins(scene.proxy) == 0
    scene.proxy.context = right
    scene.clear()


def test_starttls_stripped_sends_no_password(new_scene: NewScene) -> None:
    scene = new_scene("starttls")
    scene.proxy.put(fault := Fault("server", rb"STARTTLS", changed(rb" STARTTLS", b""), times=0))

    came_to_nothing(scene, scene.run(), "the server takes no password on this connection")

    assert fault.fired
    assert sent_in_clear(scene.proxy) == []
    scene.clear()


def test_preauth_in_clear_is_not_believed(new_scene: NewScene) -> None:
    scene = new_scene("starttls")
    scene.proxy.put(fault := Fault("server", rb"^\* OK", instead(b"* PREAUTH welcome\r\n")))

    came_to_nothing(scene, scene.run(), "PREAUTH")

    assert fault.fired == 1
    assert sent_in_clear(scene.proxy) == []
    scene.clear()


def test_preauth_after_tls_lets_nobody_in_who_is_not(scene: Scene) -> None:
    scene.proxy.put(fault := Fault("server", rb"^\* OK", instead(b"* PREAUTH welcome\r\n")))

    came_to_nothing(scene, scene.run(), "")

    assert fault.fired == 1
    assert scene.reports[-1].error
    scene.clear()


def test_answers_glued_before_tls_are_not_believed(new_scene: NewScene) -> None:
    scene = new_scene("starttls")
    glued = b"TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n"
    scene.proxy.put(fault := Fault("flexmail", rb"STARTTLS", answer(glued)))

    came_to_nothing(scene, scene.run(), "more in clear than its answer to STARTTLS")

    assert fault.fired == 1
    assert sent_in_clear(scene.proxy) == []
    scene.clear()


def test_a_server_that_goes_away_between_name_and_folder(scene: Scene) -> None:
    scene.proxy.put(fault := Fault("flexmail", rb"SELECT", hook(scene.proxy.cut)))

    came_to_nothing(scene, scene.run(), "closed the connection")

    assert fault.fired == 1
    scene.clear()


def sent_in_clear(proxy: Proxy) -> list[bytes]:
    """Return the lines of flexmail that anybody could read and that hold the password."""
    words = (PASSWORD.encode(), base64.b64encode(PASSWORD.encode())[:-2], b"AUTHENTICATE", b"LOGIN")
    return [
        line
        for side, encrypted, line in proxy.heard
        if side == "flexmail" and not encrypted and any(word in line for word in words)
    ]
