"""The command in a real terminal (a pseudo-terminal): prompts, colours, progress, Ctrl-C, narrow windows."""

from __future__ import annotations

import json
import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from pokitdok_ext.testing import Contract
from pokitdok_sandbox import Sandbox

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are for POSIX systems", allow_module_level=True)

import fcntl
import pty
import termios

CTRL_C = "\x03"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]+)m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ON_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "pokitdok_ext.cli", *sys.argv[1:]])
"""
PARTNER = ("-t", "MOCKPAYER", "--npi", "1234567893")


class Terminal:
    """The command with a terminal of its own, from which Ctrl-C comes as from a keyboard."""

    def __init__(self, *arguments: str, columns: int = 80, **environment: str) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_THE_TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=variables | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        )
        self.theirs = theirs
        self.screen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)

    def _read(self, seconds: float) -> None:
        if select.select([self.ours], [], [], seconds)[0]:
            self.screen += os.read(self.ours, 65_536).decode(errors="replace")

    def expect(self, text: str, seconds: float = 60.0) -> None:
        """Read until *text* is on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} did not come; the screen: {self.screen!r}"
            self._read(0.1)

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def end(self, seconds: float = 60.0) -> int:
        """The exit code, with all that was written read."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end; the screen: {self.screen!r}"
            self._read(0.05)
        while select.select([self.ours], [], [], 0)[0]:
            self._read(0)
        assert "Traceback" not in self.screen
        return self.process.returncode

    def lines(self) -> list[str]:
        """What was ever on a line, without colours and movements."""
        return re.split(r"[\r\n]+", CONTROL.sub("", self.screen))

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.theirs)[3] & termios.ECHO)


@contextmanager
def slow(sandbox: Sandbox, seconds: float) -> Iterator[None]:
    order = {"name": "latency", "seconds": seconds, "operations": ["check_eligibility"]}
    httpx.post(f"{sandbox.url}/_sandbox/faults", json=order).raise_for_status()
    try:
        yield
    finally:
        httpx.delete(f"{sandbox.url}/_sandbox/faults").raise_for_status()


@pytest.fixture
def members(tmp_path: Path) -> Callable[[int], Path]:
    def write(count: int) -> Path:
        file = tmp_path / "members.csv"
        file.write_text("\n".join(["member_id", *(f"W{number:09d}" for number in range(1, count + 1)), ""]))
        return file

    return write


def test_secret_is_asked_for_and_not_shown(connected: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POKITDOK_CLIENT_SECRET")
    with Terminal("token") as terminal:
        terminal.expect(f"Secret of {connected.client_id}: ")
        assert not terminal.echoes
        terminal.type(f"{connected.client_secret}\n")
        assert terminal.end() == 0
    assert "is good for" in terminal.screen
    assert connected.client_secret not in terminal.screen


def test_ctrl_c_at_a_prompt_leaves_the_terminal_as_it_was(connected: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POKITDOK_CLIENT_SECRET")
    with Terminal("token") as terminal:
        terminal.expect("Secret of")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        assert terminal.echoes
    assert terminal.screen.rstrip().endswith("Interrupted.")


def test_member_is_asked_for_so_that_nothing_stays_in_the_history(connected: Sandbox) -> None:
    with Terminal("eligibility", *PARTNER) as terminal:
        for prompt, text in (
            ("Member id: ", "W100000002"),
            ("First name: ", ""),
            ("Last name: ", ""),
            ("Birth date (1984-06-17): ", ""),
        ):
            terminal.expect(prompt)
            terminal.type(f"{text}\n")
        assert terminal.end() == 0
    assert "Inactive - SANDBOX CHOICE PLAN" in terminal.screen


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["usual", "NO_COLOR"]
)
def test_json_has_colours_in_a_terminal_that_wants_them(
    connected: Sandbox, environment: dict[str, str], coloured: bool
) -> None:
    with Terminal("request", "GET", "/tradingpartners/MOCKPAYER", **environment) as terminal:
        assert terminal.end() == 0
    assert bool(COLOUR.search(terminal.screen)) is coloured
    shown = "\n".join(terminal.lines())
    assert json.loads(shown[shown.index("{") :])["data"]["id"] == "MOCKPAYER"


@pytest.mark.parametrize(
    ("columns", "shown"), [(30, "amount: 2387.25 USD"), (80, "remaining       2387.25 USD"), (100, "│  2387.25 USD │")]
)
def test_benefits_fit_the_window(connected: Sandbox, columns: int, shown: str) -> None:
    with Terminal("eligibility", *PARTNER, "--member-id", "W100000001", columns=columns) as terminal:
        assert terminal.end() == 0
    assert max(map(len, terminal.lines())) <= columns
    assert shown in "\n".join(terminal.lines())


def test_terminal_without_unicode_gets_a_table_and_a_bar(connected: Sandbox, members: Any, tmp_path: Path) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    with Terminal("eligibility", *PARTNER, "--member-id", "W100000001", **locale) as terminal:
        assert terminal.end() == 0
    assert "2387.25 USD" in terminal.screen
    assert terminal.screen.isascii()
    command = ("eligibility", "batch", str(members(5)), "-o", str(tmp_path / "out.jsonl"), *PARTNER)
    with slow(connected, 0.05), Terminal(*command, **locale) as terminal:
        assert terminal.end() == 0
    assert "5/5" in terminal.screen
    assert terminal.screen.isascii()


@pytest.mark.parametrize("columns", [25, 80])
def test_progress_fits_the_window(connected: Sandbox, members: Any, tmp_path: Path, columns: int) -> None:
    command = ("eligibility", "batch", str(members(40)), "-o", str(tmp_path / "out.jsonl"), *PARTNER)
    with slow(connected, 0.05), Terminal(*command, columns=columns) as terminal:
        assert terminal.end() == 0
    bars = [line for line in terminal.lines() if "━" in line or "/40" in line]
    assert len(bars) > 2, "it moves"
    assert max(map(len, bars)) <= columns
    assert terminal.screen.rstrip().endswith("40 active")
    assert terminal.screen.count("\x1b[?25l") == terminal.screen.count("\x1b[?25h"), "the cursor is back"


def test_ctrl_c_stops_a_batch_in_order(connected: Sandbox, members: Any, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    command = ("eligibility", "batch", str(members(400)), "-o", str(output), *PARTNER)
    with slow(connected, 0.1), Terminal(*command) as terminal:
        terminal.expect("/400")
        while not output.exists() or not output.read_bytes():
            time.sleep(0.01)
        terminal.type(CTRL_C)
        terminal.expect("Stopping: waiting for what is under way")
        assert terminal.end() == 130
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert 0 < len(lines) < 400
    assert f"{400 - len(lines)} rows have no answer yet: the same command goes on from here." in terminal.screen
    assert "\x1b[?25h" in terminal.screen


def test_second_ctrl_c_leaves_at_once(connected: Sandbox, members: Any, tmp_path: Path) -> None:
    command = (
        "eligibility",
        "batch",
        str(members(50)),
        "-o",
        str(tmp_path / "out.jsonl"),
        "--in-flight",
        "1",
        *PARTNER,
    )
    asked = connected.state()["requests"].get("check_eligibility", 0)
    with slow(connected, 30.0), Terminal(*command) as terminal:
        terminal.expect("/50")
        while connected.state()["requests"].get("check_eligibility", 0) == asked:  # until a question is under way
            time.sleep(0.01)
        terminal.type(CTRL_C)
        terminal.expect("Stopping")
        terminal.type(CTRL_C)
        assert terminal.end(20) == 130
    assert terminal.screen.rstrip().endswith("Interrupted.")


def test_ctrl_c_ends_watching(pokitdok: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Contract().document["paths"]["/api/v4/claims/"]["post"]["requestBody"]["content"]["application/json"]
    claim = Contract().resolve(content["examples"]["synthetic"])["value"]
    with Sandbox(speed=0.001) as sandbox:
        for name, value in (("BASE_URL", sandbox.url), ("CLIENT_ID", sandbox.client_id)):
            monkeypatch.setenv(f"POKITDOK_{name}", value)
        monkeypatch.setenv("POKITDOK_CLIENT_SECRET", sandbox.client_secret)
        submitted = pokitdok("claims", "submit", "-", "--json", stdin=json.dumps(claim)).json
        with Terminal("activity", "watch", submitted["meta"]["activity_id"]) as terminal:
            terminal.expect("scheduled")
            terminal.type(CTRL_C)
            assert terminal.end() == 130
    assert terminal.screen.rstrip().endswith("Interrupted.")


def test_ctrl_c_while_a_claim_is_under_way_says_that_it_may_have_been_filed(server: Any, tmp_path: Path) -> None:
    server.answer = "silence"
    claim = tmp_path / "claim.json"
    claim.write_text("{}")
    with Terminal("claims", "submit", str(claim)) as terminal:
        while not server.bodies:
            time.sleep(0.01)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert "POST /api/v4/claims/ may have been acted on: look before you repeat it" in " ".join(terminal.lines())
    assert terminal.screen.rstrip().endswith("Interrupted.")


def test_sandbox_ends_with_ctrl_c() -> None:
    with Terminal("sandbox", "--port", "0") as terminal:
        terminal.expect("PokitDok sandbox listening on")
        terminal.type(CTRL_C)
        assert terminal.end() == 0
