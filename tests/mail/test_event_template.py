"""Templates of notifications: what they may do, what they give, and why one cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from flexmail.mail.event_template import (
    MAX_RENDERED,
    MAX_SOURCE,
    Desk,
    Source,
    TemplateFault,
    check,
    delivered,
    order,
    render,
)

KNOWN: dict[str, Any] = {
    "type": "failed",
    "label": "Failed",
    "title": "Release 4.2",
    "subject": "",
    "scope": "billing/prod",
    "data": {"error": "1 < 2 & {{ 7 * 7 }}", "steps": ["build", "<script>alert(1)</script>"]},
    "link": "https://builds.test/1",
    "submitter": "ada@corp.test",
    "details": "",
    "at": "Mon 02 Nov 2026, 09:00 UTC",
    "site": "",
}
GOOD = Source("Failed: {{ title }}", "{{ data.error }}", "<p>{{ data.error }}</p>")


def with_(field: str, template: str) -> Source:
    given = {"subject": GOOD.subject, "text": GOOD.text, "html": GOOD.html, field: template}
    return Source(**given)


def faults(source: Source) -> dict[str, str]:
    """Return what is wrong with a source by itself, or else with what it gives."""
    try:
        check(source)
    except TemplateFault as fault:
        return fault.errors
    with pytest.raises(TemplateFault) as caught:
        render(source, KNOWN)
    return caught.value.errors


def test_the_three_parts_are_rendered_from_what_was_told() -> None:
    content = render(GOOD, KNOWN)
    assert content.subject == "Failed: Release 4.2"
    assert content.text == "1 < 2 & {{ 7 * 7 }}\n"


def test_html_is_escaped_and_a_value_is_never_a_template() -> None:
    page = render(with_("html", "{% for one in data.steps %}{{ one }}{% endfor %}"), KNOWN).html
    assert page == "build&lt;script&gt;alert(1)&lt;/script&gt;\n"
    assert render(GOOD, KNOWN).html == "<p>1 &lt; 2 &amp; {{ 7 * 7 }}</p>\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{ data.steps|safe }}",
        "{% autoescape false %}{{ data.error }}{% endautoescape %}",
        "{{ data.__class__.__mro__[1].__subclasses__() }}",
        "{{ data.error.__class__ }}",
        "{{ ''.__class__ }}",
        "{{ data.error.format.__globals__ }}",
        "{{ '{0.__class__}'.format(data) }}",
        "{{ data['__class__'] }}",
        "{{ (data|attr('__class__')) }}",
        "{{ self._TemplateReference__context }}",
        "{% set x = data.update({'a': 1}) %}{{ data.a }}",
        "{{ data.pop('error') }}",
        "{% include 'base.html' %}",
        "{% extends 'email/base.html' %}",
        "{% import 'fields.html' as fields %}",
        "{{ config }}",
        "{{ url_for('status.show') }}",
        "{{ request.headers }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ namespace }}",
    ],
)
@pytest.mark.parametrize("field", ["subject", "text", "html"])
def test_a_template_reaches_nothing_but_what_it_was_given(field: str, template: str) -> None:
    assert field in faults(with_(field, template))


@pytest.mark.parametrize(
    "title",
    [
        "a\r\nBcc: charlie@evil.test",
        "a\nBcc: charlie@evil.test",
        "a\rBcc: charlie@evil.test",
        "a\u2028Bcc: charlie@evil.test",
        "a\x0bBcc: charlie@evil.test",
        "a\x85Bcc: charlie@evil.test",
        "a\tBcc: charlie@evil.test",
    ],
)
def test_a_subject_stays_one_line_whatever_was_told(title: str) -> None:
    subject = render(GOOD, KNOWN | {"title": title}).subject
    assert subject == "Failed: a Bcc: charlie@evil.test"


@pytest.mark.parametrize("control", ["\x00", "\x1b[31m", "\x07", "\x7f", "\ud800"])
@pytest.mark.parametrize("field", ["subject", "text", "html"])
def test_control_characters_are_a_fault(field: str, control: str) -> None:
    source = Source(**{"subject": "a", "text": "a", "html": "a", field: "a{{ title }}"})
    with pytest.raises(TemplateFault) as caught:
        render(source, KNOWN | {"title": control})
    assert caught.value.errors == {field: "It gives control characters."}


def test_control_characters_that_a_template_spells_are_a_fault() -> None:
    assert faults(with_("subject", "{{ 'a\\r\\nBcc: x'|replace('\\r', '\\0') }}")) == {
        "subject": "It gives control characters."
    }


def test_a_long_subject_is_cut_and_a_long_text_is_a_fault() -> None:
    assert len(render(GOOD, KNOWN | {"title": "x" * 900}).subject) == MAX_RENDERED["subject"]
    long = KNOWN | {"data": {"error": "x" * (MAX_RENDERED["text"] + 1)}}
    with pytest.raises(TemplateFault, match="more than 100000 characters"):
        render(GOOD, long)


@pytest.mark.parametrize(
    ("field", "template", "sentence"),
    [
        ("subject", "  ", "It gives nothing."),
        ("text", "{% if scope == 'x' %}a{% endif %}", "It gives nothing."),
        ("html", "<p style='display:none'>{{ title }}</p>", "It gives nothing."),
        ("html", "<img src='https://x.test/a.png'>", "It gives nothing."),
        ("text", "{% for x in %}", "Line 1: "),
        ("html", "\n{{ title|nosuch }}", "Line 2: No filter named 'nosuch'."),
        ("text", "{{ titel }}", "There is no variable titel. There are: type, label, title,"),
        ("text", "{{ data.error / 2 }}", "TypeError: "),
        ("subject", "a\nb", "Give no control characters and one line only."),
        ("text", "a\x00", "Give no control characters."),
        ("text", "x" * (MAX_SOURCE["text"] + 1), "Give at most 20000 characters."),
        ("text", "{% if 1 %}" * 4000, "Give at most 20000 characters."),
        ("text", "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", ""),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(field: str, template: str, sentence: str) -> None:
    assert sentence in faults(with_(field, template))[field]


def test_what_was_not_told_is_nothing() -> None:
    source = with_("text", "{{ data.nothing.at.all }}x{% if data.other %}y{% endif %}")
    assert render(source, KNOWN).text == "x\n"


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert set(faults(Source("{{ a }}", "{{ b }}", "{{ c }}"))) == {"subject", "text", "html"}


def test_a_desk_gives_the_same_over_the_wire() -> None:
    assert delivered(Desk().render(order(GOOD, KNOWN))) == render(GOOD, KNOWN)
    with pytest.raises(TemplateFault, match="TypeError"):
        delivered(Desk().render(order(with_("text", "{{ data / 2 }}"), KNOWN)))


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b"{}",
        b"nonsense",
        b'{"content": {"subject": "a"}}',
        b'{"content": {"subject": "a\\nb", "text": "a", "html": "a"}}',
        b'{"content": {"subject": "a", "text": "", "html": "a"}}',
    ],
)
def test_an_answer_of_another_form_is_not_believed(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        delivered(answer)
