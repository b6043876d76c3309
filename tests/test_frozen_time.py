"""Programs whose tests freeze the time by freezegun or time-machine: calls work, and tokens age by the frozen time."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import pokitdok_api
import pokitdok_ext
from pokitdok_api.api.activities import get_activity
from pokitdok_ext import TokenRefusedError, TokenUnavailableError, connect
from pokitdok_ext._clock import SYSTEM_CLOCK
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._sources import FETCH_LIMIT, TokenRequest, TokenSource
from pokitdok_ext._tokens import TokenGrant
from pokitdok_ext.testing import FakeTokenServer, HeldClock

ROOT = "https://api.example.test"
ACTIVITY = "5317f51527a27620f2ec7533"
SCENARIOS = Path(__file__).with_name("frozen_calls.py")

RENEWALS = [
    f"renewal {call} {freeze} {moment}"
    for call in ("call_sync", "call_async", "call_on_a_thread")
    for freeze in ("freezegun_with_real_asyncio", "freezegun_alone", "time_machine_standing")
    for moment in ("past", "future")
]
EXPECTED: dict[str, object] = {
    **{name: [1, 2, 2, 5] for name in RENEWALS},
    "mixed past": [1, 4],
    "mixed future": [1, 4],
    "provider on the loop": 1,
    "frozen and released": [1, 1, 2, 2, 2],
    "old surface": [1, 2],
    "files in the future": [True, False],
    "monotonic goes on": True,
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, object]:
    """What each scenario of `frozen_calls.py` gave."""
    run = subprocess.run([sys.executable, SCENARIOS], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found: dict[str, object] = json.loads(run.stdout)
    return found


def test_every_scenario_has_an_expectation(outcomes: dict[str, object]) -> None:
    assert outcomes.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_scenario_in_frozen_time(outcomes: dict[str, object], name: str) -> None:
    """Each is told by its docstring in `frozen_calls.py`."""
    assert outcomes[name] == EXPECTED[name]


def test_static_token_has_ended_by_the_clock_of_the_client() -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 1000100}').decode().rstrip("=")
    refusing = httpx.MockTransport(lambda _: httpx.Response(401))
    for wall, ended in ((1_000_000.0, False), (1_000_200.0, True)):
        clock = HeldClock(wall).clock()
        with (
            connect(token=f"e30.{claims}.c2ln", base_url=ROOT, transport=refusing, clock=clock) as client,
            pytest.raises(TokenRefusedError) as caught,
        ):
            get_activity.sync(ACTIVITY, client=client)
        assert ("by its own exp it has ended" in str(caught.value)) == ended


class Silent(TokenSource):
    """Takes the time it is given, on the machine's clock, and has no token."""

    def __init__(self, machine: HeldClock) -> None:
        self.machine = machine
        self.limits: list[float] = []

    def fetch(self, request: TokenRequest) -> TokenGrant:
        self.limits.append(request.limit)
        self.machine.forward(min(request.limit, 8.0))
        raise TokenUnavailableError("no answer")


def test_fetch_ends_at_its_real_deadline_though_the_clock_of_the_client_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads wait for it in real time: it must not try again, and again, for as long as its clock allows."""
    held, machine = HeldClock(), HeldClock()
    monkeypatch.setattr("pokitdok_ext._manager.SYSTEM_CLOCK", machine.clock())
    source = Silent(machine)
    with pytest.raises(TokenUnavailableError):
        TokenManager(source, clock=held.clock()).get()
    assert source.limits == [FETCH_LIMIT, FETCH_LIMIT - 8.0]


def test_pauses_of_a_held_clock_count_against_the_deadline_too() -> None:
    held = HeldClock()

    def slow(_: httpx.Request) -> httpx.Response:
        held.forward(14.9)
        return httpx.Response(503)

    server = FakeTokenServer()
    server.then(slow, slow, slow)
    with (
        connect("id", "secret", base_url=ROOT, transport=server, clock=held.clock()) as client,
        pytest.raises(TokenUnavailableError),
    ):
        client.tokens.warm()
    assert len(server.token_requests) == 1


# ---------------------------------------------------------------- nobody else reads the time

_CLOCK_MODULE = "_clock.py"
_READERS = {"now", "utcnow", "today"}
_PACKAGES = [Path(str(package.__file__)).parent for package in (pokitdok_ext, pokitdok_api)]


def readings(source: str) -> list[tuple[int, str]]:
    """Where *source* reads the time, sleeps or draws a random number: line and what it is."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, name.name) for name in names if name.name in {"time", "random"}]
            case ast.ImportFrom(module="time" | "random" as module):
                found.append((node.lineno, module))
            case ast.ImportFrom(module="asyncio" | "anyio" | "trio", names=names):
                found += [(node.lineno, "sleep") for name in names if name.name == "sleep"]
            case ast.Attribute(value=ast.Name(id="asyncio" | "anyio" | "trio"), attr="sleep"):
                found.append((node.lineno, "sleep"))
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=attr) if attr in _READERS:
                found.append((node.lineno, attr))
            case ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=attr) if attr in _READERS:
                found.append((node.lineno, attr))
            case ast.Attribute(attr="time" | "call_later") if (
                isinstance(node.value, ast.Name) and "loop" in node.value.id
            ):
                found.append((node.lineno, node.attr))
            case ast.Attribute(value=ast.Name(id="secrets"), attr="randbelow" | "choice" | "SystemRandom"):
                found.append((node.lineno, node.attr))
    return found


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "import random as r",
        "from time import monotonic",
        "from random import random",
        "from asyncio import sleep",
        "asyncio.sleep(1)",
        "anyio.sleep(1)",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "loop.time()",
        "secrets.randbelow(3)",
    ],
)
def test_each_way_to_read_the_time_is_seen(line: str) -> None:
    assert len(readings(line)) == 1


def test_no_module_but_the_clock_reads_the_time_sleeps_or_draws_random_numbers() -> None:
    modules = [path for package in _PACKAGES for path in package.rglob("*.py")]
    assert len(modules) > 100
    found = {str(path): readings(path.read_text(encoding="utf-8")) for path in modules if path.name != _CLOCK_MODULE}
    assert {path: what for path, what in found.items() if what} == {}


def test_wall_clock_of_the_machine_is_unix_time() -> None:
    assert abs(SYSTEM_CLOCK.wall() - time.time()) < 60
