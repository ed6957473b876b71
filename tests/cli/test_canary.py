"""Trust in the mail server, by commands alone."""

from __future__ import annotations

from flask import Flask

from flexmail.demo.mailserver import MailServer
from tests.cli.conftest import Flexmail, set_up
from tests.cli.test_mail import PROCESS, junk, use
from tests.conftest import Cast
from tests.servers import PASSWORD as MAIL_PASSWORD

ADA = "ada@example.test"
MODE = ("reply_trust=authenticated_sender", "trusted_authserv_id=mx.example.test")


def test_commands_alone_send_the_canary_and_find_it(
    app: Flask, flexmail: Flexmail, cast: Cast, embedded: MailServer
) -> None:
    use(app, embedded, smtp_user=ADA, smtp_password=MAIL_PASSWORD)
    saved = flexmail("settings", "set", *MODE)
    assert (saved.code, "canary" in saved.out) == (0, True)

    waiting = flexmail(*PROCESS)
    assert (waiting.code, waiting.out) == (0, "")
    assert "waits in the outbox" in waiting.err
    embedded.deliver(ADA, junk(1))
    went = flexmail("outbox", "send", "--json")
    assert (went.json["sent"], went.err) == (1, "")
    assert len(embedded.mailbox(ADA)) == 2

    refused = flexmail(*PROCESS, "--json")
    assert refused.code == 1
    assert "forged Authentication-Results header" in refused.json["error"]
    assert (refused.json["looked_at"], refused.json["left"]) == (0, 1)
    assert [raw for _, raw in embedded.mailbox(ADA)] == [junk(1)]

    again = flexmail("settings", "set", MODE[0], "--json")
    assert "canary" in " ".join(again.json["notices"])
    assert flexmail(*PROCESS).code == 0
    assert flexmail("outbox", "list", "--state", "queued", "--json").json["items"]

    set_up(app, reply_trust="reference_and_sender")
    assert flexmail(*PROCESS, "--json").json["by_outcome"] == {"unknown_reference": 1}
