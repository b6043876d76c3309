"""Programs whose tests freeze the time by freezegun or time-machine: calls work, and tokens age by the frozen time."""

from __future__ import annotations

import ast
import asyncio
import base64
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import freezegun
import httpx
import pytest
import time_machine

import pokitdok_api
import pokitdok_ext
from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity
from pokitdok_ext import FileStore, TokenRefusedError, TokenUnavailableError, compat, connect
from pokitdok_ext._clock import SYSTEM_CLOCK
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._sources import FETCH_LIMIT, TokenRequest, TokenSource
from pokitdok_ext._tokens import TokenGrant
from pokitdok_ext.testing import FakeTokenServer, HeldClock
from pokitdok_ext.testing.stores import KEY, stored_token

ROOT = "https://api.example.test"
ACTIVITY = "5317f51527a27620f2ec7533"
PAST, FUTURE = "2012-02-29 12:00:00", "2061-07-28 12:00:00"

Tick = Callable[[float], object]


@contextmanager
def freezegun_with_real_asyncio(moment: str) -> Iterator[Tick]:
    with freezegun.freeze_time(moment, real_asyncio=True) as frozen:
        yield frozen.tick


@contextmanager
def freezegun_alone(moment: str) -> Iterator[Tick]:
    with freezegun.freeze_time(moment) as frozen:
        yield frozen.tick


@contextmanager
def time_machine_standing(moment: str) -> Iterator[Tick]:
    with time_machine.travel(f"{moment} +0000", tick=False) as traveller:
        yield traveller.shift


def call_sync(client: Client) -> Any:
    return get_activity.sync(ACTIVITY, client=client)


def call_async(client: Client) -> Any:
    return asyncio.run(get_activity.asyncio(ACTIVITY, client=client))


def call_on_a_thread(client: Client) -> Any:
    outcomes: list[object] = []

    def run() -> None:
        outcomes.append(call_sync(client))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert len(outcomes) == 1


@pytest.mark.parametrize("moment", [PAST, FUTURE], ids=["past", "future"])
@pytest.mark.parametrize("freeze", [freezegun_with_real_asyncio, freezegun_alone, time_machine_standing])
@pytest.mark.parametrize("call", [call_sync, call_async, call_on_a_thread])
def test_calls_work_in_frozen_time_and_a_token_that_ends_by_it_is_renewed(
    call: Callable[[Client], Any], freeze: Callable[[str], Any], moment: str
) -> None:
    server = FakeTokenServer(life=3600)
    with (
        freeze(moment) as tick,
        connect("id", "secret", base_url=ROOT, transport=server, async_transport=server) as client,
    ):
        for _ in range(3):
            call(client)
        assert len(server.token_requests) == 1
        tick(3700.0)
        call(client)
        assert len(server.token_requests) == 2
        call(client)
    assert len(server.token_requests) == 2
    assert len(server.api_requests) == 5


@pytest.mark.parametrize("moment", [PAST, FUTURE], ids=["past", "future"])
def test_token_is_used_by_threads_and_tasks_alike(moment: str) -> None:
    """freezegun tells the real time to some threads, so that a token could be over at once for the others."""
    server = FakeTokenServer()
    with (
        freezegun_with_real_asyncio(moment),
        connect("id", "secret", base_url=ROOT, transport=server, async_transport=server) as client,
    ):
        for call in (call_async, call_sync, call_on_a_thread, call_async):
            call(client)
    assert len(server.token_requests) == 1


def test_token_of_a_provider_on_the_loop_comes_in_frozen_time() -> None:
    server = FakeTokenServer()
    server.tokens.add("mine")

    async def provider() -> dict[str, object]:
        await asyncio.sleep(0.001)
        return {"access_token": "mine", "expires_in": 3600}

    with (
        freezegun_with_real_asyncio(FUTURE),
        connect(token_provider=provider, base_url=ROOT, async_transport=server) as client,
    ):
        call_async(client)
    assert len(server.api_requests) == 1


def test_client_that_is_first_imported_in_frozen_time_has_a_monotonic_clock_that_goes_on() -> None:
    program = """
import asyncio, freezegun
with freezegun.freeze_time("2012-02-29", real_asyncio=True) as frozen:
    import pokitdok_ext
    from pokitdok_ext.testing import FakeTokenServer
    from pokitdok_api.api.activities import get_activity
    from pokitdok_ext._clock import SYSTEM_CLOCK
    server = FakeTokenServer()
    with pokitdok_ext.connect("id", "secret", base_url="https://a.test", async_transport=server) as client:
        for _ in range(2):
            asyncio.run(get_activity.asyncio("5317f51527a27620f2ec7533", client=client))
            frozen.tick(3700)
    before = SYSTEM_CLOCK.monotonic()
    while SYSTEM_CLOCK.monotonic() == before:
        pass
print(len(server.token_requests), len(server.api_requests))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.split() == ["2", "2"], run.stderr


def test_time_frozen_after_a_call_and_released_again_costs_one_token_each_at_most() -> None:
    server = FakeTokenServer()
    with connect("id", "secret", base_url=ROOT, transport=server) as client:
        call_sync(client)
        with freezegun_alone(PAST):
            call_sync(client)
            assert len(server.token_requests) == 1
        with freezegun_alone(FUTURE):
            call_sync(client)
            call_sync(client)
            assert len(server.token_requests) == 2
        call_sync(client)
    assert len(server.token_requests) == 2


def test_old_surface_gets_and_renews_its_token_in_frozen_time() -> None:
    server = FakeTokenServer(life=3600)
    with (
        freezegun_alone(FUTURE) as tick,
        compat.PokitDokClient("id", "secret", base=ROOT, transport=server) as client,
    ):
        client.trading_partners()
        client.trading_partners()
        assert len(server.token_requests) == 1
        tick(3700.0)
        client.trading_partners()
    assert len(server.token_requests) == 2


def test_frozen_future_deletes_no_file_that_another_process_is_writing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "tokens")
    store.save(KEY, stored_token("first"))
    written = next(path for path in store.directory.iterdir() if path.suffix != ".lock")
    underway = written.with_name(f".{written.name}.0123456789abcdef")
    underway.write_bytes(b"half")
    left = underway.with_suffix(".fedcba9876543210")
    left.write_bytes(b"half")
    long_ago = written.stat().st_mtime - 3600
    os.utime(left, (long_ago, long_ago))
    with freezegun_alone(FUTURE):
        store.save(KEY, stored_token("second"))
    assert underway.exists()
    assert not left.exists()


def test_static_token_has_ended_by_the_clock_of_the_client() -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 1000100}').decode().rstrip("=")
    refusing = httpx.MockTransport(lambda _: httpx.Response(401))
    for wall, ended in ((1_000_000.0, False), (1_000_200.0, True)):
        clock = HeldClock(wall).clock()
        with (
            connect(token=f"e30.{claims}.c2ln", base_url=ROOT, transport=refusing, clock=clock) as client,
            pytest.raises(TokenRefusedError) as caught,
        ):
            call_sync(client)
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
