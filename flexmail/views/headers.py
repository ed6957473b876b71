"""What every answer says to the browser: run only our own files, show us in no frame, keep nothing.

https://www.w3.org/TR/CSP3/, RFC 6797 (HSTS), RFC 9111 (caching).
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from flask import Flask, Response, current_app, request, url_for

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",  # Pico's marks in form fields are data: images
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


def policy_with(nonce: str) -> str:
    """Return the policy of an answer whose own style sheets carry a nonce, made for it alone."""
    return POLICY.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")


HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # over TLS the check against forgery needs a referrer
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR_SECONDS = 365 * 24 * 3600
_MAX_REMEMBERED = 200


def init_app(app: Flask) -> None:
    """Set the headers of every answer; templates name static files with `asset()`."""
    app.after_request(_set)
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.globals["address_of"] = address_of


def asset(name: str) -> str:
    """Return the address of a static file, which changes when its content does."""
    return _asset(request.script_root, current_app.static_folder or "", name)


def address_of(endpoint: str) -> str:
    """Return the address of a page that takes no values: `url_for`, which would search again."""
    return _address_of(request.script_root, endpoint)


@functools.lru_cache(_MAX_REMEMBERED)
def _asset(_script_root: str, folder: str, name: str) -> str:
    digest = hashlib.sha256(Path(folder, name).read_bytes()).hexdigest()[:12]
    return url_for("static", filename=name, v=digest)


@functools.lru_cache(_MAX_REMEMBERED)
def _address_of(_script_root: str, endpoint: str) -> str:
    return url_for(endpoint)


def _set(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={_YEAR_SECONDS}"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    elif "v" in request.args and response.status_code == 200:
        response.headers["Cache-Control"] = f"public, max-age={_YEAR_SECONDS}, immutable"
    return response
