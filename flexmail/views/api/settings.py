"""The settings of e-mail for programs: read, change, test.

Values are checked by the form of the page, so they are right or wrong in the same words. Secrets
go in and never come out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flexmail import jobs
from flexmail.errors import InvalidInput
from flexmail.forms import values_from
from flexmail.services import accounts, diagnosis, reply_folders, settings
from flexmail.services.shapes import Shape, settings_shape
from flexmail.views.api.body import json_object
from flexmail.views.api.resource import Resource
from flexmail.views.api.settings_schemas import body_of, reference_to

resource = Resource(
    "settings", scope="settings", description="How mail is sent and replies are read."
)


@resource.route("/settings/email", methods=["GET"])
@resource.answers(200, reference_to("EmailSettings"), "The settings as stored, and as they work.")
def get_email_settings() -> Shape:
    """Read the settings

    A password is `set` or `not set`. `in_force` shows what empty fields fall back on.
    """
    return settings_shape(settings.load())


@resource.route("/settings/email", methods=["PUT"])
@resource.doc(requestBody=body_of("EmailSettingsChange"))
@resource.answers(
    200, reference_to("SavedEmailSettings"), "The settings as stored, and what else changed."
)
@resource.refuses(409)
def change_email_settings() -> Shape:
    """Change the settings

    Only the keys that are given change; it works at once. A changed host, port, TLS choice or user
    drops the stored password of that side, and `notices` says so. `confirm_deletion` lets the mail
    be processed that lay in the reply folder before flexmail read it; it is not stored.

    409: somebody else saved at the same moment; try again.
    """
    row = settings.load()
    seen, stored = row.revision, settings.stored_values(row)
    values = values_from(stored, json_object())
    notices = settings.save(values, seen=seen)
    notices += reply_folders.confirm_if_ticked(values, settings.load(), now=datetime.now(UTC))
    jobs.apply()
    return settings_shape(settings.load()) | {"notices": notices}


@resource.route("/settings/email/test", methods=["POST"])
@resource.doc(requestBody=body_of("EmailSettingsTest"))
@resource.answers(
    200, reference_to("EmailSettingsReport"), "One row a step, whatever the steps say."
)
@resource.refuses(409)
def test_email_settings() -> Shape:
    """Test the settings

    Sends a test mail and opens the reply folder without changing it. Keys that are absent have
    their stored value; nothing is saved. It takes half a minute at the most.
    """
    given = json_object()
    to, round_trip = _recipient(given.pop("to", None)), _truth(given.pop("round_trip", False))
    values = values_from(settings.stored_values(settings.load()), given)
    return diagnosis.test_email(values, to=to, round_trip=round_trip, now=datetime.now(UTC))


def _recipient(to: Any) -> str:
    user = accounts.find(to) if isinstance(to, str) else None
    if user is None or not user.active:
        raise InvalidInput({"to": ["Give the address of an active account."]})
    return user.email


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput({"round_trip": ["Give true or false."]})
    return value
