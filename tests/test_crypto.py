"""Sealing: what goes in comes out, for nobody without a key."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from flask import Flask

from flexmail.crypto import KeyRing, key_ring
from flexmail.errors import ConfigError, SecretUnreadable

OLD, NEW, STRANGE = (urlsafe_b64encode(byte * 32).decode() for byte in (b"o", b"n", b"s"))
SECRET = "Grüße from the vault"


@pytest.mark.parametrize("plain", [SECRET, "", "x" * 100_000])
def test_what_was_sealed_opens_to_the_same(plain: str) -> None:
    assert KeyRing(NEW).open(KeyRing(NEW).seal(plain)).decode() == plain


def test_bytes_are_sealed_as_they_are() -> None:
    assert KeyRing(NEW).open(KeyRing(NEW).seal(b"\x00\xff")) == b"\x00\xff"


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    ring = KeyRing(NEW)
    assert ring.seal(SECRET) != ring.seal(SECRET)
    assert SECRET.encode() not in ring.seal(SECRET)


def test_the_newest_key_seals_and_all_keys_open() -> None:
    both = KeyRing(f"{NEW},{OLD}")
    assert both.open(KeyRing(OLD).seal(SECRET)).decode() == SECRET
    assert KeyRing(NEW).open(both.seal(SECRET)).decode() == SECRET
    with pytest.raises(SecretUnreadable):
        KeyRing(OLD).open(both.seal(SECRET))


@pytest.mark.parametrize("keys", [f"{NEW},{OLD}", f" {NEW} , {OLD} ,", f"{NEW}\n{OLD}\n"])
def test_keys_stand_in_a_comma_list_or_one_a_line(keys: str) -> None:
    assert KeyRing(keys).open(KeyRing(OLD).seal(SECRET)).decode() == SECRET


def test_rotating_seals_the_same_secret_with_the_newest_key() -> None:
    rotated = KeyRing(f"{NEW},{OLD}").rotate(KeyRing(OLD).seal(SECRET))
    assert KeyRing(NEW).open(rotated).decode() == SECRET


def test_rotating_without_the_old_key_is_refused() -> None:
    with pytest.raises(SecretUnreadable):
        KeyRing(NEW).rotate(KeyRing(OLD).seal(SECRET))


@pytest.mark.parametrize("harm", ["strange key", "changed", "cut", "garbage", "empty"])
def test_what_no_key_opens_says_what_to_do_and_shows_nothing(harm: str) -> None:
    sealed = KeyRing(STRANGE if harm == "strange key" else NEW).seal(SECRET)
    given = {
        "changed": sealed[:-4] + b"AAA=",
        "cut": sealed[:40],
        "garbage": b"\xff\x00 nothing",
        "empty": b"",
    }.get(harm, sealed)
    with pytest.raises(SecretUnreadable) as raised:
        KeyRing(NEW).open(given)
    said = str(raised.value)
    assert "FLEXMAIL_ENCRYPTION_KEYS" in said
    assert "encryption.key" in said
    assert SECRET not in said
    assert NEW not in said


@pytest.mark.parametrize(
    "keys", ["", ",", " \n ", "nonsense", NEW[:-2], f"{NEW},nonsense", "ü" * 44, "A" * 44 + "!"]
)
def test_a_malformed_key_stops_with_a_sentence_that_names_it_and_hides_it(keys: str) -> None:
    with pytest.raises(ConfigError, match="FLEXMAIL_ENCRYPTION_KEYS") as raised:
        KeyRing(keys)
    assert all(part not in str(raised.value) for part in (NEW, "nonsense", "ü"))


def test_the_ring_shows_no_key() -> None:
    assert NEW not in repr(KeyRing(NEW))


def test_an_application_has_its_own_key_ring(context: Flask) -> None:
    keys = str(context.config["ENCRYPTION_KEYS"])
    assert KeyRing(keys).open(key_ring().seal(SECRET)).decode() == SECRET
