"""The fuzzer's properties on a few hundred inputs, always the same: so that it cannot rot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flexmail.mail.address import Mailbox
from flexmail.mail.decision import Decision
from flexmail.mail.parse import Parsed, parse
from tests.fuzz import alterations, oracle, seeds
from tests.fuzz.judgement import BOB, REFERENCE, judge
from tests.fuzz.shapes import CARRIAGES, SHAPES, Carriage, Parts, Shape, mail, right
from tests.fuzz.supply import Supply
from tests.fuzz.target import (
    DECISION_ALTERED,
    REFERENCE_ALTERED,
    SENDER_ALTERED,
    SEVERAL,
    Finding,
    check,
    check_alteration,
    check_mail,
)

PLAIN = SHAPES[0]
LIKE_A_CLIENT = CARRIAGES[0]


@pytest.mark.parametrize("carriage", CARRIAGES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_what_is_not_altered_approves(shape: Shape, carriage: Carriage) -> None:
    assert check_mail(mail(shape, right(shape), carriage)).approves


@pytest.mark.parametrize("kind", [REFERENCE_ALTERED, SENDER_ALTERED, DECISION_ALTERED, SEVERAL])
def test_what_is_altered_never_approves(kind: int) -> None:
    choices = seeds.chance(kind)
    inputs = [choices.randbytes(size) for size in (24, 96, 384) for _ in range(100)]
    altered = [check_alteration(kind, Supply(data)) for data in inputs]
    assert sum(altered) > len(altered) / 2


def test_each_way_to_alter_is_tried_and_none_approves() -> None:
    choices = seeds.chance(7)
    for way in (
        *alterations.OF_THE_REFERENCE,
        *alterations.OF_THE_SENDER,
        *alterations.OF_THE_DECISION,
    ):
        altered = [way(Supply(choices.randbytes(64)), Parts()) for _ in range(30)]
        mails = [mail(PLAIN, parts, LIKE_A_CLIENT) for parts in altered if parts]
        assert mails, way.__name__
        assert [raw for raw in mails if judge(raw).approves] == []


def test_the_inputs_that_the_fuzzer_starts_from_hold() -> None:
    for data in seeds.own():
        check(data)


def test_a_mail_that_random_bytes_were_put_into_holds() -> None:
    choices = seeds.chance(11)
    raw = mail(SHAPES[-2], right(SHAPES[-2]), LIKE_A_CLIENT)
    for _ in range(200):
        at, put = choices.randrange(len(raw)), choices.randbytes(choices.randrange(4))
        check_mail(raw[:at] + put + raw[at + choices.randrange(40) :])


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("Approve", True),
        ("\n  ** yes **", True),
        ("thanks\n> APPROVED.", True),
        ("approval", False),
        ("I approve", False),
        ("", False),
    ],
)
def test_the_oracle_knows_where_an_approval_could_stand(text: str, may: bool) -> None:
    assert oracle.may_approve(text) is may


@pytest.mark.parametrize(
    "sender", ["From: charlie@evil.test", f"From: {BOB}, charlie@evil.test", f"X-From: {BOB}"]
)
def test_the_oracle_sees_who_else_wrote(sender: str) -> None:
    parts = Parts(senders=(sender,))
    assert not oracle.only_bob_wrote(mail(PLAIN, parts, LIKE_A_CLIENT))
    assert oracle.only_bob_wrote(mail(PLAIN, Parts(), LIKE_A_CLIENT))


def test_a_reading_that_believes_any_sender_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def believe(raw: bytes, *, partial: bool, whole_text: bool) -> Parsed:
        return replace(
            parse(raw, partial=partial, whole_text=whole_text), author=Mailbox("", BOB), problem=""
        )

    monkeypatch.setattr("flexmail.mail.desk.parse", believe)
    with pytest.raises(Finding, match="not every reader sees Bob"):
        check_alteration_with(Parts(senders=("From: charlie@evil.test",)))


def test_a_reading_that_takes_any_reference_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = frozenset({REFERENCE})
    monkeypatch.setattr("flexmail.mail.desk.find_references", lambda text: everywhere)
    with pytest.raises(Finding, match="does not stand there"):
        check_alteration_with(Parts(reference="FM-" + "A" * 26))


def test_a_grammar_that_approves_all_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Decision("approve", "", has_word=True, set_off=True)
    monkeypatch.setattr("flexmail.mail.reply.decide", lambda lines, words: everything)
    with pytest.raises(Finding, match="no line begins with a word that approves"):
        check_alteration_with(Parts(decision="Please wait"))
    choices = bytes([DECISION_ALTERED, 0, 0, 1, 0])
    with pytest.raises(Finding, match="with a_doubtful_line altered"):
        check(choices)


def check_alteration_with(parts: Parts) -> None:
    check_mail(mail(PLAIN, parts, LIKE_A_CLIENT))


def test_the_same_bytes_are_the_same_choices_and_none_is_the_first() -> None:
    data = bytes(range(1, 60))
    first, again = Supply(data), Supply(data)
    for supply in (first, again):
        supply.pick("abc")
    assert [first.number(7), first.text(), first.rest()] == [
        again.number(7),
        again.text(),
        again.rest(),
    ]
    assert (Supply(b"").number(9), Supply(b"").pick("ab"), Supply(b"").text()) == (0, "a", "")
