"""Read what our own mail server found out about a sender (Authentication-Results, RFC 8601).

Anybody can write such a header, so only the topmost one that carries the configured authserv-id
counts. Fails closed: what is missing, odd, contradictory or over a cap is not authenticated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flexmail.mail.auth_results import Result, Unreadable, read

MAX_HEADERS = 50

# Microsoft 365 writes no authserv-id. An admin who types this word trusts that form instead.
MICROSOFT_365 = "microsoft365"

_PLAIN = re.compile(r"[!#-'*+.0-9A-Z^-~/-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Whether our mail server vouches for the From domain, and why or why not."""

    passed: bool
    reason: str


def authenticate(
    headers: Sequence[str], *, authserv_id: str, from_domain: str, ends_differ: bool = False
) -> Authentication:
    """Say whether the configured server authenticated the domain of the From address.

    Passed is `dmarc=pass` whose header.from is that very domain, or, where DMARC found no policy,
    `dkim=pass` whose header.d is that domain or a parent of it with at least two labels. A parent
    speaks for its subdomains, since it delegates them in DNS; a subdomain or a sibling does not
    speak for its parent, and a single label is a registry, not an organisation. Where there is no
    header.d (Gmail, Yahoo, Zoho) header.i serves: its domain is header.d or lies below it
    (RFC 6376, section 3.5).

    Args:
        headers: every Authentication-Results value, unfolded, topmost first.
        authserv_id: compared whole, without regard to case; an empty one never matches.
        from_domain: in lower-case A-labels.
        ends_differ: the lines of the headers do not all end alike.
    """
    if ends_differ:
        return Authentication(
            False, "Its header lines end in two ways: the mail server may have read other ones."
        )
    wanted, domain = authserv_id.strip().lower(), from_domain.lower()
    if not wanted or not domain:
        return Authentication(False, "No mail server is named, or the sender has no domain.")
    for header in headers[:MAX_HEADERS]:
        try:
            results = _results_of(header, wanted)
        except Unreadable as error:
            return Authentication(False, f"The Authentication-Results header {error}.")
        if results is not None:
            return _judge(results, domain)
    return Authentication(False, f"No Authentication-Results header of {wanted}.")


def forge(authserv_id: str, domain: str) -> list[str]:
    """Return values by which anybody could claim that this server vouches for a domain.

    `authenticate` would believe each: they differ as the grammar lets them, for some filters know
    their own name in one spelling only, and some remove only one header of several. A server that
    does its duty removes all of them from mail that comes in (RFC 8601, section 5).
    """
    claims = f"dmarc=pass header.from={domain}; dkim=pass header.d={domain} header.i=@{domain}"
    name = authserv_id.strip()
    if name.lower() == MICROSOFT_365:
        return [claims, claims.upper(), f"(checked) {claims}", claims]
    quoted = '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'
    plain = name if _PLAIN.fullmatch(name) else quoted
    spelled = (plain, plain.upper(), quoted, f"(checked) {plain} 1", plain)
    return [f"{name}; {claims}" for name in spelled]


def survivor(headers: Sequence[str], *, authserv_id: str, domain: str) -> str | None:
    """Return the first value, at whatever place, that is left of a forged one; None if none is.

    That is a value of this server that names the forged domain at all, and, since nobody can tell
    what it was, one that cannot be read and may be this server's.

    Args:
        domain: as given to `forge`; one that no server could speak of by itself.
    """
    wanted = authserv_id.strip().lower()
    for header in headers:
        try:
            results = _results_of(header, wanted)
        except Unreadable:
            return header
        if results is not None and domain.lower() in header.lower():
            return header
    return None


def _results_of(header: str, wanted: str) -> list[Result] | None:
    """Return the results in a header of this server, None where it is somebody else's.

    Raises:
        Unreadable: the grammar does not hold, and it may be this server's.
    """
    try:
        server, results = read(header)
    except Unreadable:
        if wanted in {MICROSOFT_365, *_words(header)}:
            raise
        return None
    return results if server == (None if wanted == MICROSOFT_365 else wanted) else None


def _words(header: str) -> list[str]:
    return re.split(r'[\s;="()]+', header.lower())


def _judge(results: list[Result], domain: str) -> Authentication:
    dmarc = [result for result in results if result.method == "dmarc"]
    said = {result.result for result in dmarc}
    if len(said) > 1:
        return Authentication(False, "Its DMARC results contradict each other.")
    if any(result.domain("header.from") not in {None, domain} for result in dmarc):
        return Authentication(False, "Its DMARC result is about another From domain.")
    if said == {"pass"} and all(result.domain("header.from") for result in dmarc):
        return Authentication(True, f"dmarc=pass header.from={domain}")
    # bestguesspass is Microsoft's word for: no policy, though it would have passed.
    if not said <= {"pass", "none", "bestguesspass"}:
        return Authentication(False, f"dmarc={min(said)[:20]}")
    for result in results:
        name = "header.i" if result.domain("header.d") is None else "header.d"
        signer = result.domain(name)
        if result.method == "dkim" and result.result == "pass" and _speaks_for(signer, domain):
            return Authentication(True, f"dkim=pass {name}={signer}")
    return Authentication(False, "Neither DMARC nor an aligned DKIM signature passed.")


def _speaks_for(signer: str | None, domain: str) -> bool:
    if not signer or "" in signer.split("."):
        return False
    return signer == domain or ("." in signer and domain.endswith(f".{signer}"))
