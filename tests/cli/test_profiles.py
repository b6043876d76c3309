"""Profiles: where the secret comes from, and what is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pokitdok_sandbox import Sandbox

Run = Callable[..., Any]


@pytest.fixture
def write() -> Callable[..., Path]:
    """Writes the file of profiles where it belongs."""

    def write(text: str, mode: int = 0o600) -> Path:
        file = Path(os.environ["HOME"], ".config", "pokitdok", "profiles.toml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    return write


def table(sandbox: Sandbox, *lines: str, name: str = "default") -> str:
    return "\n".join([f"[{name}]", f'base_url = "{sandbox.url}"', f'client_id = "{sandbox.client_id}"', *lines, ""])


def test_secret_from_a_file(sandbox: Sandbox, pokitdok: Run, write: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(f"{sandbox.client_secret}\n")
    write(table(sandbox, f'client_secret_file = "{secret}"'))
    assert pokitdok("token").code == 0
    secret.chmod(0o640)
    ran = pokitdok("token")
    assert (ran.code, f"chmod 600 {secret}" in ran.err) == (2, True)


def test_secret_from_the_environment(
    sandbox: Sandbox, pokitdok: Run, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(table(sandbox, 'client_secret_env = "MY_SECRET"'))
    ran = pokitdok("token")
    assert (ran.code, "client_secret_env gives nothing" in ran.err) == (2, True)
    monkeypatch.setenv("MY_SECRET", sandbox.client_secret)
    assert pokitdok("token").code == 0


def test_secret_from_a_command(sandbox: Sandbox, pokitdok: Run, write: Any) -> None:
    program = f"print({sandbox.client_secret!r})"
    write(table(sandbox, f'client_secret_command = ["{sys.executable}", "-c", "{program}"]'))
    assert pokitdok("token").code == 0
    write(table(sandbox, f'client_secret_command = ["{sys.executable}", "-c", "import sys; sys.exit(3)"]'))
    ran = pokitdok("token")
    assert (ran.code, "client_secret_command failed (CalledProcessError)" in ran.err) == (2, True)


def test_named_profile_beats_environment_and_default(
    connected: Sandbox, pokitdok: Run, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKITDOK_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MY_SECRET", connected.client_secret)
    write(table(connected, 'client_secret_env = "MY_SECRET"', name="work"))
    assert pokitdok("--profile", "work", "token").code == 0
    monkeypatch.setenv("POKITDOK_PROFILE", "work")
    assert pokitdok("token").code == 0
    ran = pokitdok("--profile", "wrok", "token")
    assert (ran.code, "there are: work" in ran.err) == (2, True)


def test_profile_gives_partner_and_provider(
    sandbox: Sandbox, pokitdok: Run, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", sandbox.client_secret)
    write(table(sandbox, 'trading_partner = "MOCKPAYER"', 'npi = "1234567893"'))
    assert pokitdok("eligibility", "--member-id", "W100000001").out.startswith("Active")


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("[default]\n", 0o644, "chmod 600"),
        ("[default]\n", 0o620, "chmod 600"),
        ("not toml", 0o600, "is not TOML"),
        ('client_id = "x"\n', 0o600, "stands outside a table"),
        ('[default]\nclient_secret = "canary"\n', 0o600, "the secret itself does not belong here"),
        ('[default]\nclinet_id = "x"\n', 0o600, "unknown key clinet_id"),
        ("[default]\nnpi = 1234567893\n", 0o600, "npi is a text"),
        ('[default]\nclient_secret_command = "pass show x"\n', 0o600, "array of words"),
        ('[default]\nclient_secret_env = "A"\nclient_secret_file = "b"\n', 0o600, "only one"),
    ],
    ids=["readable", "writable", "not toml", "no table", "secret", "misspelled", "number", "shell", "two secrets"],
)
def test_profile_that_cannot_be_used_is_told(pokitdok: Run, write: Any, text: str, mode: int, told: str) -> None:
    write(text, mode)
    ran = pokitdok("token")
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert "canary" not in ran.err


def test_without_anything_the_way_is_shown(pokitdok: Run) -> None:
    ran = pokitdok("token")
    assert ran.code == 2
    assert "POKITDOK_CLIENT_ID" in ran.err
    assert "profiles.toml" in ran.err


def test_secret_is_missing_and_nobody_can_be_asked(
    pokitdok: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKITDOK_BASE_URL", sandbox.url)
    ran = pokitdok("--client-id", "x", "token")
    assert (ran.code, "no client secret" in ran.err) == (2, True)
