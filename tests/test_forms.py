"""The settings' fields: labels, defaults and rules as the documentation has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme
from flask import Flask
from werkzeug.datastructures import MultiDict

from flexmail import create_app
from flexmail.errors import InvalidInput
from flexmail.forms import FOLDER_WARNING, EmailSettingsForm, values_from
from flexmail.services import settings

NEEDED: dict[str, object] = {
    "smtp_host_name": "mail.corp.test",
    "smtp_from_address": "deploy@corp.test",
}
APPROVAL: dict[str, object] = {"enable_email_approval": True, "imap_host_name": "mail.corp.test"}

FIELDS: dict[str, tuple[str, object]] = {
    "smtp_host_name": ("SMTP Host Name", ""),
    "smtp_host_port": ("SMTP Host Port", 587),
    "smtp_user": ("SMTP User", ""),
    "smtp_password": ("SMTP Password", ""),
    "smtp_from_address": ("SMTP From Address", ""),
    "smtp_enable_starttls": ("SMTP Enable STARTTLS", True),
    "smtp_implicit_tls": ("SMTP SSL/TLS", False),
    "enable_email_approval": ("Enable Email Approval", False),
    "imap_host_name": ("IMAP Host Name", ""),
    "imap_host_port": ("IMAP Host Port", 143),
    "imap_user": ("IMAP User", ""),
    "imap_password": ("IMAP Password", ""),
    "imap_enable_starttls": ("IMAP Enable STARTTLS", True),
    "imap_implicit_tls": ("IMAP SSL/TLS", False),
    "email_reply_folder": ("Email Reply Folder", "INBOX"),
    "approval_reply_address": ("Approval Reply Address", ""),
    "email_reply_process_interval": ("Email Reply Process Interval", 5),
    "email_reply_process_count": ("Email Reply Process Count", 30),
    "approve_words": ("Words that approve", "approve, approved, yes"),
    "reject_words": ("Words that reject", "reject, rejected, no"),
    "reply_trust": ("What a reply must prove", "reference_and_sender"),
    "trusted_authserv_id": ("Mail server that authenticates senders", ""),
    "tls_ca_certificates": ("Extra CA certificates", ""),
    "process_as_they_arrive": ("Process replies as they arrive", False),
    "smtp_auth": ("SMTP Authentication", "password"),
    "imap_auth": ("IMAP Authentication", ""),
    "keep_processed_days": ("Keep processed mail", 30),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """One application for all cases: they store nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEXMAIL_INSTANCE_PATH", str(tmp_path_factory.mktemp("instance")))
        return create_app({"TESTING": True})


@pytest.fixture
def context(shared: Flask) -> Iterator[Flask]:
    with shared.app_context():
        yield shared


def check(**given: object) -> dict[str, str | int | bool]:
    stored = settings.stored_values(settings.load())
    return values_from(stored, NEEDED | given)


def refused(**given: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as raised:
        check(**given)
    return raised.value.errors


def page(**given: str) -> EmailSettingsForm:
    """Return the form as a browser sends it: text only, a tick that is off is absent."""
    sent = {
        "smtp_host_name": "mail.corp.test",
        "smtp_host_port": "587",
        "smtp_from_address": "deploy@corp.test",
        "smtp_auth": "password",
        "imap_auth": "",
        "imap_host_port": "143",
        "email_reply_process_interval": "5",
        "email_reply_process_count": "30",
        "approve_words": "approve",
        "reject_words": "reject",
        "reply_trust": "reference_and_sender",
        "keep_processed_days": "30",
    }
    form = EmailSettingsForm(formdata=MultiDict(sent | given), meta={"csrf": False})
    form.validate()
    return form


def test_the_form_has_every_documented_field_and_three_ticks_more(context: Flask) -> None:
    form = EmailSettingsForm(formdata=None, meta={"csrf": False})
    ticks = {"smtp_password_remove", "imap_password_remove", "confirm_deletion"}
    assert set(form._fields) == set(FIELDS) | ticks


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_has_its_label_its_default_and_a_sentence_of_help(
    name: str, context: Flask
) -> None:
    field = EmailSettingsForm(formdata=None, meta={"csrf": False})[name]
    label, default = FIELDS[name]
    assert field.label.text == label
    assert (field.data or False) == (default or False)
    assert field.description.endswith(".")


@pytest.mark.parametrize("name", [name for name in FIELDS if not name.endswith("_password")])
def test_the_stored_defaults_are_the_documented_ones(name: str, context: Flask) -> None:
    assert settings.stored_values(settings.load())[name] == FIELDS[name][1]


def test_the_folder_warning_says_that_mail_is_deleted_and_the_account_is_dedicated() -> None:
    assert "deleted" in FOLDER_WARNING
    assert "alone" in FOLDER_WARNING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_host_name", ""),
        ("smtp_host_name", "  "),
        ("smtp_host_name", "https://mail.corp.test"),
        ("smtp_host_name", "mail corp.test"),
        ("smtp_host_name", "mail.corp.test:587"),
        ("smtp_host_name", "mail\r\n.corp.test"),
        ("smtp_host_name", "a" * 254),
        ("smtp_host_name", "-mail.corp.test"),
        ("smtp_host_port", 0),
        ("smtp_host_port", 65536),
        ("smtp_host_port", 10**400),
        ("smtp_host_port", -1),
        ("smtp_user", "a\nb"),
        ("smtp_user", "a\x00b"),
        ("smtp_user", "a" * 321),
        ("smtp_password", "line\nbreak"),
        ("smtp_password", "a" * 1001),
        ("smtp_from_address", ""),
        ("smtp_from_address", "nobody"),
        ("smtp_from_address", "a@corp.test, b@corp.test"),
        ("smtp_from_address", "A <a@corp.test>\r\nBcc: x@evil.test"),
        ("smtp_from_address", "Boss boss@corp.test <evil@x.test>"),
        ("smtp_auth", "oauth2"),
        ("smtp_auth", ""),
        ("imap_auth", "oauth2"),
        ("imap_host_name", "imap://mail.corp.test"),
        ("imap_host_port", 0),
        ("imap_host_port", 70000),
        ("imap_user", "a\tb"),
        ("imap_password", "a\x7fb"),
        ("email_reply_folder", "IN\r\nBOX"),
        ("email_reply_folder", "a" * 256),
        ("approval_reply_address", "two@corp.test three@corp.test"),
        ("email_reply_process_interval", 0),
        ("email_reply_process_interval", 1441),
        ("email_reply_process_count", 0),
        ("email_reply_process_count", 1001),
        ("approve_words", ""),
        ("approve_words", " , "),
        ("approve_words", "go ahead"),
        ("approve_words", "ja!"),
        ("approve_words", "genehmigt, да"),
        ("reject_words", ""),
        ("reject_words", "n0"),
        ("reply_trust", "anything"),
        ("reply_trust", ""),
        ("trusted_authserv_id", "a\nb"),
        ("tls_ca_certificates", "nonsense"),
        ("tls_ca_certificates", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        ("tls_ca_certificates", "Zertifikat für uns"),
        ("keep_processed_days", -1),
        ("keep_processed_days", 3651),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(
    name: str, value: object, context: Flask
) -> None:
    errors = refused(**{name: value})
    assert list(errors) == [name]
    assert all(sentence.endswith(".") or sentence.endswith("?") for sentence in errors[name])


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("smtp_host_name", " mail.corp.test ", "mail.corp.test"),
        ("smtp_host_name", "192.0.2.7", "192.0.2.7"),
        ("smtp_host_name", "2001:db8::7", "2001:db8::7"),
        ("smtp_host_name", "mail_1.corp.test", "mail_1.corp.test"),
        ("smtp_host_port", 1, 1),
        ("smtp_host_port", 65535, 65535),
        ("smtp_password", "  spaces stay  ", "  spaces stay  "),
        ("smtp_password", "pässwörd", "pässwörd"),
        ("smtp_password", "a" * 1000, "a" * 1000),
        ("smtp_from_address", "Grüße <deploy@corp.test>", "Grüße <deploy@corp.test>"),
        ("email_reply_folder", "Freigaben/Grüße", "Freigaben/Grüße"),
        ("email_reply_folder", "", "INBOX"),
        ("approval_reply_address", "", ""),
        ("email_reply_process_interval", 1, 1),
        ("email_reply_process_interval", 1440, 1440),
        ("email_reply_process_count", 1000, 1000),
        ("approve_words", "OK, Genehmigt", "OK, Genehmigt"),
        ("imap_auth", "password", "password"),
        ("keep_processed_days", 0, 0),
        ("keep_processed_days", 3650, 3650),
    ],
)
def test_a_right_value_is_kept(name: str, value: object, kept: object, context: Flask) -> None:
    assert check(**{name: value})[name] == kept


def test_a_certificate_in_pem_is_kept(context: Flask) -> None:
    pem = trustme.CA().cert_pem.bytes().decode()
    assert (
        check(tls_ca_certificates=f"\n{pem}{pem}\n")["tls_ca_certificates"] == (pem + pem).strip()
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_host_port", "587"),
        ("smtp_host_port", 587.0),
        ("smtp_host_port", True),
        ("smtp_host_port", None),
        ("smtp_host_port", [587]),
        ("email_reply_process_count", ""),
        ("smtp_enable_starttls", "true"),
        ("smtp_enable_starttls", 1),
        ("enable_email_approval", "off"),
        ("smtp_password_remove", "y"),
        ("smtp_host_name", 5),
        ("smtp_host_name", ["mail.corp.test"]),
        ("smtp_host_name", {"a": 1}),
        ("smtp_password", 12345),
        ("approve_words", ["yes"]),
    ],
)
def test_a_program_has_to_give_json_types(name: str, value: object, context: Flask) -> None:
    assert list(refused(**{name: value})) == [name]


@pytest.mark.parametrize("name", ["smtp_enable_starttls", "enable_email_approval"])
def test_null_for_a_tick_is_refused(name: str, context: Flask) -> None:
    assert list(refused(**{name: None})) == [name]


@pytest.mark.parametrize(
    "name",
    ["revision", "id", "sealed_smtp_password", "smtp_hostname", "csrf_token", "validate", ""],
)
def test_an_unknown_key_is_refused_by_name(name: str, context: Flask) -> None:
    assert list(refused(**{name: "x"})) == [name]


def test_all_wrong_fields_are_told_at_once(context: Flask) -> None:
    errors = refused(smtp_host_port=0, smtp_user=5, nothing=1, smtp_from_address="x")
    assert set(errors) == {"smtp_host_port", "smtp_user", "nothing", "smtp_from_address"}


@pytest.mark.parametrize("name", ["smtp_password", "imap_password"])
@pytest.mark.parametrize("shown", ["set", "not set"])
def test_what_is_shown_in_place_of_a_password_is_no_password(
    name: str, shown: str, context: Flask
) -> None:
    assert list(refused(**{name: shown})) == [name]


@pytest.mark.parametrize("side", ["smtp", "imap"])
def test_typing_and_removing_a_password_at_once_is_refused(side: str, context: Flask) -> None:
    given = {f"{side}_password": "new", f"{side}_password_remove": True}
    assert list(refused(**given)) == [f"{side}_password_remove"]


@pytest.mark.parametrize("side", ["smtp", "imap"])
def test_implicit_tls_wins_over_starttls(side: str, context: Flask) -> None:
    values = check(**{f"{side}_implicit_tls": True, f"{side}_enable_starttls": True})
    assert values[f"{side}_implicit_tls"] is True
    assert values[f"{side}_enable_starttls"] is False
    other = "imap" if side == "smtp" else "smtp"
    assert values[f"{other}_enable_starttls"] is True


@pytest.mark.parametrize(
    ("approve", "reject"),
    [("yes", "yes"), ("ok, YES", "no, yes"), ("ja , nein", "nein"), ("a,b", "c, B ,d")],
)
def test_a_word_cannot_both_approve_and_reject(approve: str, reject: str, context: Flask) -> None:
    assert list(refused(approve_words=approve, reject_words=reject)) == ["reject_words"]


@pytest.mark.parametrize("host", ["", None, " "])
def test_the_imap_host_is_required_when_approval_is_on(host: object, context: Flask) -> None:
    assert list(refused(**(APPROVAL | {"imap_host_name": host}))) == ["imap_host_name"]
    assert check(imap_host_name=host)["imap_host_name"] == ""


@pytest.mark.parametrize("name", ["", " "])
def test_authenticated_senders_need_the_server_that_authenticates(
    name: str, context: Flask
) -> None:
    given = {"reply_trust": "authenticated_sender", "trusted_authserv_id": name}
    assert list(refused(**given)) == ["trusted_authserv_id"]
    assert check(**(given | {"trusted_authserv_id": "mx.corp.test"}))


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize(
    "name", ["imap_host_port", "email_reply_process_interval", "email_reply_process_count"]
)
def test_a_blank_number_is_the_default_while_approval_is_off(
    name: str, blank: str, context: Flask
) -> None:
    form = page(**{name: blank})
    assert form.errors == {}
    assert form.values()[name] == FIELDS[name][1]


@pytest.mark.parametrize(
    "name", ["imap_host_port", "email_reply_process_interval", "email_reply_process_count"]
)
def test_a_blank_number_is_an_error_while_approval_is_on(name: str, context: Flask) -> None:
    form = page(enable_email_approval="y", imap_host_name="mail.corp.test", **{name: ""})
    assert list(form.errors) == [name]


@pytest.mark.parametrize("name", ["smtp_host_port", "keep_processed_days"])
def test_other_blank_numbers_are_errors_always(name: str, context: Flask) -> None:
    assert list(page(**{name: ""}).errors) == [name]


def test_a_number_that_is_none_is_told_in_one_sentence(context: Flask) -> None:
    assert page(smtp_host_port="five").errors == {"smtp_host_port": ["Give a whole number."]}


@pytest.mark.parametrize("text", ["5.5", "five", "0x10", "1e3"])
def test_what_is_no_whole_number_is_refused_whether_approval_is_on_or_off(
    text: str, context: Flask
) -> None:
    assert list(page(email_reply_process_count=text).errors) == ["email_reply_process_count"]


def test_a_tick_that_is_absent_on_the_page_is_off(context: Flask) -> None:
    values = page().values()
    assert values["smtp_enable_starttls"] is False
    assert values["imap_enable_starttls"] is False


def test_what_a_program_leaves_out_keeps_its_stored_value(app: Flask) -> None:
    with app.app_context():
        settings.save(check(smtp_host_port=2525, smtp_enable_starttls=False, keep_processed_days=7))
        values = check()
    assert values["smtp_host_port"] == 2525
    assert values["smtp_enable_starttls"] is False
    assert values["keep_processed_days"] == 7


def test_the_page_never_shows_a_typed_password(context: Flask) -> None:
    form = page(smtp_password="typed-secret", imap_password="typed-too", smtp_host_port="0")
    assert form.errors
    shown = "".join(str(field()) for field in form)
    assert "typed" not in shown


@pytest.mark.parametrize("name", ["smtp_user", "smtp_password", "email_reply_folder"])
def test_half_a_character_is_refused(name: str, context: Flask) -> None:
    assert list(refused(**{name: "a\ud800"})) == [name]
