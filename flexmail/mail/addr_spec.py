"""One addr-spec, checked by email-validator: the only module that knows that library.

Loading it takes as long as loading the parser, so `address` imports this one at its first address.
"""

from __future__ import annotations

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

# Names of networks of one's own, where mail is as good as any.
for _own in ("local", "localhost"):
    if _own in SPECIAL_USE_DOMAIN_NAMES:
        SPECIAL_USE_DOMAIN_NAMES.remove(_own)


def checked(addr_spec: str) -> str:
    """Return it with its domain lower-case in A-labels.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    try:
        valid = validate_email(addr_spec, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return f"{valid.local_part}@{valid.ascii_domain.lower()}"
