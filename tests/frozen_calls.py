"""Calls in a process whose time freezegun or time-machine freezes; `test_frozen_time.py` runs it.

In a process of its own, since freezegun stops the event loops of all threads: here that of a sandbox for other tests.
Prints what each scenario gave, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import freezegun
import time_machine

with freezegun.freeze_time("2012-02-29"):  # as in a program that imports the client only then
    from pokitdok_ext._clock import SYSTEM_CLOCK

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity
from pokitdok_ext import FileStore, compat, connect
from pokitdok_ext.testing import FakeTokenServer
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


def call_on_a_thread(client: Client) -> None:
    thread = threading.Thread(target=call_sync, args=[client])
    thread.start()
    thread.join(30)


CALLS = [call_sync, call_async, call_on_a_thread]
FREEZES = [freezegun_with_real_asyncio, freezegun_alone, time_machine_standing]
MOMENTS = {"past": PAST, "future": FUTURE}


def renewal(call: Callable[[Client], Any], freeze: Callable[[str], Any], moment: str) -> list[int]:
    """Tokens after three calls, after one more an hour later, and after another; calls that the API answered."""
    server = FakeTokenServer(life=3600)
    with (
        freeze(moment) as tick,
        connect("id", "secret", base_url=ROOT, transport=server, async_transport=server) as client,
    ):
        for _ in range(3):
            call(client)
        counts = [len(server.token_requests)]
        tick(3700.0)
        for _ in range(2):
            call(client)
            counts.append(len(server.token_requests))
    return [*counts, len(server.api_requests)]


def mixed(moment: str) -> list[int]:
    """Tokens, and calls that the API answered, from threads and tasks in turn."""
    server = FakeTokenServer()
    with (
        freezegun_with_real_asyncio(moment),
        connect("id", "secret", base_url=ROOT, transport=server, async_transport=server) as client,
    ):
        for call in (call_async, call_sync, call_on_a_thread, call_async):
            call(client)
    return [len(server.token_requests), len(server.api_requests)]


def provider_on_the_loop() -> int:
    """Calls that the API answered."""
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
    return len(server.api_requests)


def frozen_and_released() -> list[int]:
    """Tokens after a call in real time, in the past, in the future, again there, and in real time again."""
    server, counts = FakeTokenServer(), []
    with connect("id", "secret", base_url=ROOT, transport=server) as client:

        def call() -> None:
            call_sync(client)
            counts.append(len(server.token_requests))

        call()
        with freezegun_alone(PAST):
            call()
        with freezegun_alone(FUTURE):
            call()
            call()
        call()
    return counts


def old_surface() -> list[int]:
    """Tokens after two calls, and after one more an hour later."""
    server = FakeTokenServer(life=3600)
    with (
        freezegun_alone(FUTURE) as tick,
        compat.PokitDokClient("id", "secret", base=ROOT, transport=server) as client,
    ):
        client.trading_partners()
        client.trading_partners()
        before = len(server.token_requests)
        tick(3700.0)
        client.trading_partners()
    return [before, len(server.token_requests)]


def files_in_the_future() -> list[bool]:
    """Whether a file that another process writes at the moment, and one left an hour ago, are there after a save."""
    with tempfile.TemporaryDirectory() as directory:
        store = FileStore(Path(directory) / "tokens")
        store.save(KEY, stored_token("first"))
        written = next(path for path in store.directory.iterdir() if path.suffix != ".lock")
        underway = written.with_name(f".{written.name}.0123456789abcdef")
        left = written.with_name(f".{written.name}.fedcba9876543210")
        for path in (underway, left):
            path.write_bytes(b"half")
        long_ago = written.stat().st_mtime - 3600
        os.utime(left, (long_ago, long_ago))
        with freezegun_alone(FUTURE):
            store.save(KEY, stored_token("second"))
        return [underway.exists(), left.exists()]


def monotonic_goes_on() -> bool:
    """Whether the monotonic clock goes on while the time is frozen."""
    with freezegun_alone(FUTURE):
        before = SYSTEM_CLOCK.monotonic()
        threading.Event().wait(0.01)
        return 0 < SYSTEM_CLOCK.monotonic() - before < 60


SCENARIOS: dict[str, Callable[[], object]] = {
    f"renewal {call.__name__} {freeze.__name__} {name}": lambda call=call, freeze=freeze, moment=moment: renewal(
        call, freeze, moment
    )
    for call in CALLS
    for freeze in FREEZES
    for name, moment in MOMENTS.items()
} | {
    "mixed past": lambda: mixed(PAST),
    "mixed future": lambda: mixed(FUTURE),
    "provider on the loop": provider_on_the_loop,
    "frozen and released": frozen_and_released,
    "old surface": old_surface,
    "files in the future": files_in_the_future,
    "monotonic goes on": monotonic_goes_on,
}


def main() -> None:
    outcomes: dict[str, object] = {}
    for name, scenario in SCENARIOS.items():
        try:
            outcomes[name] = scenario()
        except Exception:  # noqa: BLE001 - the test of the scenario shows it
            outcomes[name] = traceback.format_exc(limit=-4)
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
