"""The rules about a mail by itself, in words: what it is, who wrote it, and what it says.

Each says what it found, also below the rule that decides the outcome; nothing is decided here.
"""

from __future__ import annotations

from flexmail.services.evidence import Facts, Found


def reading(facts: Facts) -> Found:
    """Say whether the reply job would read the mail at all now; if not, what follows holds then."""
    if not facts.settings.enable_email_approval:
        return None, "Email approval is off: no mail is read. What follows is what it would do."
    if facts.held:
        return None, f"{facts.held} What follows is what it will do then."
    return True, "The reply job reads what is in the reply folder."


def size(facts: Facts) -> Found:
    """Say how much was read."""
    read = f"{len(facts.mail.raw):,} bytes"
    if facts.mail.partial:
        return True, f"Its first {read} are read; what comes after them is not."
    return True, f"{read}, read whole."


def own_mail(facts: Facts) -> Found:
    """Say whether flexmail sent it."""
    mark = facts.parsed.own_mark
    if mark:
        return False, f"It carries the mark of flexmail's own mail ({mark})."
    return True, "It is none of flexmail's own mails."


def bounce(facts: Facts) -> Found:
    """Say whether it reports a delivery."""
    sign = facts.parsed.bounce
    return (False, f"It is a bounce: {sign}.") if sign else (True, "It reports no delivery.")


def automatic(facts: Facts) -> Found:
    """Say whether a program wrote it."""
    sign = facts.parsed.automatic
    if sign:
        return False, f"A program wrote it: {sign}"
    return True, "Nothing says that a program wrote it."


def structure(facts: Facts) -> Found:
    """Say whether headers and parts can be read."""
    problem = facts.parsed.problem
    if problem and not _is_about_from(problem):
        return False, problem
    return True, "Headers and parts can be read."


def author(facts: Facts) -> Found:
    """Say whom From names."""
    if facts.parsed.author:
        return True, f"From names {facts.parsed.author.addr_spec}, and nobody else."
    problem = facts.parsed.problem
    if not _is_about_from(problem):
        problem = "From does not name exactly one sender with one address."
    return False, " ".join([problem, " | ".join(facts.parsed.from_values)]).strip()


def text(facts: Facts) -> Found:
    """Say which texts there are."""
    if facts.parsed.text_missing:
        return False, "The text does not lie within the first MiB of the mail."
    kinds = {"plain text": facts.parsed.plain, "HTML": facts.parsed.html}
    there = [kind for kind, found in kinds.items() if found is not None]
    return True, f"There is {' and '.join(there)}." if there else "There is no text to read."


def seen_before(facts: Facts) -> Found:
    """Say whether the very same bytes were processed."""
    if not facts.earlier:
        return True, "The very same mail was not processed before."
    known = ", ".join(f"No. {reply.id} ({reply.outcome})" for reply in facts.earlier)
    if facts.aside:
        return True, f"It was processed before: {known}. That is left aside here."
    return False, f"The very same mail was processed before: {known}."


def hints(facts: Facts) -> Found:
    """Say whether a sign that proves nothing by itself looks like a program."""
    sign = facts.parsed.weak_sign
    if facts.bound and facts.is_theirs:
        sign = facts.parsed.hint
        if sign and facts.mail.reading.verdict:
            return True, f"{sign}. That the approver decided outweighs it."
    if sign:
        return False, f"Nothing was decided, and this is how programs write: {sign}"
    return True, "Subject and sender are not like those of a program."


def words(facts: Facts) -> Found:
    """Say on which words of the author the decision rests."""
    reading = facts.mail.reading
    if not reading.words_read:
        return False, reading.reason
    return True, f"The author's own words begin: {reading.words_read}"


def decision(facts: Facts) -> Found:
    """Say what these words decide."""
    reading = facts.mail.reading
    if reading.verdict:
        return True, f"{reading.verdict.capitalize()}: {reading.reason}"
    if not reading.words_read:
        return None, "Not reached: there are no words to go by."
    return False, reading.reason


def _is_about_from(problem: str) -> bool:
    return "From line" in problem
