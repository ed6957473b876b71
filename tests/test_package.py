"""The wheel alone serves flexmail: nothing that it needs stays behind in the checkout."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = ("flexmail", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
PASSWORD = "correct horse battery staple"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder to live in: neither the checkout nor its `instance/` is in sight."""
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir()
    for name in PACKAGED:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif origin.exists():
            shutil.copy(origin, source / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    run([*build, str(source)], cwd=folder)
    (found,) = folder.glob("flexmail-*.whl")
    return found


@pytest.fixture(scope="module")
def bin_folder(folder: Path, wheel: Path) -> Path:
    """The programs of a bare environment that has the wheel and what it requires."""
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    programs = folder / "venv" / "bin"
    constraints = ROOT / "requirements" / "constraints.txt"
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    run([*pip, "--constraint", str(constraints), str(wheel)], cwd=folder)
    return programs


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    """What an operator would set: an instance folder, and none of this machine's flexmail."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLEXMAIL_", "FLASK_", "GUNICORN_", "PYTHON"))
    }
    instance = folder / "instance"
    instance.mkdir()
    return inherited | {"FLEXMAIL_INSTANCE_PATH": str(instance), "HOME": str(folder)}


@pytest.fixture(scope="module")
def database(bin_folder: Path, folder: Path, environment: dict[str, str]) -> Path:
    run([str(bin_folder / "flexmail"), "db", "upgrade"], cwd=folder, env=environment)
    return folder / "instance"


@pytest.fixture(scope="module")
def address(
    bin_folder: Path, folder: Path, environment: dict[str, str], database: Path
) -> Iterator[str]:
    with serving(bin_folder / "gunicorn", folder, environment) as found:
        yield found


def run(
    command: list[str],
    *,
    cwd: Path,
    env: dict[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a program to its end; on failure the test shows what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


@contextlib.contextmanager
def serving(gunicorn: Path, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve the factory on a port that the system chose, and stop it with SIGTERM."""
    log = folder / "gunicorn.log"
    command = [str(gunicorn), "--bind", "127.0.0.1:0", "--no-control-socket", "--workers", "1"]
    with subprocess.Popen(
        [*command, "flexmail:create_app()"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield listening_at(process)
        finally:
            process.terminate()
            _, rest = process.communicate(timeout=25)
            log.write_text(rest, encoding="utf-8")
    assert process.returncode == 0, rest


def listening_at(process: subprocess.Popen[str]) -> str:
    """Read gunicorn's log until it names its address; an end of the log is a failed start."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"Listening at: (http://\S+)", line):
            return found[1]
    pytest.fail("gunicorn did not start:\n" + "".join(said))


def fetch(address: str) -> tuple[int, str, str]:
    with urlopen(address, timeout=60) as answer:
        return answer.status, answer.headers.get_content_type(), answer.read().decode()


def test_the_wheel_brings_the_command(
    bin_folder: Path, folder: Path, environment: dict[str, str]
) -> None:
    said = run([str(bin_folder / "flexmail"), "--help"], cwd=folder, env=environment)
    assert said.startswith("Usage: flexmail")


def test_the_wheel_makes_its_own_database(database: Path) -> None:
    assert list(database.iterdir())


def test_an_admin_can_be_added_with_the_wheel_alone(
    bin_folder: Path, folder: Path, environment: dict[str, str], database: Path
) -> None:
    command = [str(bin_folder / "flexmail"), "users", "add", "ada@corp.test", "--role", "admin"]
    said = run([*command, "--password-stdin"], cwd=folder, env=environment, stdin=f"{PASSWORD}\n")
    assert PASSWORD not in said


def test_the_wheel_serves_its_pages_and_their_style(address: str) -> None:
    status, content_type, page = fetch(urljoin(address, "/login"))
    assert (status, content_type) == (200, "text/html")
    sheets = re.findall(r'<link[^>]*\bhref="(/static/[^"]+\.css[^"]*)"', page)
    assert sheets
    for sheet in sheets:
        status, content_type, text = fetch(urljoin(address, sheet))
        assert (status, content_type) == (200, "text/css")
        assert text
