"""The form that takes the words of notifications."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectChoice, SelectField, StringField, TextAreaField

from flexmail.mail.event_template import FIELDS, MAX_SOURCE, Source
from flexmail.services import event_templates

_TYPED = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}


class WordsForm(FlaskForm):
    """The words for one type of event, kept as they are typed."""

    subject = StringField("Subject", description="One line.", render_kw=_TYPED)
    text = TextAreaField(
        "Text",
        description=f"At most {MAX_SOURCE['text']} characters.",
        render_kw=_TYPED | {"rows": 12},
    )
    html = TextAreaField(
        "HTML",
        description="The inside of the page. What was told is escaped. At most"
        f" {MAX_SOURCE['html']} characters.",
        render_kw=_TYPED | {"rows": 16},
    )
    which = SelectField(
        "Try with",
        choices=[
            SelectChoice(event_templates.SAMPLE, "sample values"),
            SelectChoice(event_templates.LAST, "the last event"),
        ],
    )
    seen = HiddenField()
    editing = HiddenField()

    @property
    def source(self) -> Source:
        """What is typed; browsers send line breaks as mail writes them."""
        typed = {name: (self[name].data or "").replace("\r\n", "\n") for name in FIELDS}
        return Source(**typed | {"subject": typed["subject"].strip()})
