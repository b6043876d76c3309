"""A sandbox, and the command run in this process."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pokitdok_ext._stand_ins import StandIn
from pokitdok_ext.cli import main
from pokitdok_ext.testing import HeldClock
from pokitdok_sandbox import Sandbox


class Ran(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(speed=float("inf")) as running:
        yield running


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Profiles and tokens of the person who runs the tests stay out of it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("POKITDOK_PROFILE", "POKITDOK_PROFILES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Sandbox:
    """The environment names the sandbox and its credentials."""
    monkeypatch.setenv("POKITDOK_BASE_URL", sandbox.url)
    monkeypatch.setenv("POKITDOK_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", sandbox.client_secret)
    return sandbox


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts the time goes on by itself."""
    monkeypatch.setattr("pokitdok_ext._stand_ins._NETWORK", StandIn(clock=HeldClock(time.time()).clock()))


@pytest.fixture
def pokitdok(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command."""

    def run(*arguments: str, stdin: str | bytes = "") -> Ran:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="latin-1"))
        capfd.readouterr()
        code = main(arguments)
        return Ran(code, *capfd.readouterr())

    return run
