"""The words of a notification, which admins may write: subject, text and HTML in Jinja's sandbox.

A template sees `VARIABLES` and nothing else. HTML is escaped, and no template can say otherwise.
Already to compile one may take all time and memory there is, since Jinja works out what is
constant: words that are not our own are for `services/rendering` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.meta import find_undeclared_variables

from flexmail.mail.address import is_safe_header
from flexmail.mail.compose import OutgoingContent
from flexmail.mail.page_rules import fault_of
from flexmail.mail.reference import find_references
from flexmail.mail.sandbox import Sandbox

FIELDS = ("subject", "text", "html")
MAX_SOURCE = {"subject": 500, "text": 20_000, "html": 50_000}
"""Characters of a source."""
MAX_RENDERED = {"subject": 200, "text": 100_000, "html": 200_000}
"""Characters of what it gives; a longer subject is cut, a longer text or page is a fault."""
VARIABLES = {
    "type": "the type of the event, such as completed",
    "label": "the type in words, such as Completed",
    "title": "the subject that the program gave, else data.title, else the label",
    "subject": "the subject that the program gave, or nothing",
    "scope": "where it happened, such as billing/prod, or nothing",
    "data": "what the program told: data.NAME, whatever it sent; nothing where it did not",
    "link": "data.link, if it is an http or https address",
    "submitter": "data.submitter; of several all, with commas",
    "details": "data.details",
    "at": "when it was told, in the zone of mails",
    "site": "the address of flexmail, or nothing",
}
"""What a template may use, each with what it is."""

_ONE_LINE = {"subject": " and one line only"}


@dataclass(frozen=True, slots=True)
class Source:
    """The three templates of one type of event."""

    subject: str
    text: str
    html: str


class TemplateFault(ValueError):
    """Templates that cannot be used; `errors` says why, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(f"{field}: {text}" for field, text in self.errors.items()))


_SANDBOXES = {field: Sandbox(html=field == "html") for field in FIELDS}


def render(source: Source, known: Mapping[str, Any]) -> OutgoingContent:
    """Return what the templates give for these values of `VARIABLES`.

    Raises:
        TemplateFault: one is none, breaks off, or gives nothing that anybody could read; it says
            all that is wrong.
    """
    found: dict[str, str] = {}
    errors: dict[str, str] = {}
    for field in FIELDS:
        try:
            found[field] = _rendered(field, getattr(source, field), known)
        except TemplateFault as fault:
            errors |= fault.errors
    if errors:
        raise TemplateFault(errors)
    return OutgoingContent(**found)


def check_rendered(field: str, text: str) -> None:
    """Look at what one template gave, whoever rendered it.

    Raises:
        TemplateFault
    """
    fault = ""
    if len(text) > MAX_RENDERED[field] + 1:
        fault = f"It gives more than {MAX_RENDERED[field]} characters."
    elif not _is_plain(field, text):
        fault = "It gives control characters."
    elif field == "html":
        fault = fault_of(text)
    elif not text.strip():
        fault = "It gives nothing."
    if fault:
        raise TemplateFault({field: fault})


@lru_cache(maxsize=64)
def _compiled(field: str, source: str) -> Template:
    """Return the template of one source that keeps the rules.

    Raises:
        TemplateFault: on size, grammar, or the names that it uses.
    """
    fault = ""
    if len(source) > MAX_SOURCE[field]:
        fault = f"Give at most {MAX_SOURCE[field]} characters."
    elif not _is_plain(field, source):
        fault = f"Give no control characters{_ONE_LINE.get(field, '')}."
    elif find_references(source):
        fault = "Leave out what looks like the reference of an approval (FM-…)."
    if fault:
        raise TemplateFault({field: fault})
    try:
        tree = _SANDBOXES[field].parse(source)
        if fault := _fault_of(tree):
            raise TemplateFault({field: fault})
        return _SANDBOXES[field].from_string(tree)
    except TemplateSyntaxError as error:
        fault = f"Line {error.lineno}: {_sentence(error.message)}"
    except TemplateError as error:
        fault = _sentence(error.message)
    except (RecursionError, SyntaxError):  # Python has limits that Jinja does not know
        fault = "It is nested too deep."
    raise TemplateFault({field: fault})


def _fault_of(tree: nodes.Template) -> str:
    """Say what a template uses that there is not, or nothing."""
    kinds = (nodes.ScopedEvalContextModifier, nodes.EvalContextModifier)
    if any(True for kind in kinds for _ in tree.find_all(kind)):
        return "A template cannot turn escaping on or off."
    loads = (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)
    if any(True for kind in loads for _ in tree.find_all(kind)):
        return "A template cannot load another."
    unknown = sorted(find_undeclared_variables(tree) - VARIABLES.keys())
    if unknown:
        return f"There is no variable {unknown[0]}. There are: {', '.join(VARIABLES)}."
    return ""


def _rendered(field: str, source: str, known: Mapping[str, Any]) -> str:
    template = _compiled(field, source)
    pieces, size = [], 0
    try:
        for piece in template.generate(**known):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_RENDERED[field] and field != "subject":
                break
    except SecurityError as error:
        raise TemplateFault({field: f"It does what no template may: {error}"}) from error
    except TemplateError as error:
        raise TemplateFault({field: _sentence(error.message)}) from error
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a template does with whatever a program sent: it is the template's fault.
        raise TemplateFault({field: _sentence(f"{type(error).__name__}: {error}")}) from error
    text = "".join(pieces)
    if field == "subject":
        text = " ".join(text.split())[: MAX_RENDERED["subject"]].rstrip()
    else:
        text = text.strip() + "\n"
    check_rendered(field, text)
    return text


def _is_plain(field: str, text: str) -> bool:
    one_line = text if field == "subject" else text.translate({9: " ", 10: " ", 13: " "})
    return is_safe_header(one_line)


def _sentence(text: str | None) -> str:
    text = " ".join((text or "It cannot be read").split())[:300]
    return text if text.endswith((".", "!", "?")) else f"{text}."
