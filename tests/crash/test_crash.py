"""A few kills in every run, so that `make crash` does not rot; and what the table says of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.crash.__main__ import crash
from tests.crash.aim import STEPS
from tests.fixtures_servers import need

pytestmark = [pytest.mark.dovecot, pytest.mark.exim, pytest.mark.slow]


def test_three_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("dovecot", "dovecot-imapd")
    need("exim4", "exim4-daemon-light")
    code = crash(tmp_path, kills=3, seed=5)
    said = capsys.readouterr().out
    assert (code, "0 promises broken" in said) == (0, True), said
    table = Counter(
        {
            step: int(line.split()[0])
            for line in said.splitlines()
            for step in STEPS
            if line.endswith(f"  {step}")
        }
    )
    assert table.total() == 3
