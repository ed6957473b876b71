"""Closing requests: once each, whatever is believed of them."""

from __future__ import annotations

from typing import cast

import pytest
from flask import Flask
from sqlalchemy import Table, func, select, update

from flexmail.db import db, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import Approval, AuditEntry, Decision
from flexmail.services import approvals
from tests.conftest import NOW
from tests.services.stage import ask, held, set_up


def test_what_was_closed_behind_our_back_is_not_closed_again(people: Flask) -> None:
    set_up()
    number = ask().approval_id
    table = cast(Table, Approval.__table__)

    def decide() -> None:
        with transaction():
            case, bob = held(number)
            db.session.connection().execute(update(table).values(status="cancelled"))
            refusal = approvals.decide(
                case, bob, verdict="approve", comment="", channel="web", now=NOW, proof={}
            )
            assert refusal is None  # it is pending as far as anybody here knows

    with pytest.raises(OwnershipLost, match="closed already"):
        decide()
    assert approvals.get(number).status == "pending"  # all of it is undone
    assert db.session.scalar(select(func.count(Decision.id))) == 0
    approved = select(func.count(AuditEntry.id)).where(AuditEntry.action == "approval_approved")
    assert db.session.scalar(approved) == 0
