"""Words of admins are rendered apart: whatever they do, the next event has its mail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flexmail.mail.event_template import Source, TemplateFault
from flexmail.services import rendering

KNOWN = {"title": "Release 4.2", "data": {"error": "x" * 10_000}}
GOOD = Source("Failed: {{ title }}", "{{ title }}", "<p>{{ title }}</p>")


@pytest.fixture(autouse=True)
def _begin_and_end_without_a_child() -> Iterator[None]:
    rendering.stop()
    yield
    rendering.stop()


@pytest.mark.parametrize(
    ("bomb", "fault"),
    [
        ("{{ 9 ** (9 ** 9) }}", "It takes more than 0.5 s."),
        ("{{ title }}{{ 9 ** (title|length ** 9) }}", "It takes more than 0.5 s."),
        ("{% for a in title * 9999 %}{% for b in title * 9999 %}{% endfor %}{% endfor %}", "0.5 s"),
        ("{{ 'x' * 10 ** 9 }}", "It needs too much memory."),
        ("{{ title * 10 ** 9 }}", "It needs too much memory."),
        ("{% set a = data.error * 9999 %}{% set b = a * 9999 %}", "It needs too much memory."),
        ("{% for a in title * 9999 %}{{ data.error }}{% endfor %}", "It gives more than 100000"),
    ],
)
def test_what_would_take_all_time_or_memory_is_ended_and_the_next_goes_on(
    bomb: str, fault: str
) -> None:
    with pytest.raises(TemplateFault) as caught:
        rendering.render(Source("a", bomb, "a"), KNOWN, seconds=0.5)
    assert fault in str(caught.value)
    assert rendering.render(GOOD, KNOWN).subject == "Failed: Release 4.2"


@pytest.mark.parametrize(("rest_seconds", "is_tried_again"), [(60, False), (0, True)])
def test_words_that_took_too_much_rest_before_they_are_tried_again(
    monkeypatch: pytest.MonkeyPatch, rest_seconds: int, is_tried_again: bool
) -> None:
    monkeypatch.setattr(rendering, "REST_SECONDS", rest_seconds)
    bomb = Source("a", "{{ 'x' * 10 ** 9 }}", f"rests {rest_seconds} s")
    assert ends_the_child(bomb)
    assert ends_the_child(bomb) == is_tried_again


def ends_the_child(bomb: Source) -> bool:
    rendering.render(GOOD, KNOWN)
    child = rendering._child
    with pytest.raises(TemplateFault, match="too much memory"):
        rendering.render(bomb, KNOWN)
    return rendering._child is not child


@pytest.mark.parametrize(
    "piece",
    [
        "{{ title }}",
        "{% set a = title %}",
        "{% if title %}a{% endif %}",
        "{% for a in data %}{% endfor %}",
        "{% macro a() %}{% endmacro %}",
        "{{ '",
        "{{ ((((",
        "{#",
        "{{ not ",
        "{% for a in data %}",
    ],
)
def test_the_longest_source_of_anything_is_words_or_a_fault_and_costs_the_child_alone(
    piece: str,
) -> None:
    source = Source("a", "a", (piece * (50_000 // len(piece)))[:50_000])
    try:
        rendering.render(source, KNOWN, seconds=60)
    except TemplateFault as fault:
        assert set(fault.errors) <= {"", "html"}  # noqa: PT017 (either will do)
    assert rendering.render(GOOD, KNOWN).subject == "Failed: Release 4.2"


def test_the_words_of_one_event_are_not_seen_by_the_next() -> None:
    source = Source("{{ title }}", "{% set x = data.secret %}{{ title }}{{ x }}", "{{ title }}")
    assert "s3cret" in rendering.render(source, {"title": "a", "data": {"secret": "s3cret"}}).text
    assert rendering.render(source, {"title": "a", "data": {}}).text == "a\n"
