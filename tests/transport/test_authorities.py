"""The authorities that the system trusts: found by name or loaded, but always all of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from flexmail.errors import TlsFailed
from flexmail.transport.smtp import SmtpAccount, open_session
from flexmail.transport.tls import Endpoint, verifying_context
from tests.fixtures_servers import need
from tests.transport.test_tls import implicit_tls, pem, server_context

Trust = Callable[..., None]


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trust]:
    """Return a function that makes the system trust these: in its folder, and in its file."""
    need("openssl", "openssl")
    folder = tmp_path / "certs"
    folder.mkdir()

    def trusting(
        in_folder: list[trustme.CA], in_file: list[trustme.CA], *, beside: bool = True
    ) -> None:
        for number, authority in enumerate(in_folder):
            (folder / f"{number}.pem").write_text(pem(authority))
        subprocess.run(["openssl", "rehash", folder], check=True, timeout=60)
        file = (folder if beside else tmp_path) / "all.crt"
        file.write_text("".join(map(pem, in_file)))
        monkeypatch.setenv("SSL_CERT_DIR", str(folder))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        verifying_context.cache_clear()

    yield trusting
    verifying_context.cache_clear()


def connects(authority: trustme.CA) -> bool:
    """Tell whether a server with a certificate of this authority is trusted."""
    with implicit_tls(server_context(authority, "127.0.0.1")) as server:
        endpoint = Endpoint(server.host, server.port, False, True)
        try:
            with open_session(SmtpAccount(endpoint, "", "")) as session:
                return session.encrypted
        except TlsFailed:
            return False


def test_an_authority_of_the_system_is_found_by_name_and_no_other_is_loaded(trust: Trust) -> None:
    first, second, stranger = trustme.CA(), trustme.CA(), trustme.CA()
    trust([first, second], [first, second])
    context = verifying_context("")
    assert context.cert_store_stats()["x509"] == 0
    assert connects(second)
    assert context.cert_store_stats()["x509"] == 1
    assert not connects(stranger)


def test_an_authority_that_was_added_to_the_file_alone_is_trusted(trust: Trust) -> None:
    known, added = trustme.CA(), trustme.CA()
    trust([known], [known, added])
    assert connects(added)
    assert connects(known)


def test_a_file_of_the_operators_own_is_loaded_however_many_it_holds(trust: Trust) -> None:
    known, own = trustme.CA(), trustme.CA()
    trust([known], [own], beside=False)
    assert connects(own)


def test_an_authority_that_is_in_the_folder_alone_is_trusted(trust: Trust) -> None:
    first, second = trustme.CA(), trustme.CA()
    trust([first, second], [first])
    assert connects(second)


def test_an_authority_that_cannot_be_read_in_the_folder_is_taken_from_the_file(
    trust: Trust, tmp_path: Path
) -> None:
    known, private = trustme.CA(), trustme.CA()
    trust([known, private], [known, private])
    (tmp_path / "certs" / "1.pem").unlink()  # its link stays, as one to a file of root's alone
    assert connects(private)
    assert connects(known)
