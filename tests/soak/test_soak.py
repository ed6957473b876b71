"""Some troubles in every run, so that `make soak` does not rot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures_servers import need
from tests.soak import trouble
from tests.soak.__main__ import soak

pytestmark = [pytest.mark.dovecot, pytest.mark.exim, pytest.mark.slow]


QUICK = (trouble.restart_dovecot, trouble.cut_all_lines, trouble.kill_the_owner)


def test_a_few_troubles_lose_nothing_and_double_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("dovecot", "dovecot-imapd")
    need("exim4", "exim4-daemon-light")
    code = soak(tmp_path, seconds=1, seed=5, troubles=QUICK)
    said = capsys.readouterr().out
    assert (code, "0 promises broken" in said) == (0, True), said
