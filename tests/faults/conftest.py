"""The stage of the fault tests: what is in flight, built once, and a scene for each test."""

from __future__ import annotations

import io
import itertools
import logging
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from flexmail import create_app
from flexmail.db import db
from tests.faults.oracle import InFlight, Scene, begin
from tests.faults.proxy import Proxy, Tls
from tests.servers import Dovecot


@pytest.fixture(scope="session")
def begun(fresh_instance: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, InFlight]:
    """An instance folder with everything asked, and the mails that answer."""
    folder = tmp_path_factory.mktemp("in-flight") / "instance"
    shutil.copytree(fresh_instance, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEXMAIL_INSTANCE_PATH", str(folder))
        app = create_app({"TESTING": True})
    with app.app_context():
        flight = begin()
        db.session.remove()
        db.engine.dispose()
    return folder, flight


@pytest.fixture
def app(no_environment: None, begun: tuple[Path, InFlight], tmp_path: Path) -> Flask:
    shutil.copytree(begun[0], tmp_path / "instance", dirs_exist_ok=True)
    return create_app({"TESTING": True})


@pytest.fixture(scope="session")
def certificate(dovecot: Dovecot) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    dovecot.authority.issue_cert(Proxy.host).configure_cert(context)
    return context


@pytest.fixture
def new_proxy(dovecot: Dovecot, certificate: ssl.SSLContext) -> Iterator[Callable[..., Proxy]]:
    """Make proxies to Dovecot, or to another server, that take connections."""
    proxies: list[Proxy] = []

    def make(
        tls: Tls = "implicit",
        *,
        server: tuple[str, int] = (dovecot.host, dovecot.imaps_port),
        context: ssl.SSLContext = certificate,
    ) -> Proxy:
        proxies.append(proxy := Proxy(server, dovecot.ca_pem, context, tls))
        proxy.listen()
        return proxy

    yield make
    for proxy in proxies:
        proxy.stop()


@pytest.fixture
def new_scene(
    context: Flask,
    dovecot: Dovecot,
    begun: tuple[Path, InFlight],
    new_proxy: Callable[..., Proxy],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Callable[..., Scene]]:
    """Make a scene whose mail is delivered and whose settings lead through its proxy."""
    caplog.set_level(logging.DEBUG, logger="flexmail")
    scenes: list[Scene] = []

    def make(
        tls: Tls = "implicit",
        *,
        count: int = 20,
        marked: bool = True,
        junk: bool = True,
    ) -> Scene:
        proxy = new_proxy(tls)
        user = f"faults{next(_numbers)}@example.test"
        scene = Scene(context, dovecot, proxy, user, begun[1], caplog.handler.stream)
        scenes.append(scene)
        scene.begin()
        scene.deliver(count, marked=marked, junk=junk)
        return scene

    yield make
    for scene in scenes:
        scene.close()


@pytest.fixture(scope="session")
def visit_bytes(
    begun: tuple[Path, InFlight],
    dovecot: Dovecot,
    certificate: ssl.SSLContext,
    tmp_path_factory: pytest.TempPathFactory,
) -> int:
    """How many bytes the server says in the clear on a visit without faults to six mails."""
    folder = tmp_path_factory.mktemp("counted") / "instance"
    shutil.copytree(begun[0], folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEXMAIL_INSTANCE_PATH", str(folder))
        app = create_app({"TESTING": True})
    proxy = Proxy((dovecot.host, dovecot.imaps_port), dovecot.ca_pem, certificate, "clear")
    proxy.listen()
    with app.app_context():
        scene = Scene(app, dovecot, proxy, "counted@example.test", begun[1], io.StringIO())
        scene.begin()
        scene.deliver(4)
        assert scene.run().looked_at == 6
        scene.close()
        db.session.remove()
        db.engine.dispose()
    proxy.stop()
    return proxy.shape.sent


@pytest.fixture
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """TLS from the first byte, all twenty replies."""
    return new_scene()


_numbers = itertools.count(1)
