"""What may stand above the word: banners of gateways, greetings, and nothing else."""

from __future__ import annotations

import pytest

from flexmail.mail.parse import Parsed
from flexmail.mail.reply import DEFAULT_WORDS, Words, read

TIP = "https://aka.ms/LearnAboutSenderIdentification"
BANNERS = [
    f"You don't often get email from bob@corp.test. Learn why this is important<{TIP}>",
    "You don’t often get email from bob@corp.test. Learn why this is important",
    f"[You don't often get email from bob@corp.test. Learn why this is important at {TIP} ]",
    f"Some people who received this message don't often get email from bob@corp.test. Learn why\n"
    f"this is important<{TIP}>",
    f"Sie erhalten nicht oft E-Mails von bob@corp.test. Warum dies wichtig ist<{TIP}>",
    f"Vous ne recevez pas souvent de courriers de bob@corp.test. Pourquoi ?<{TIP}>",
    f"Non si ricevono spesso messaggi di posta elettronica da bob@corp.test.<{TIP}>",
    f"U ontvangt niet vaak e-mail van bob@corp.test.<{TIP}>",
    "*** EXTERNAL EMAIL ***",
    "[EXTERNAL]",
    "EXTERNAL SENDER - be careful with links.",
    "CAUTION: This email originated from outside of the organization. Do not click links or\n"
    "open attachments unless you recognize the sender and know the content is safe.",
    "This message was sent from outside the company. Please do not click links.",
    "WARNING: This email is from an external source.",
    "ACHTUNG: Diese E-Mail stammt von einem externen Absender.",
    "VORSICHT: Diese E-Mail kommt von außerhalb.",
    "ATTENTION : ce courriel provient de l'extérieur de l'organisation.",
    "PRECAUCIÓN: Este correo se originó fuera de la organización. No haga clic en enlaces.",
    "ATENÇÃO: este e-mail foi enviado de fora da organização.",
    "ATTENZIONE: questa e-mail proviene da un mittente esterno.",
    "LET OP: deze e-mail komt van buiten de organisatie.",
    "ADVARSEL: denne e-mail er ekstern.",
    "VARNING: detta meddelande kommer utanför organisationen.",
    "UWAGA: wiadomość spoza organizacji.",
    "ВНИМАНИЕ: внешний отправитель.",
    "【外部】外部からのメールです。",
]
GREETINGS = [
    "Hi Dana,",
    "Hi Dana and Bob,",
    "Hallo Frau Müller-Lüdenscheidt,",
    "Dear Mr. O'Brien,",
    "Dear Sir or Madam,",
    "Hello Dana –",
    "Good morning Dana!",
    "Hi team",
    "Bonjour tous",
    "Guten Tag zusammen,",
    "お疲れ様です 田中さん",
]


def verdict(text: str) -> str | None:
    return read(Parsed(plain=text), DEFAULT_WORDS).verdict


@pytest.mark.parametrize("banner", BANNERS)
def test_a_banner_is_passed_over_in_the_words_of_many_gateways(banner: str) -> None:
    assert verdict(f"{banner}\n\nApprove") == "approve"
    assert verdict(f"{banner}\n\nReject, too dear") == "reject"
    assert verdict(f"{banner}\n\nHi Dana,\n\nApprove") == "approve"
    assert verdict(f"{banner}\n\nPlease wait\n\nApprove") is None
    assert verdict(banner) is None


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_greeting_is_passed_over_whomever_it_greets(greeting: str) -> None:
    assert verdict(f"{greeting}\n\nApprove") == "approve"
    assert verdict(f"{greeting}\n\nI will look at it.\n\nApprove") is None


def test_two_banners_may_stand_above_one_another_but_not_three() -> None:
    tip, caution = BANNERS[0], "[EXTERNAL]"
    assert verdict(f"{tip}\n\n{caution}\n\nApprove") == "approve"
    assert verdict(f"{tip}\n\n{caution}\n\n{caution}\n\nApprove") is None


def test_a_banner_ends_at_a_blank_line_or_above_a_word_that_stands_alone() -> None:
    assert verdict("CAUTION: external sender.\nApprove") == "approve"
    assert verdict("CAUTION: external sender.\nReject") == "reject"
    assert verdict("CAUTION: external sender.\nApprove this at your own risk") is None
    assert verdict("CAUTION: external sender.\nReject, if links are dangerous") is None
    assert verdict("CAUTION: external sender.\nBe careful\n\nApprove") == "approve"
    assert verdict("CAUTION: external sender, do not\nApprove") is None
    assert verdict("CAUTION: external sender.\nPlease wait\nApprove") is None


@pytest.mark.parametrize(
    "opening",
    [
        "CAUTION: external sender said to approve",
        "CAUTION: this email is wrong",
        "I got an external email",
        "External auditors say no",
        "You don't often get email like that",
        "Hi Dana, not yet",
        "Hello no",
        "Hi waiting",
        "Hi, Wait",
        "Dana,",
        "Declined,",
        "你好 请等一下",
    ],
)
def test_what_could_be_meant_is_not_passed_over(opening: str) -> None:
    assert verdict(f"{opening}\n\nApprove") is None
    assert verdict(f"{opening}\n\nReject") is None


def test_a_word_of_the_settings_in_a_banner_keeps_it_from_being_passed_over() -> None:
    words = Words(frozenset({"approve", "external"}), frozenset({"reject"}))
    text = "CAUTION: This message comes from an external sender.\n\nApprove"
    assert read(Parsed(plain=text), words).verdict is None
    assert read(Parsed(plain=text), DEFAULT_WORDS).verdict == "approve"
