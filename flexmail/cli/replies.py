"""`flexmail replies`: the reply job by hand, and what it would make of one mail.

`process` may run each minute, mostly for nothing: what reads mails here is not imported for it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.errors import Conflict
from flexmail.mail.sizes import MAX_BYTES
from flexmail.models import Reply
from flexmail.services import inbox, reply_log, settings, trust
from flexmail.services.shapes import Shape, reply_shape, run_shape

if TYPE_CHECKING:
    from flexmail.services.explaining import Explanation

group = AppGroup("replies", help="Mail that answers.")

_MARKS = {True: "yes", False: "no", None: "-"}


@group.command("process")
@console.json_option
@click.pass_context
def process(context: click.Context, as_json: bool) -> None:
    """Run the reply job once, now, whatever pause is set; print what became of each mail.

    With email approval off nothing is read and nothing deleted; the same holds while the mail
    server has still to prove itself (reply_trust).
    """
    console.keep_log_quiet()
    approval_is_on = settings.load().enable_email_approval
    report = inbox.process_replies(now=datetime.now(UTC), at_once=True)
    run = run_shape(report, reply_log.by_ids(report.reply_ids))
    if as_json:
        console.say_json(run)
    else:
        _tell(run)
    if report.error and approval_is_on:
        context.exit(console.complain(report.error, 1))
    if report.waits_for and trust.of(settings.load()).state == "refused":
        context.exit(console.complain(report.waits_for, 1))
    if report.error or report.waits_for:
        console.remark(report.error or report.waits_for)


@group.command("explain")
@click.argument("file", type=click.File("rb"), metavar="FILE")
@console.json_option
def explain(file: BinaryIO, as_json: bool) -> None:
    """Tell what a mail would do, rule by rule, without doing it.

    FILE holds the mail as it came (.eml); - reads stdin. Of a mail over 1 MiB the beginning counts.
    """
    from flexmail.services import explaining

    console.keep_log_quiet()
    try:
        raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{file.name} cannot be read: {error.strerror}.") from error
    if not raw.strip():
        raise click.UsageError("There is no mail in it: the file is empty.")
    explanation = explaining.explain(raw, now=datetime.now(UTC))
    if as_json:
        shape = asdict(explanation)
        console.say_json({name: shape[name] for name in shape if name not in ("own_text", "rest")})
    else:
        _tell_explanation(explanation)


@group.command("restore")
@click.argument("reply_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def restore(reply_id: int, as_json: bool) -> None:
    """Put a processed mail back into the reply folder, where the next run processes it.

    What goes back is the kept copy; of a large mail that may be the beginning only.
    """
    from flexmail.services import undo

    missing = reply_log.missing(reply_log.get(reply_id))
    reply = undo.restore(reply_id, now=datetime.now(UTC))
    _tell_undone(reply, f"Put mail {reply_id} back into {reply.folder}.", missing, as_json=as_json)


@group.command("reprocess")
@click.argument("reply_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def reprocess(reply_id: int, as_json: bool) -> None:
    """Judge the kept copy of a mail again, by today's settings and accounts, and act on it.

    The folder is not touched. A mail that decided is not judged again.
    """
    from flexmail.services import undo

    missing = reply_log.missing(reply_log.get(reply_id))
    reply = undo.reprocess(reply_id, now=datetime.now(UTC))
    ended = f"Mail {reply_id} is {reply.outcome}: {reply_shape(reply)['reason']}"
    _tell_undone(reply, ended, missing, as_json=as_json)


@group.command("download")
@click.argument("reply_id", type=console.ROW_ID, metavar="ID")
@click.option(
    "--output",
    type=click.File("wb", lazy=True),
    default="-",
    metavar="FILE",
    help="Where to write it; stdout by default.",
)
def download(reply_id: int, output: BinaryIO) -> None:
    """Write the kept copy of a mail to a file or stdout; open references are masked."""
    reply = reply_log.get(reply_id)
    copy = reply_log.saved_copy(reply)
    if not copy:
        raise Conflict(f"No copy of mail {reply_id} is kept any more.")
    try:
        output.write(copy)
    except OSError as error:
        raise click.UsageError(f"{output.name} cannot be written: {error.strerror}.") from error
    _warn_of(reply_log.missing(reply))


def _tell_undone(reply: Reply, sentence: str, missing: str, *, as_json: bool) -> None:
    if as_json:
        console.say_json(reply_shape(reply))
    else:
        console.say(sentence)
    _warn_of(missing)


def _warn_of(missing: str) -> None:
    if missing:
        console.remark(f"The copy is {missing}.")


def _tell_explanation(explanation: Explanation) -> None:
    console.say(f"{explanation.outcome}: {explanation.reason}")
    for name in ("words_read", "cut_off", "decision", "comment"):
        value = getattr(explanation, name)
        if value:
            console.say(f"{name}: {_indented(value)}")
    console.say("")
    console.say_table(
        ("OK", "RULE", "FINDING"),
        [(_MARKS[rule.ok], rule.rule, _one_line(rule.finding)) for rule in explanation.rules],
    )
    answer = explanation.answer
    if answer:
        console.say(f"\n{answer.kind} to {answer.to}: {answer.subject}")
        console.say(f"  {_indented(answer.text.strip())}")


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _tell(run: Shape) -> None:
    if run["replies"]:
        console.say_table(
            ("ID", "OUTCOME", "APPROVAL", "FROM", "SUBJECT", "REASON"),
            [
                (
                    str(reply["id"]),
                    reply["outcome"],
                    str(reply["approval_id"] or ""),
                    reply["from"],
                    reply["subject"],
                    reply["reason"],
                )
                for reply in run["replies"]
            ],
        )
    if not run["error"]:
        console.say(f"Processed {run['looked_at']}, {run['left']} left in the folder.")
    if run["held"]:
        console.say(
            f"{run['held']} were there before flexmail and stay untouched until an admin confirms:"
            " see the status page, or set confirm_deletion=true."
        )
