"""What is said about a mail that was looked at and not acted on; no open reference in any field."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: whether it holds (None: not reached), and what was found, as a sentence."""

    rule: str
    ok: bool | None
    finding: str


@dataclass(frozen=True, slots=True)
class Bound:
    """How many references a mail holds, in which places, and the request that they agree on."""

    count: int = 0
    found_in: tuple[str, ...] = ()
    approval_id: int | None = None
    approver: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The mail that would be sent, and to whom."""

    kind: str
    to: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of a mail, and why; the last rule is about the answer."""

    outcome: str
    reason: str
    decision: str | None = None
    comment: str = ""
    words_read: str = ""
    cut_off: str = ""
    reference: Bound = field(default_factory=Bound)
    rules: tuple[Rule, ...] = ()
    answer: Answer | None = None
    own_text: str = ""
    """What the author wrote, and in `rest` the beginning of what was cut off below it."""
    rest: str = ""
