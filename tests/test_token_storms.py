"""How many token requests a crowd makes: threads, event loops, processes; cold, at expiry, and when the leader dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pokitdok_api import Client
from pokitdok_api.api.trading_partners import get_trading_partner
from pokitdok_ext import connect
from pokitdok_ext._auth import TokenAuth
from pokitdok_ext._client_tokens import ClientTokens
from pokitdok_ext._clock import Clock
from pokitdok_ext._grants import ClientCredentials
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._tokens import Secret
from pokitdok_sandbox import Sandbox

LIMIT = 60.0
"""Seconds after which a test that waits for others gives up."""


@contextmanager
def small_stacks() -> Iterator[None]:
    """A thousand threads need not reserve eight gigabytes."""
    before = threading.stack_size(256 * 1024)
    try:
        yield
    finally:
        threading.stack_size(before)


def crowd(client: Client, threads: int, loops: int, tasks: int) -> list[str | None]:
    """Let everyone ask for a token at the same moment; their fingerprints."""
    start = threading.Barrier(threads + loops)
    seen: list[str | None] = []
    lock = threading.Lock()

    def note() -> None:
        with lock:
            seen.append(client.tokens.state().fingerprint)

    def thread() -> None:
        start.wait(LIMIT)
        client.tokens.warm()
        note()

    def loop() -> None:
        async def one() -> None:
            await client.tokens.awarm()
            note()

        async def all_of_them() -> None:
            await asyncio.gather(*(one() for _ in range(tasks)))

        start.wait(LIMIT)
        asyncio.run(all_of_them())

    with small_stacks():
        everyone = [threading.Thread(target=each) for each in [thread] * threads + [loop] * loops]
        for each in everyone:
            each.start()
    for each in everyone:
        each.join(LIMIT)
    return seen


def test_thousand_threads_and_three_thousand_tasks_cold_make_one_token_request() -> None:
    with Sandbox() as sandbox, connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        seen = crowd(client, threads=1000, loops=3, tasks=1000)
        assert (len(seen), len(set(seen)), sandbox.token_requests) == (4000, 1, 1)


def test_at_expiry_under_load_nobody_waits_and_one_renewal_happens() -> None:
    """Both clocks jump to five minutes before the end while 50 threads call the API."""
    with Sandbox() as sandbox:
        ahead = [0.0]
        clock = Clock(lambda: time.time() + ahead[0], lambda: time.monotonic() + ahead[0])
        endpoint = TokenEndpoint(sandbox.url, sandbox.client_id, Secret(sandbox.client_secret))
        manager = TokenManager(ClientCredentials(endpoint), clock=clock)
        tokens = ClientTokens(manager)
        with Client(sandbox.url, auth=TokenAuth(tokens, [sandbox.url]), tokens=tokens) as client:
            client.tokens.warm()
            old = manager.state().fingerprint
            stop = threading.Event()
            answered = [0]

            def call() -> None:
                while not stop.is_set():
                    get_trading_partner.sync("MOCKPAYER", client=client)
                    answered[0] += 1

            threads = [threading.Thread(target=call) for _ in range(50)]
            for thread in threads:
                thread.start()
            until(lambda: answered[0] > 100)
            ahead[0] = 3400
            until(lambda: manager.state().fingerprint != old)
            reached = answered[0]
            until(lambda: answered[0] > reached + 100)
            stop.set()
            for thread in threads:
                thread.join(LIMIT)
            state = manager.state()
            assert sandbox.token_requests == 2
            assert (state.waits, state.failures, state.replays) == (0, 0, 0)
            assert state.served_stale >= 1


def until(condition: Callable[[], bool]) -> None:
    """Wait for others; a limit, never a delay: it returns as soon as the condition holds."""
    deadline = time.monotonic() + LIMIT
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the others did not get there"
        tick.wait(0.005)


# --- processes ------------------------------------------------------------------------------------

WORKER = """
import sys, time
from pokitdok_ext import FileStore, RedisStore, connect
base, kind, place = sys.argv[1:]
store = FileStore(place) if kind == "file" else RedisStore(place)
with connect("sandbox-client-id", "sandbox-client-secret", base_url=base, store=store) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    print("asking", flush=True)
    client.tokens.warm()
    print(client.tokens.state().fingerprint, time.monotonic(), flush=True)
"""


class Workers:
    """Processes that wait for a word, then ask for a token."""

    def __init__(self, count: int, base: str, kind: str, place: str) -> None:
        command = [sys.executable, "-c", WORKER, base, kind, place]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def go(self, processes: list[subprocess.Popen[str]] | None = None) -> None:
        for process in processes or self.processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes or self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "asking\n"

    def outcome(self, processes: list[subprocess.Popen[str]] | None = None) -> tuple[set[str], float]:
        """The fingerprints of their tokens, and when the last one had it (the monotonic clock is the machine's)."""
        told = [process.communicate(timeout=LIMIT)[0].split() for process in processes or self.processes]
        return {fingerprint for fingerprint, _ in told}, max(float(at) for _, at in told)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.peer)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Kind of a store, and where it is."""
    if request.param == "file":
        return "file", str(tmp_path / "tokens")
    return "redis", request.getfixturevalue("redis_url")


@pytest.mark.slow
def test_eight_processes_cold_on_one_store_make_one_token_request(place: tuple[str, str]) -> None:
    with Sandbox() as sandbox, Workers(8, sandbox.url, *place) as workers:
        workers.go()
        assert len(workers.outcome()[0]) == 1
        assert sandbox.token_requests == 1


class Endpoint(BaseHTTPRequestHandler):
    """A token endpoint that holds the first request for ever and answers the others."""

    first = threading.Event()
    requests = 0

    def do_POST(self) -> None:
        type(self).requests += 1
        if not self.first.is_set():
            self.first.set()
            threading.Event().wait(LIMIT)
            return
        body = b'{"access_token": "abc", "token_type": "bearer", "expires_in": 3600}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.mark.slow
def test_killed_leader_delays_the_others_briefly(place: tuple[str, str]) -> None:
    """By under 2 s with files, whose lock ends with the process; by under 5 s with Redis, whose lease runs out."""

    class Fresh(Endpoint):
        first = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        with Workers(8, f"http://127.0.0.1:{server.server_port}", *place) as workers:
            leader, *others = workers.processes
            workers.go([leader])
            assert Fresh.first.wait(LIMIT)
            workers.go(others)
            leader.kill()
            killed = time.monotonic()
            fingerprints, last = workers.outcome(others)
        assert len(fingerprints) == 1
        assert Fresh.requests == 2, "the leader's and one of the others"
        assert last - killed < (2 if place[0] == "file" else 5)
    finally:
        server.shutdown()
        server.server_close()
        serving.join(LIMIT)
