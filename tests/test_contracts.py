"""Rules of the house that no linter knows: wiring, sizes, words and pins.

The rooms of `flexmail/` themselves are guarded by import-linter (contracts in setup.cfg).
"""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

MAX_FILE_LINES = 200
MAX_FUNCTION_LINES = 45
# path -> why this file may be longer
LONG_FILES: dict[str, str] = {
    "flexmail/forms.py": "one declaration a setting, with label, rule and help; no logic to part",
    "flexmail/jobs.py": "one class that owns, schedules and runs; its halves share every field",
}

# Joined here, so that this file does not hold what it looks for.
FORBIDDEN_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
REGISTRY_HOSTS = tuple(
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
        ("cdnjs", "cloudflare", "com"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("ghcr", "io"),
        ("docker", "io"),
    )
)

WSGI_MAY_IMPORT = {"flexmail", "flexmail.jobs"}
FACTORY_MAY_IMPORT_OF_FLEXMAIL = {
    "cli",
    "config",
    "crypto",
    "db",
    "errors",
    "models",
    "schema",
    "services",
    "views",
}
FACTORY_MAY_NOT_IMPORT = {
    "apscheduler",
    "imapclient",
    "imaplib",
    "multiprocessing",
    "smtplib",
    "socket",
    "subprocess",
    "threading",
}


def repository_files() -> list[str]:
    """Return what is, or could be, committed; a vendored file keeps to its own rules."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(name for name in set(listed.stdout.split("\0")) if (ROOT / name).is_file())
    return [name for name in names if "vendor" not in Path(name).parts and ".min." not in name]


def code_files() -> list[str]:
    """Return the Python files of flexmail; migrations are records, and as long as they must be."""
    return [
        name
        for name in repository_files()
        if name.startswith("flexmail/") and name.endswith(".py") and "/migrations/" not in name
    ]


def parse(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), filename=name)


def imported(name: str) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, wherever in the file.

    `from flexmail import views` counts as flexmail.views; `from flexmail import create_app` as
    flexmail, since there is no module of that name.
    """
    package = ".".join(Path(name).parent.parts)
    for node in ast.walk(parse(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = ".".join(part for part in (package if node.level else "", node.module) if part)
            for alias in node.names:
                path = ROOT.joinpath(*origin.split("."), alias.name)
                is_module = path.is_dir() or path.with_suffix(".py").is_file()
                yield f"{origin}.{alias.name}" if is_module else origin


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def direct_requirements() -> list[Requirement]:
    config = setup_cfg()
    blocks = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    return [Requirement(line) for block in blocks for line in block.split("\n") if line]


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements/constraints.txt").read_text(encoding="utf-8").split("\n")
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def needed(requirement: Requirement, seen: set[str]) -> None:
    """Add to `seen` what a requirement brings along, as far as it is installed here."""
    name = canonicalize_name(requirement.name)
    wanted = {f"{name}[{extra}]" for extra in requirement.extras} | {name}
    if wanted <= seen:
        return
    seen |= wanted
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    for child in map(Requirement, lines):
        extras = [{"extra": extra} for extra in ("", *requirement.extras)]
        if child.marker is None or any(child.marker.evaluate(extra) for extra in extras):
            needed(child, seen)


def test_wsgi_imports_the_factory_and_the_jobs_and_nothing_else() -> None:
    others = {
        name
        for name in imported("wsgi.py")
        if name not in WSGI_MAY_IMPORT and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert not others


def test_the_factory_wires_rooms_but_knows_no_socket_and_no_thread() -> None:
    names = list(imported("flexmail/__init__.py"))
    assert not {name for name in names if name.split(".")[0] in FACTORY_MAY_NOT_IMPORT}
    rooms = {name.split(".")[1] for name in names if name.startswith("flexmail.")}
    assert rooms <= FACTORY_MAY_IMPORT_OF_FLEXMAIL


@pytest.mark.parametrize("word", FORBIDDEN_WORDS)
def test_nothing_is_left_for_later(word: str) -> None:
    assert not files_that_match(rf"\b{word}\b")


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_registry(host: str) -> None:
    assert not files_that_match(re.escape(host))


def files_that_match(pattern: str) -> list[str]:
    wanted = re.compile(pattern.encode())
    return [name for name in repository_files() if wanted.search((ROOT / name).read_bytes())]


def test_no_file_is_longer_than_can_be_read_in_one_go() -> None:
    sizes = {name: (ROOT / name).read_bytes().count(b"\n") for name in code_files()}
    too_long = {name: size for name, size in sizes.items() if size > MAX_FILE_LINES}
    assert too_long.keys() == LONG_FILES.keys(), too_long


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = {
        f"{name}:{node.lineno} {node.name}": lines
        for name in code_files()
        for node in ast.walk(parse(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert not too_long


def test_every_requirement_is_pinned_within_its_range() -> None:
    pinned = pins()
    wrong = [
        str(requirement)
        for requirement in direct_requirements()
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]
    assert not wrong


def test_whatever_a_requirement_brings_along_is_pinned_too() -> None:
    seen: set[str] = set()
    for requirement in direct_requirements():
        needed(requirement, seen)
    assert {name for name in seen if "[" not in name} <= pins().keys()


def test_nothing_is_pinned_that_nobody_needs() -> None:
    seen: set[str] = set()
    for requirement in direct_requirements():
        needed(requirement, seen)
    # These come with psycopg and with Django, which need not be installed here.
    assert pins().keys() - seen <= {"asgiref", "psycopg-binary", "sqlparse"}


def test_the_page_on_dependencies_states_each_pin() -> None:
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    stated = {
        canonicalize_name(name): version
        for name, version in re.findall(r"^\| `([\w.-]+)(?:\[\w+\])?` \| ([\w.]+) \|", page, re.M)
    }
    wanted = {canonicalize_name(requirement.name) for requirement in direct_requirements()}
    assert stated == {name: version for name, version in pins().items() if name in wanted}
