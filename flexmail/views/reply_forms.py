"""The form that takes a mail to be explained: pasted, or as a file."""

from __future__ import annotations

from contextlib import closing

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import TextAreaField

from flexmail.mail.sizes import MAX_BYTES


class ExplainForm(FlaskForm):
    """One mail; a file counts before what is pasted, since pasting may change bytes."""

    mail = TextAreaField(
        "The mail's source",
        description="Headers and all, as “show source” or “show original” gives it.",
        default="",
        render_kw={"rows": 8, "spellcheck": "false", "autocomplete": "off"},
    )
    file = FileField(
        "Or a file",
        description="The mail as saved (.eml). It counts before what is pasted above.",
        render_kw={"accept": ".eml,.txt,message/rfc822,text/plain"},
    )

    def raw(self) -> bytes:
        """Return the mail, at most one byte more than is read; b"" and an error when none came."""
        raw = b""
        if self.file.data:
            with closing(self.file.data) as upload:
                raw = upload.read(MAX_BYTES + 1)
        if raw.strip():
            self.mail.data = ""
            return raw
        if self.file.data:
            self.file.errors = ["The file is empty."]
            return b""
        pasted = (self.mail.data or "").lstrip("\r\n")
        if not pasted.strip():
            self.mail.errors = ["Paste a mail or choose a file."]
            return b""
        return pasted.encode("utf-8", "replace")[: MAX_BYTES + 1]
