"""Templates of notifications: what they may do, what they give, and why one cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flexmail.mail.event_template import (
    MAX_RENDERED,
    MAX_SOURCE,
    Source,
    TemplateFault,
    render,
)
from flexmail.mail.press import Desk, delivered, order

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


def faults(source: Source, known: dict[str, Any] = KNOWN) -> dict[str, str]:
    with pytest.raises(TemplateFault) as caught:
        render(source, known)
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
        "{{ ('a'|e).translate({97: data.error}) }}",
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
        "{{ dict.mro() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ loop.__class__ }}",
        "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
        "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
        "{{ data.nothing.__class__.__init__.__globals__ }}",
        "{{ '{0.__class__.__init__}'|format(data) }}{{ '{0.__class__}'.format_map({'0': data}) }}",
        "{{ ('{0.__class__}'|attr('format'))(data) }}",
        "{{ [data]|sum(attribute='__class__') }}",
        "{{ data|xmlattr|attr('__class__') }}",
        "{{ data.error.encode.__self__.__class__ }}",
        "{{ (1).__class__.__base__.__subclasses__() }}",
        "{{ data.setdefault('a', 1) }}",
        "{{ data.steps.append('c') }}",
        "{{ data.steps.sort() }}",
        "{% set data.error = 'x' %}",
        "{% from 'fields.html' import csrf %}",
        "{% do data.clear() %}",
        "{% block a %}{{ super.__func__.__globals__ }}{% endblock %}",
    ],
)
@pytest.mark.parametrize("field", ["subject", "text", "html"])
def test_a_template_reaches_nothing_but_what_it_was_given(field: str, template: str) -> None:
    assert field in faults(with_(field, template))


@pytest.mark.parametrize(
    "filters",
    [
        "map(attribute='__class__')",
        "map(attribute='__class__.__mro__')",
        "map('attr', '__class__')",
        "selectattr('__class__')",
        "groupby('__class__')|map('first')",
        "map(attribute='items.__self__')",
        "map(attribute='error.format.__globals__')",
    ],
)
def test_what_filters_reach_for_is_not_there(filters: str) -> None:
    reached = render(with_("text", "-{{ [data]|" + filters + "|join }}-"), KNOWN).text
    assert reached == "--\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{ data.error|e|replace('1', data.steps[1]) }}",
        "{{ ('<b>'|e).unescape() }}{{ data.steps[1] }}",
        "{{ ('{}'|e).format(data.steps[1]) }}{{ ('%s'|e) % data.steps[1] }}",
        "{{ (''|e).join(data.steps) }}{{ data.steps|join('<i>') }}",
        "{{ (data.steps[1]|e).unescape() }}{{ (data.steps[1]|e).striptags() }}",
        "{% set x = data.steps[1] %}{{ x }}{{ x|upper|lower }}{{ x|indent|wordwrap(3) }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(data.steps[1]) }}",
        "{% filter lower %}{{ data.steps[1] }}{% endfilter %}",
        "{{ data.steps|tojson }}",
        "<p title='{{ data.steps|tojson }}'>a</p>",
        "{{ data.steps[1]|urlize(extra_schemes=['javascript:']) }}",
        "{{ data.steps[1]|string|trim|title|center(90) }}",
    ],
)
def test_nothing_that_was_told_becomes_markup(template: str) -> None:
    page = render(with_("html", f"<p>a</p>{template}"), KNOWN).html
    assert "<script" not in page.lower()
    assert "<b>" not in page
    assert "<i>" not in page


def test_json_in_an_attribute_stays_in_it() -> None:
    known = KNOWN | {"data": {"a": ['" style="display:none', "<", "'"], "b": None}}
    source = Source(
        "a",
        "{{ data.a|tojson }}{{ data.b }}",
        '<p title="{{ data|tojson }}">a{{ data.c|tojson }}</p>',
    )
    content = render(source, known)
    assert content.html.count('"') == 2
    assert content.text == '["\\" style=\\"display:none", "<", "\'"]\n'


def test_a_name_that_was_told_wins_over_what_python_calls_so() -> None:
    known = KNOWN | {"data": {"items": "seven", "values": 1, "keys": {"get": "x"}}}
    source = Source(
        "{{ data.items }}, {{ data.values }}, {{ data.keys.get }}",
        "{% for name, value in data|items %}{{ name }} {% endfor %}",
        "{{ data.keys|length }}",
    )
    assert render(source, known).subject == "seven, 1, x"
    assert render(source, known).text == "items values keys\n"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ data.items }}", "A function cannot be shown: put () behind its name."),
        ("{{ data.steps|map('upper') }}", "A filter gave no text yet: add |list or |join(', ')."),
        ("{% macro m() %}x{% endmacro %}{{ m }}", "A function cannot be shown: put () behind"),
    ],
)
def test_python_is_not_shown_to_people(template: str, sentence: str) -> None:
    assert sentence in faults(with_("text", template))["text"]


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("<script>alert(1)</script>a", "A notification cannot hold <script>."),
        ("a<iframe src='https://x.test'></iframe>", "A notification cannot hold <iframe>."),
        ("a<form action='https://x.test'>b</form>", "A notification cannot hold <form>."),
        ("a<meta http-equiv=refresh content='0;https://x.test'>", "cannot hold <meta>."),
        ("a<base href='https://x.test'>", "A notification cannot hold <base>."),
        ("a<svg><animate onbegin=alert(1)></svg>", "A notification cannot hold <svg>."),
        ("<p onclick='x()'>a</p>", "A notification cannot hold onclick=."),
        ("<P ONMOUSEOVER='x()'>a</P>", "A notification cannot hold onmouseover=."),
        ("<p{{ data.attributes|xmlattr }}>a</p>", "A notification cannot hold onclick=."),
        ("<p title={{ data.quote }}>a</p>", "A notification cannot hold onclick=."),
        ("<a href='java&#10;script&#58;alert(1)'>a</a>", "An address begins with javascript:,"),
        ("<a href='javascript:alert(1)'>a</a>", "An address begins with javascript:, which"),
        ("<a href='{{ data.link }}'>a</a>", "An address begins with JavaScript:, which"),
        ("<a href='vbscript:x'>a</a>", "An address begins with vbscript:, which"),
        ("a<img src='data:image/svg+xml,x'>", "An address begins with data:, which"),
        ("<a href='file:///etc/passwd'>a</a>", "An address begins with file:, which"),
        ("a<!-- {{ title }}", "It hides what stands below it"),
        ("a<div style='display:none'>b", "It hides what stands below it"),
        ("a<style>p {display: none}</style>", "It hides what stands below it"),
        ("a<style>", "It hides what stands below it"),
        ("a<plaintext>", "A notification cannot hold <plaintext>."),
        ("a<textarea>", "A notification cannot hold <textarea>."),
        ("{% for i in 'a' * 30000 %}<i></i>{% endfor %}" * 2, "It gives more than 200000"),
        ("a" + "<i>" * 1001, "It holds too many elements, or they are nested too deep."),
    ],
)
def test_a_page_holds_nothing_that_acts_or_hides(template: str, sentence: str) -> None:
    data = {
        "quote": "a onclick=x()",
        "attributes": {"onclick": "x()"},
        "link": " Java\tScript\n:alert(1)",
    }
    assert sentence in faults(with_("html", template), KNOWN | {"data": data})["html"]


@pytest.mark.parametrize(
    "template",
    [
        "<a href='{{ link }}'>a</a><a href='mailto:ada@corp.test'>b</a><a href=''>c</a>",
        "<table><tr><td bgcolor='#fff' style='color:#111'>a</td></tr></table>",
        "<p>never closed <b>at all",
        "<style>.x {color: #a00}</style><p class=x>a</p><img src='https://x.test/a.png' alt='b'>",
    ],
)
def test_a_page_may_hold_what_mail_clients_show(template: str) -> None:
    assert render(with_("html", template), KNOWN).html.strip()


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
        ("text", "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "It is nested too deep."),
        ("text", "{% for a in data %}" * 25 + "x" + "{% endfor %}" * 25, "nested too deep."),
        ("text", "{% if 1 %}" * 110 + "x" + "{% endif %}" * 110, "It is nested too deep."),
        ("html", "{{ title" + "|e" * 20_000 + " }}", "It is nested too deep."),
        ("text", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError: "),
        ("subject", "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "Leave out what looks like the reference"),
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


def test_a_desk_that_was_taken_over_says_little() -> None:
    for errors in ({"text": "x" * 9999, "csrf_token": "x"}, {"x": "y"}):
        with pytest.raises(TemplateFault) as caught:
            delivered(json.dumps({"errors": errors}).encode())
        assert set(caught.value.errors) <= {"text", ""}
        assert len(str(caught.value)) < 500


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
