"""Environment and key files: what is right works, what is wrong stops the start by name."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from flexmail import create_app
from flexmail.config import instance_path, key_file, time_zone
from flexmail.errors import ConfigError

KEY_FILES = {"SECRET_KEY": "secret.key", "ENCRYPTION_KEYS": "encryption.key"}


@pytest.fixture
def instance(no_environment: None) -> Path:
    return Path(instance_path())


def test_the_instance_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    made = Path(instance_path({"FLEXMAIL_INSTANCE_PATH": str(tmp_path / "deep" / "instance")}))
    assert made.is_absolute()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


@pytest.mark.parametrize("environ", [{}, {"FLEXMAIL_INSTANCE_PATH": ""}])
def test_the_instance_folder_is_by_default_in_the_current_directory(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert instance_path(environ) == str(tmp_path / "instance")


def test_an_instance_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="FLEXMAIL_INSTANCE_PATH"):
        instance_path({"FLEXMAIL_INSTANCE_PATH": str(tmp_path / "file" / "instance")})


@pytest.mark.parametrize(("key", "name"), KEY_FILES.items())
def test_keys_are_made_once_and_stay(key: str, name: str, instance: Path) -> None:
    first, second = create_app().config[key], create_app().config[key]
    assert first == second == (instance / name).read_text().strip()
    assert len(first) >= 43
    assert stat.S_IMODE((instance / name).stat().st_mode) == 0o600


def test_the_two_keys_differ_and_no_other_file_holds_them(instance: Path) -> None:
    config = create_app().config
    assert config["SECRET_KEY"] != config["ENCRYPTION_KEYS"]
    names = {path.name for path in instance.iterdir()}
    assert not [name for name in names if "key" in name and name not in KEY_FILES.values()]


@pytest.mark.parametrize("name", KEY_FILES.values())
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o644, 0o601])
def test_a_key_file_that_others_can_reach_is_refused(mode: int, name: str, instance: Path) -> None:
    create_app()
    (instance / name).chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as raised:
        create_app()
    assert name in str(raised.value)
    assert (instance / name).read_text().strip() not in str(raised.value)


@pytest.mark.parametrize("name", KEY_FILES.values())
@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00key"])
def test_a_key_file_without_a_usable_key_is_refused(
    content: bytes, name: str, instance: Path
) -> None:
    path = instance / name
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=name):
        create_app()
    assert path.read_bytes() == content


def test_a_folder_in_place_of_a_key_file_is_refused(instance: Path) -> None:
    (instance / "secret.key").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match=r"secret\.key"):
        create_app()


def test_a_malformed_key_in_the_file_stops_the_start(instance: Path) -> None:
    path = instance / "encryption.key"
    path.write_text("not-a-fernet-key")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="Fernet") as raised:
        create_app()
    assert "not-a-fernet-key" not in str(raised.value)


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from flexmail.config import key_file\n"
        "folder, mine = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(key_file(folder / 'the.key', mine))\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), f"key-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = {child.communicate(timeout=30)[0].strip() for child in children}
    assert answers == {(tmp_path / "the.key").read_text().strip()}
    assert [path.name for path in tmp_path.iterdir()] == ["the.key"]


def test_threads_that_start_together_agree_on_one_key_every_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(20):
            path, barrier = tmp_path / f"{round_}.key", threading.Barrier(8)

            def start(number: int, path: Path = path, barrier: threading.Barrier = barrier) -> str:
                barrier.wait(10)
                return key_file(path, f"key-{number}")

            assert set(pool.map(start, range(8))) == {path.read_text().strip()}
    assert len(list(tmp_path.iterdir())) == 20


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    assert key_file(tmp_path / "a.key", "first") == "first"
    assert key_file(tmp_path / "a.key", "second") == "first"


def test_a_value_may_come_from_a_file_whose_mode_is_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.write_text("from a file\n")
    path.chmod(0o644)
    monkeypatch.setenv("FLEXMAIL_SECRET_KEY_FILE", str(path))
    config = create_app().config
    assert config["SECRET_KEY"] == "from a file"
    assert not Path(instance_path(), "secret.key").exists()


def test_encryption_keys_may_come_from_a_file_one_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    path.write_text("".join(Fernet.generate_key().decode() + "\n" for _ in range(2)))
    monkeypatch.setenv("FLEXMAIL_ENCRYPTION_KEYS_FILE", str(path))
    create_app()
    assert not Path(instance_path(), "encryption.key").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_variable_that_cannot_be_read_stops_the_start(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "missing"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("FLEXMAIL_SECRET_KEY_FILE", str(path))
    with pytest.raises(ConfigError, match="FLEXMAIL_SECRET_KEY_FILE"):
        create_app()


@pytest.mark.parametrize("key", KEY_FILES)
def test_an_empty_secret_file_stops_the_start(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "empty"
    path.write_text("\n")
    monkeypatch.setenv(f"FLEXMAIL_{key}_FILE", str(path))
    with pytest.raises(ConfigError, match=f"FLEXMAIL_{key}_FILE"):
        create_app()


def test_what_the_caller_gives_wins_over_file_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "zone"
    path.write_text("Europe/Paris")
    monkeypatch.setenv("FLEXMAIL_TIMEZONE", "Europe/Berlin")
    assert create_app().config["TIMEZONE"] == "Europe/Berlin"
    monkeypatch.setenv("FLEXMAIL_TIMEZONE_FILE", str(path))
    assert create_app().config["TIMEZONE"] == "Europe/Paris"
    assert create_app({"TIMEZONE": "UTC"}).config["TIMEZONE"] == "UTC"


def test_any_flask_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXMAIL_SESSION_COOKIE_NAME", "other")
    assert create_app().config["SESSION_COOKIE_NAME"] == "other"


@pytest.mark.parametrize("keys", ["nonsense", "Zm9v", ",", "a" * 44 + ",b"])
def test_malformed_encryption_keys_are_named_and_not_shown(
    keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_ENCRYPTION_KEYS", keys)
    with pytest.raises(ConfigError, match="FLEXMAIL_ENCRYPTION_KEYS") as raised:
        create_app()
    assert len(keys) < 3 or keys not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("https://flexmail.corp.test", "https://flexmail.corp.test"),
        ("https://flexmail.corp.test/", "https://flexmail.corp.test"),
        ("http://127.0.0.1:8000/mail/", "http://127.0.0.1:8000/mail"),
    ],
)
def test_the_base_url_is_kept_without_its_last_slash(
    given: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_BASE_URL", given)
    assert create_app().config["BASE_URL"] == kept


@pytest.mark.parametrize(
    "given",
    [
        *("flexmail.corp.test", "ftp://flexmail.corp.test", "https://", "javascript:alert(1)"),
        *("https://flexmail.corp.test/?a=b", "//flexmail.corp.test", "5"),
        "https://[::1",
    ],
)
def test_a_base_url_that_is_none_stops_the_start(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_BASE_URL", given)
    with pytest.raises(ConfigError, match="FLEXMAIL_BASE_URL"):
        create_app()


@pytest.mark.parametrize("name", ["UTC", "utc", "Europe/Berlin", "America/Argentina/Ushuaia"])
def test_a_known_time_zone_is_taken(name: str) -> None:
    assert str(time_zone(name)).lower() == name.lower()


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "5", "Europe/Berlin\x00"]
)
def test_an_unknown_time_zone_stops_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match="FLEXMAIL_TIMEZONE"):
        create_app({"TIMEZONE": name})


@pytest.mark.parametrize("uri", ["nonsense", "nosuchdatabase://host/x"])
def test_a_malformed_database_uri_stops_the_start_by_name(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_SQLALCHEMY_DATABASE_URI", uri)
    with pytest.raises(ConfigError, match="FLEXMAIL_SQLALCHEMY_DATABASE_URI"):
        create_app()


def test_the_database_lies_in_the_instance_folder_by_default(instance: Path) -> None:
    create_app()
    assert (instance / "flexmail.db").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LONG_POLLS", "abc"), ("LONG_POLLS", "0"), ("TRUSTED_PROXIES", "-1")),
        *(("MAX_CONTENT_LENGTH", "abc"), ("TRUSTED_PROXIES", "true"), ("ENCRYPTION_KEYS", "0")),
        ("SQLALCHEMY_DATABASE_URI", "sqlite:////nonexistent/folder/x.db"),
    ],
)
def test_a_value_that_cannot_be_used_stops_the_start_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FLEXMAIL_{name}", value)
    with pytest.raises(ConfigError, match=f"FLEXMAIL_{name}"):
        create_app()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", set()),
        ("ci.corp:8443", {("ci.corp", 8443)}),
        (
            " CI.corp:80, 10.1.2.3:8080 ,[fd00::1]:443,",
            {("ci.corp", 80), ("10.1.2.3", 8080), ("fd00::1", 443)},
        ),
    ],
)
def test_hosts_that_may_be_called_inside_are_a_comma_list(
    given: str, found: set[tuple[str, int]], instance: Path
) -> None:
    assert create_app({"CALLBACK_ALLOWED_HOSTS": given}).config["CALLBACK_ALLOWED_HOSTS"] == found


@pytest.mark.parametrize(
    "given",
    [
        *("ci.corp", "ci.corp:", ":80", "ci.corp:0", "ci.corp:99999", "ci.corp:x", "8080"),
        *("http://ci.corp:80", "ada@ci.corp:80", "ci.corp:80/hook", "good.corp:80,bad"),
        *("ci corp:80", "[fd00::1:80", "bücher.corp:80"),
    ],
)
def test_a_host_without_its_port_stops_the_start_by_name(
    given: str, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_CALLBACK_ALLOWED_HOSTS", given)
    with pytest.raises(ConfigError, match=r"^FLEXMAIL_CALLBACK_ALLOWED_HOSTS: .*host:port"):
        create_app()


def test_the_mark_of_the_installation_is_made_once_for_the_owner_alone(instance: Path) -> None:
    first, second = (create_app().config["INSTALLATION_MARK"] for _ in range(2))
    path = instance / "installation.mark"
    assert first == second == path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_several_hosts_may_be_given_one_mark(
    instance: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mark").write_text("of-all-hosts\n")
    monkeypatch.setenv("FLEXMAIL_INSTALLATION_MARK_FILE", str(tmp_path / "mark"))
    assert create_app().config["INSTALLATION_MARK"] == "of-all-hosts"
    assert not (instance / "installation.mark").exists()


@pytest.mark.parametrize("mark", ["short", "x" * 65, "two words", "m\u00e4rk-of-all"])
def test_a_mark_that_cannot_be_compared_stops_the_start(
    mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_INSTALLATION_MARK", mark)
    with pytest.raises(ConfigError, match="FLEXMAIL_INSTALLATION_MARK"):
        create_app()
