"""What a fresh token costs a request, counted; how long it takes is measured by `nox -s bench`."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any

import httpx
import pytest

from pokitdok_ext import connect
from pokitdok_ext._manager import TokenManager
from pokitdok_ext.testing.clock import HeldClock

BASE = "https://api.pokitdok.test"
REQUESTS = 5


class CountedLock:
    """A lock that remembers how often it was taken."""

    def __init__(self) -> None:
        self.taken = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.taken += 1
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()


class Counts:
    """What the signing of requests took: locks, threads, hops off the loop, questions to the token endpoint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lock = CountedLock()
        self.threads = self.hops = self.token_requests = self.signed = 0
        start = threading.Thread.start

        def counted_start(thread: threading.Thread) -> None:
            self.threads += 1
            start(thread)

        def counted_hop(loop: asyncio.BaseEventLoop, *arguments: Any) -> Any:
            self.hops += 1
            return run_in_executor(loop, *arguments)

        run_in_executor = asyncio.BaseEventLoop.run_in_executor
        monkeypatch.setattr(threading.Thread, "start", counted_start)
        monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", counted_hop)

    def platform(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            self.token_requests += 1
            return httpx.Response(200, json={"access_token": "an-invented-token", "expires_in": 3600})
        self.signed += request.headers["authorization"] == "Bearer an-invented-token"
        return httpx.Response(200, json={})

    def start_over(self, manager: TokenManager) -> None:
        manager._lock = self.lock  # type: ignore[assignment]
        self.lock.taken = self.threads = self.hops = self.token_requests = self.signed = 0

    @property
    def seen(self) -> dict[str, int]:
        return {
            "signed": self.signed,
            "locks": self.lock.taken,
            "threads": self.threads,
            "hops": self.hops,
            "token requests": self.token_requests,
        }


NOTHING_BUT_SIGNED = {"signed": REQUESTS, "locks": 0, "threads": 0, "hops": 0, "token requests": 0}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(monkeypatch)


def test_fresh_token_costs_a_request_no_lock_and_no_thread(counts: Counts) -> None:
    with connect("id", "secret", base_url=BASE, transport=httpx.MockTransport(counts.platform)) as client:
        client.tokens.warm()
        http = client.get_httpx_client()
        counts.start_over(client.tokens.manager)  # type: ignore[attr-defined]
        for _ in range(REQUESTS):
            http.post(BASE + "/api/v4/eligibility/", json={})
        assert counts.seen == NOTHING_BUT_SIGNED


async def test_fresh_token_costs_a_task_no_lock_no_thread_and_no_hop(counts: Counts) -> None:
    transport = httpx.MockTransport(counts.platform)
    async with connect("id", "secret", base_url=BASE, transport=transport, async_transport=transport) as client:
        await client.tokens.awarm()
        http = client.get_async_httpx_client()
        counts.start_over(client.tokens.manager)  # type: ignore[attr-defined]
        for _ in range(REQUESTS):
            await http.post(BASE + "/api/v4/eligibility/", json={})
        assert counts.seen == NOTHING_BUT_SIGNED


def test_stale_token_costs_locks_and_one_thread(counts: Counts) -> None:
    """What the two tests above count is there to be counted."""
    held = HeldClock()
    transport = httpx.MockTransport(counts.platform)
    with connect("id", "secret", base_url=BASE, transport=transport, clock=held.clock()) as client:
        manager: TokenManager = client.tokens.manager  # type: ignore[attr-defined]
        client.tokens.warm()
        http = client.get_httpx_client()
        counts.start_over(manager)
        held.forward(3550)
        http.get(BASE + "/api/v4/activities/")
        assert counts.threads == 1
        assert counts.lock.taken > 0
