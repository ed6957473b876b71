"""Read what a program sent: one strict JSON object, or a query in which nothing stands twice.

RFC 8259 leaves much open that a gate for deployments cannot: a key given twice, NaN, half a
surrogate pair or a control character is refused, never repaired. Bodies are bounded by
`MAX_CONTENT_LENGTH` before they are read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

import marshmallow
from flask import Request, request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from flexmail.errors import InvalidInput

MEDIA_TYPE = "application/json"
_LINE_CHARACTERS = "\t\r\n"
_TOO_DEEP = "The JSON is nested too deep."
_MAX_NAMED = 20
"""A path can be as long as the body: of many that are wrong the first are named."""
_MAX_DEPTH = 100
"""Far less than what Python goes down to: who stores, copies and sends it on goes deeper."""


class StrictParser(FlaskParser):
    """Brings body, query and headers to a schema; what it refuses is `InvalidInput` by field."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {
        "query": marshmallow.RAISE
    }

    def load_json(self, req: Request, schema: marshmallow.Schema) -> dict[str, Any]:
        """Return the body."""
        return json_object(req)

    def load_querystring(self, req: Request, schema: marshmallow.Schema) -> Any:
        """Return the query, each key once."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice:
            raise InvalidInput({name: ["Give it once."] for name in twice})
        return super().load_querystring(req, schema)

    def handle_error(self, error: marshmallow.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Say by field what is wrong; `approvers.0` is the first of a list."""
        errors: dict[str, list[str]] = {}
        for location in error.messages_dict.values():
            for path, sentence in _sentences(location):
                errors.setdefault(path, []).append(sentence)
        raise InvalidInput(errors) from error


def json_object(req: Request = request) -> dict[str, Any]:
    """Return the body of a request, which has to be one JSON object.

    Raises:
        BadRequest: it is empty, or no JSON.
        UnsupportedMediaType: its media type is not JSON's.
        InvalidInput: it is another JSON value, or holds what is refused above.
    """
    raw = req.get_data()
    if not raw:
        raise BadRequest("The body is empty: send a JSON object.")
    if req.mimetype != MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send JSON, with the header Content-Type: {MEDIA_TYPE}.")
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except ValueError as error:
        raise BadRequest(f"The body is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidInput("Send a JSON object.")
    _refuse_controls(found)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = sorted(name for name, count in counts.items() if count > 1)
        raise InvalidInput({name: ["This key stands in the JSON twice."] for name in twice})
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _refuse_controls(found: dict[str, Any]) -> None:
    refused = (path for path, text in _texts(found) if any(map(_is_refused, text)))
    errors = {
        ".".join(path): ["Control characters and broken Unicode are refused."]
        for path in islice(refused, _MAX_NAMED)
    }
    if errors:
        raise InvalidInput(errors)


def _texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text with its path, keys too (under the path of their object)."""
    if len(path) > _MAX_DEPTH:
        raise BadRequest(_TOO_DEEP)
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, str(number)))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield path, name
            yield from _texts(item, (*path, name))


def _is_refused(character: str) -> bool:
    code = ord(character)
    return (
        (code < 0x20 and character not in _LINE_CHARACTERS)
        or 0x7F <= code < 0xA0
        or 0xD800 <= code < 0xE000
    )


def _sentences(found: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Flatten marshmallow's messages."""
    if isinstance(found, dict):
        for name, below in found.items():
            step = "" if name == "_schema" else str(name)
            yield from _sentences(below, ".".join(part for part in (path, step) if part))
    else:
        for sentence in found:
            yield path, str(sentence)
