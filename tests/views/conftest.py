"""Visitors: Ada signed in as admin, Bob as approver, Charlie from outside."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import Cast
from tests.views.visitor import Visitor


@pytest.fixture
def ada(app: Flask, cast: Cast) -> Visitor:
    return Visitor(app, cast.ada)


@pytest.fixture
def bob(app: Flask, cast: Cast) -> Visitor:
    return Visitor(app, cast.bob)


@pytest.fixture
def charlie(app: Flask, cast: Cast) -> Visitor:
    return Visitor(app)
