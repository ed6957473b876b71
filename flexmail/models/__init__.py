"""The tables and their states; no network, no cryptography, no commit.

States are lower-case words stored as text. A column called `sealed_...` holds what only a service
opens; a column called `..._digest` is the SHA-256 of something secret that is only looked up.

Annotations are no text in here (no `from __future__ import annotations`): SQLAlchemy reads each,
and would have it compiled three times.
"""

from flexmail.models.accounts import ROLES, ApiToken, Membership, SignInFailure, User
from flexmail.models.approvals import (
    FINAL_STATUSES,
    Approval,
    ApprovalApprover,
    ApprovalReference,
    Decision,
)
from flexmail.models.events import (
    DIGESTS,
    DigestItem,
    Event,
    EventSkip,
    EventTemplate,
    HourlyCount,
    OptOut,
    Subscription,
)
from flexmail.models.mail import (
    MAIL_KINDS,
    MAIL_STATES,
    OUTCOMES,
    OutboxContent,
    OutboxMail,
    Reply,
    ReplyFolder,
)
from flexmail.models.operations import (
    AUDIT_ACTIONS,
    CALLBACK_STATES,
    AuditEntry,
    Callback,
    Canary,
    Channel,
    Installation,
    Lease,
    Trouble,
)
from flexmail.models.settings import EmailSettings

__all__ = [
    "AUDIT_ACTIONS",
    "CALLBACK_STATES",
    "DIGESTS",
    "FINAL_STATUSES",
    "MAIL_KINDS",
    "MAIL_STATES",
    "OUTCOMES",
    "ROLES",
    "ApiToken",
    "Approval",
    "ApprovalApprover",
    "ApprovalReference",
    "AuditEntry",
    "Callback",
    "Canary",
    "Channel",
    "Decision",
    "DigestItem",
    "EmailSettings",
    "Event",
    "EventSkip",
    "EventTemplate",
    "HourlyCount",
    "Installation",
    "Lease",
    "Membership",
    "OptOut",
    "OutboxContent",
    "OutboxMail",
    "Reply",
    "ReplyFolder",
    "SignInFailure",
    "Subscription",
    "Trouble",
    "User",
]
