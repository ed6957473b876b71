"""Mail sealed small: the same bytes come out, whichever way it was sealed."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from flexmail.crypto import KeyRing
from flexmail.errors import SecretUnreadable
from flexmail.services import events, sealed_mail
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, ask, opened, queued, read, set_up

RAW = b"From: a@b.test\r\nTo: c@d.test\r\n\r\n" + b"Whatever it was. " * 200


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing(Fernet.generate_key().decode())


def test_a_mail_comes_out_as_it_went_in_and_takes_less_room(ring: KeyRing) -> None:
    sealed = sealed_mail.seal(RAW, ring)
    assert sealed_mail.opened(sealed, ring) == RAW
    assert len(sealed) < len(RAW) / 2
    assert b"a@b.test" not in sealed


def test_a_short_mail_is_sealed_as_it_is_and_opens(ring: KeyRing) -> None:
    short = RAW[:200]
    sealed = sealed_mail.seal(short, ring)
    assert ring.open(sealed) == sealed_mail.opened(sealed, ring) == short


def test_a_mail_that_was_sealed_as_it_is_opens_too(ring: KeyRing) -> None:
    assert sealed_mail.opened(ring.seal(RAW), ring) == RAW


def test_what_no_key_opens_is_said(ring: KeyRing) -> None:
    other = KeyRing(Fernet.generate_key().decode())
    with pytest.raises(SecretUnreadable):
        sealed_mail.opened(sealed_mail.seal(RAW, ring), other)


def test_a_sealed_mail_is_sealed_anew_with_another_key(ring: KeyRing) -> None:
    newer = Fernet.generate_key().decode()
    older = Fernet.generate_key().decode()
    rotated = KeyRing(f"{newer},{older}").rotate(sealed_mail.seal(RAW, KeyRing(older)))
    assert sealed_mail.opened(rotated, KeyRing(newer)) == RAW


def test_a_mail_in_the_outbox_takes_less_room_than_on_its_way(people: Flask) -> None:
    set_up()
    ask()
    data = {"details": "Contains the new invoice format. " * 20}
    events.send(NewEvent("failed", data=data, recipients=(ADA,)), now=NOW)
    request, event = queued()
    for mail in (request, event):
        assert len(mail.sealed_content) < 0.7 * len(opened(mail))
    assert read(opened(request))["To"] == BOB
    assert read(opened(event))["To"] == ADA
