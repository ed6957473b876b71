"""The page of the email settings: what it shows, keeps, stores and refuses."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail import create_app
from flexmail.forms import FOLDER_WARNING, EmailSettingsForm
from flexmail.services import settings
from tests.services import stage
from tests.views.settings_form import PATH, TICKS, Shown, typed
from tests.views.visitor import Visitor

SECRET = "s3cret-of-the-mailbox"


def save(ada: Visitor, **changed: str | None) -> Shown:
    """Save, follow the redirect, and return the page that comes then."""
    return Shown(ada.follow(ada.post(PATH, typed(**changed))).text)


def refused(ada: Visitor, **changed: str | None) -> Shown:
    answer = ada.post(PATH, typed(**changed))
    assert answer.status_code == 422
    return Shown(answer.text)


def test_a_save_is_confirmed_and_shown(ada: Visitor) -> None:
    answer = ada.post(PATH, typed(smtp_host_port="2525"))
    assert (answer.status_code, answer.headers["Location"]) == (303, PATH)
    page = Shown(ada.follow(answer).text)
    assert page.notices("good") == ["The email settings are saved and in force."]
    assert page.value("smtp_host_name") == "smtp.corp.test"
    assert page.value("smtp_host_port") == "2525"
    assert page.value("smtp_from_address") == "Deployments <deploy@corp.test>"


def test_every_field_has_its_label_and_its_sentence(app: Flask, ada: Visitor) -> None:
    page = Shown(ada.get(PATH).text)
    with app.test_request_context():
        form = EmailSettingsForm(meta={"csrf": False})
    shown = [field for field in form if field.name != "confirm_deletion"]
    for field in shown:
        label = page.page.xpath(f"//label[@for='{field.name}']")
        assert [Shown.words(one) for one in label] == [field.label.text]
        assert field.description in page.beside(field.name)
    assert {field.name for field in shown if field.type == "BooleanField"} == TICKS


def test_the_form_is_never_in_two_places_and_carries_no_other_names(ada: Visitor) -> None:
    page = Shown(ada.get(PATH).text)
    form = next(one for one in page.page.forms if "smtp_host_name" in one.fields)
    with_names = {element.get("name") for element in form.inputs if element.get("name")}
    assert with_names == typed().keys() | TICKS | {"csrf_token", "revision", "round_trip"}


def test_a_page_that_is_older_than_the_settings_replaces_them_only_when_saved_again(
    app: Flask, ada: Visitor
) -> None:
    save(ada)
    seen = Shown(ada.get(PATH).text).value_of("revision")
    trusting = typed(reply_trust="reference_and_sender", smtp_host_port="2525", revision=seen)
    save(ada, reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test", revision=seen)
    tried = ada.post(f"{PATH}/test", trusting | {"smtp_host_name": "no host"})
    assert Shown(tried.text).value_of("revision") == seen  # it is as old as before
    refused = ada.post(PATH, trusting)
    assert refused.status_code == 409
    page = Shown(refused.text)
    assert page.value("smtp_host_port") == "2525"
    with app.app_context():
        assert settings.load().reply_trust == "authenticated_sender"
    again = page.value_of("revision")
    assert ada.post(PATH, trusting | {"revision": again}).status_code == 303
    with app.app_context():
        assert settings.load().reply_trust == "reference_and_sender"


def test_the_folder_carries_its_warning(ada: Visitor) -> None:
    assert FOLDER_WARNING in Shown(ada.get(PATH).text).beside("email_reply_folder")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("smtp_host_name", ""),
        ("smtp_host_name", "https://smtp.corp.test"),
        ("smtp_host_port", "0"),
        ("smtp_host_port", "65536"),
        ("smtp_host_port", "many"),
        ("smtp_from_address", ""),
        ("smtp_from_address", "a@corp.test, b@corp.test"),
        ("approval_reply_address", "nobody"),
        ("email_reply_process_interval", "1441"),
        ("email_reply_process_count", "0"),
        ("approve_words", "approve, 123"),
        ("reject_words", "no, yes"),
        ("tls_ca_certificates", "not a certificate"),
        ("reply_trust", "nobody"),
        ("keep_processed_days", "-1"),
        ("smtp_user", "x" * 400),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_what_was_typed_stays(
    ada: Visitor, field: str, value: str
) -> None:
    page = refused(
        ada, **{field: value, "smtp_user" if field != "smtp_user" else "imap_user": "me"}
    )
    assert page.errors() == {field}
    assert page.error(field) in page.beside(field)
    assert f'href="#{field}"' in page.text
    assert page.value("smtp_user" if field != "smtp_user" else "imap_user") == "me"
    if field != "reply_trust":
        assert page.value(field).strip() == value


def test_several_errors_come_at_once(ada: Visitor) -> None:
    page = refused(ada, smtp_host_name="", smtp_from_address="", enable_email_approval="y")
    assert page.errors() == {"smtp_host_name", "smtp_from_address", "imap_host_name"}


def test_a_refused_form_stores_nothing(app: Flask, ada: Visitor) -> None:
    save(ada)
    refused(ada, smtp_host_name="other.corp.test", smtp_host_port="0")
    with app.app_context():
        assert settings.load().smtp_host_name == "smtp.corp.test"


def test_a_typed_password_comes_back_on_no_page(ada: Visitor) -> None:
    page = refused(ada, smtp_password=SECRET, imap_password=SECRET, smtp_host_port="0")
    assert SECRET not in page.text
    assert SECRET not in save(ada, smtp_password=SECRET).text
    assert SECRET not in ada.get(PATH).text


def test_a_stored_password_shows_as_set_and_as_nothing_more(ada: Visitor) -> None:
    page = Shown(ada.get(PATH).text)
    assert "Stored: not set." in page.beside("smtp_password")
    page = save(ada, smtp_password=SECRET)
    assert "Stored: set." in page.beside("smtp_password")
    assert "Stored: not set. In force: SMTP Password." in page.beside("imap_password")
    assert page.value("smtp_password") == page.value("imap_password") == ""
    assert "*****" not in page.text


def test_what_another_worker_saved_shows_at_once(ada: Visitor) -> None:
    assert Shown(ada.get(PATH).text).value("smtp_host_name") == ""
    for given, stored in (
        ({"smtp_password": SECRET}, "set"),
        ({"smtp_password_remove": True}, "not set"),
    ):
        with create_app({"TESTING": True}).app_context():
            stage.set_up(email_reply_folder=f"Password {stored}", **given)
        page = Shown(ada.get(PATH).text)
        assert page.value("smtp_host_name") == "mail.corp.test"
        assert page.value("email_reply_folder") == f"Password {stored}"
        assert f"Stored: {stored}." in page.beside("smtp_password")


def test_what_was_typed_wrong_is_gone_from_the_next_page(ada: Visitor) -> None:
    assert refused(ada, smtp_host_name="two words").value("smtp_host_name") == "two words"
    page = Shown(ada.get(PATH).text)
    assert page.value("smtp_host_name") == ""
    assert page.errors() == set()


def test_a_blank_password_keeps_the_stored_one(ada: Visitor) -> None:
    save(ada, smtp_password=SECRET)
    page = save(ada, smtp_from_address="new@corp.test")
    assert "Stored: set." in page.beside("smtp_password")
    assert page.notices("warning") == []


def test_a_tick_removes_the_stored_password_and_does_not_stay_ticked(ada: Visitor) -> None:
    save(ada, smtp_password=SECRET)
    page = save(ada, smtp_password_remove="y")
    assert "Stored: not set." in page.beside("smtp_password")
    assert page.value("smtp_password_remove") == ""


def test_a_password_that_moved_away_is_dropped_and_that_is_said(ada: Visitor) -> None:
    save(ada, smtp_password=SECRET)
    page = save(ada, smtp_host_name="elsewhere.corp.test")
    assert "Stored: not set." in page.beside("smtp_password")
    assert len(page.notices("warning")) == 1
    assert "SMTP password was removed" in page.notices("warning")[0]


def test_an_inherited_password_has_to_be_typed_again_for_a_new_imap_server(ada: Visitor) -> None:
    save(ada, smtp_password=SECRET, imap_host_name="imap.corp.test", enable_email_approval="y")
    page = refused(ada, imap_host_name="imap.evil.test", enable_email_approval="y")
    assert page.errors() == {"imap_password"}
    assert page.value("imap_host_name") == "imap.evil.test"


def test_the_page_shows_what_is_in_force(ada: Visitor) -> None:
    page = Shown(ada.get(PATH).text)
    assert "In force: none yet." in page.beside("imap_user")
    page = save(ada, email_reply_folder="")
    assert "In force: deploy." in page.beside("imap_user")
    assert "In force: INBOX." in page.beside("email_reply_folder")
    assert "In force: Deployments <deploy@corp.test>." in page.beside("approval_reply_address")


def test_tls_from_the_first_byte_turns_starttls_off(ada: Visitor) -> None:
    page = save(ada, smtp_implicit_tls="y", smtp_enable_starttls="y")
    assert page.value("smtp_implicit_tls") == "y"
    assert page.value("smtp_enable_starttls") == ""


def test_an_unticked_box_is_stored_as_off(ada: Visitor) -> None:
    assert save(ada).value("smtp_enable_starttls") == "y"
    assert save(ada, smtp_enable_starttls=None).value("smtp_enable_starttls") == ""


def test_ports_and_counts_may_stay_blank_while_approval_is_off(ada: Visitor) -> None:
    page = save(ada, imap_host_port="", email_reply_process_count="")
    assert page.value("email_reply_process_count") == "30"


def test_a_folder_may_have_any_name(ada: Visitor) -> None:
    page = save(ada, email_reply_folder='Genehmigungen/Zürich "neu" <1>')
    assert page.value("email_reply_folder") == 'Genehmigungen/Zürich "neu" <1>'


def test_the_same_field_twice_breaks_nothing(ada: Visitor) -> None:
    data = typed() | {"smtp_host_port": ["25", "26"], "enable_email_approval[]": ["y", "z"]}
    assert ada.post(PATH, data).status_code == 303
    assert Shown(ada.get(PATH).text).value("smtp_host_port") == "25"
