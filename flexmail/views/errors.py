"""Answers to what went wrong, in one place: a plain page, or JSON for whoever asked for JSON.

The API under /api/ answers for itself (`api/problems.py`).
"""

from __future__ import annotations

import logging

from flask import Flask, Response, current_app, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from flexmail.errors import Conflict, FlexmailError, InvalidInput, NotFound, SecretUnreadable

log = logging.getLogger(__name__)

TITLES = {
    400: "That request was not complete",
    401: "Please sign in",
    403: "This page is not for your role",
    404: "There is no such page",
    405: "That does not work here",
    409: "Not in the present state",
    413: "That is too much",
    415: "That is no form",
    422: "Something in it is not right",
    429: "Too many tries",
    500: "Something broke",
    503: "Please try again",
}
SENTENCES = {
    400: "The browser sent something that cannot be read. Go back and try again.",
    401: "Sign in first.",
    403: "An admin can see it, or can change your role.",
    404: "The address is wrong, or what it names is gone or not yours to see.",
    405: "This address is used by a button of another page. Go back to that page.",
    413: "At most 2 MB can be sent at once. Shorten it and try again.",
    415: "Pages take what their forms send. Programs use /api/v1 with a token.",
    500: "It is in the log of the server, and nothing was half done. Try again, or tell an admin.",
    503: "The database is busy right now. Nothing was changed. Try again in a moment.",
}
FORGED = (
    "The form was opened too long ago, or before the last sign-in. Nothing was changed."
    " Go back, reload the page and send it again."
)
_STATUS = {InvalidInput: 422, NotFound: 404, Conflict: 409, SecretUnreadable: 409}


def init_app(app: Flask) -> None:
    """Register the answers."""
    app.register_error_handler(HTTPException, _http)
    for kind in _STATUS:
        app.register_error_handler(kind, _expected)
    for trouble in (OperationalError, PoolTimeout):
        app.register_error_handler(trouble, _database)


def prefers_json() -> bool:
    """Tell whether the answer should be JSON."""
    kinds = ["text/html", "application/json"]
    return request.accept_mimetypes.best_match(kinds) == "application/json"


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return current_app.make_response(error.response)
    status = error.code or 500
    if isinstance(error, CSRFError):
        sentence = FORGED
    else:
        sentence = SENTENCES.get(status) or str(error.description or "")
    response = _answer(status, sentence)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response


def _expected(error: FlexmailError) -> Response:
    errors = error.errors if isinstance(error, InvalidInput) else {}
    sentences = [sentence for found in errors.values() for sentence in found] or [str(error)]
    return _answer(_STATUS[type(error)], " ".join(sentences), errors)


def _database(error: Exception) -> Response:
    log.warning("The database did not answer: %s", type(error).__name__)
    response = _answer(503, SENTENCES[503])
    response.headers["Retry-After"] = "5"
    return response


def _answer(status: int, sentence: str, errors: dict[str, list[str]] | None = None) -> Response:
    title = TITLES.get(status, "That did not work")
    if not prefers_json():
        page = render_template("error.html", status=status, title=title, sentence=sentence)
        return current_app.make_response((page, status))
    problem = {"type": "about:blank", "title": title, "status": status, "detail": sentence}
    response = jsonify({**problem, "errors": errors} if errors else problem)
    response.status_code = status
    return response
