"""The token manager against a source without a network: phases, clocks, flights, pauses, the brake."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import math
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import trio

from pokitdok_api.errors import ClientClosedError
from pokitdok_ext._client_tokens import ClientTokens
from pokitdok_ext._errors import (
    ConfigurationError,
    InvalidClientError,
    PermanentTokenError,
    TokenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._shared_managers import manager_for
from pokitdok_ext._sources import CallableSource, TokenRequest, TokenSource
from pokitdok_ext._token_record import BRAKE
from pokitdok_ext._token_reports import TokenEvent
from pokitdok_ext._tokens import Secret, TokenGrant
from pokitdok_ext.testing.clock import HeldClock

LIMIT = 10.0
"""Seconds after which a test that waits for another thread gives up."""

HOUR = 3600.0


class FakeSource(TokenSource):
    """Gives token-1, token-2, ...; follows a script of lives and errors first; can be held shut by a gate."""

    def __init__(self, *script: float | BaseException, life: float = HOUR) -> None:
        self.calls = 0
        self.life = life
        self.script: Iterator[float | BaseException] = iter(script)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.threads: list[str] = []
        self.on_fetch: Callable[[], None] = lambda: None

    def fetch(self, request: TokenRequest) -> TokenGrant:
        assert 0 < request.limit <= 15
        self.calls += 1
        number = self.calls
        self.threads.append(threading.current_thread().name)
        outcome = next(self.script, self.life)
        self.entered.set()
        self.on_fetch()
        assert self.gate.wait(LIMIT)
        if isinstance(outcome, BaseException):
            raise outcome
        return TokenGrant(Secret(f"token-{number}"), outcome)


@pytest.fixture
def held() -> HeldClock:
    return HeldClock()


def value(manager: TokenManager) -> str:
    return manager.get().value.reveal()


def landed(manager: TokenManager) -> None:
    """Wait for the background flight."""
    flight = manager._flight
    if flight is not None:
        flight.wait(LIMIT)


def start(count: int, target: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive(), "a thread still waits"


# --- windows and clocks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "phase"),
    [(0, "fresh"), (3299, "fresh"), (3300, "stale"), (3589, "stale"), (3590, "expired"), (9999, "expired")],
)
def test_phase_follows_the_age(held: HeldClock, age: float, phase: str) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())
    manager.get()
    held.forward(age)
    assert manager.state().phase == phase


def test_life_counts_from_before_the_request(held: HeldClock) -> None:
    """A token call of 9 seconds has used up 9 seconds of the token."""
    source = FakeSource()
    source.on_fetch = lambda: held.forward(9)
    manager = TokenManager(source, clock=held.clock())
    manager.get()
    assert manager.state().seconds_left == pytest.approx(3590 - 9)


@pytest.mark.parametrize(
    ("wall", "monotonic", "fetches"),
    [
        pytest.param(-86_400, 1, 1, id="wall clock set back a day: no effect"),
        pytest.param(86_400, 1, 2, id="wall clock a day ahead, or the machine slept: one fetch"),
        pytest.param(0, 3600, 2, id="wall clock stuck: the monotonic clock ends the token"),
    ],
)
def test_either_clock_ends_a_token(held: HeldClock, wall: float, monotonic: float, fetches: int) -> None:
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    manager.get()
    held.wall += wall
    held.monotonic += monotonic
    for _ in range(5):
        manager.get()
    assert source.calls == fetches


@pytest.mark.parametrize("life", [0, 1, 5, 30, 60, 600, HOUR])
def test_fifty_quick_requests_cost_one_fetch(held: HeldClock, life: float) -> None:
    source = FakeSource(life=life)
    manager = TokenManager(source, clock=held.clock())
    assert {value(manager) for _ in range(50)} == {"token-1"}
    assert source.calls == 1


def test_fresh_token_takes_no_lock_and_starts_no_thread(held: HeldClock, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())
    manager.get()
    manager._lock.acquire()  # a second taker would wait for ever
    monkeypatch.setattr(threading, "Thread", None)
    assert value(manager) == "token-1"


# --- one flight -----------------------------------------------------------------------------------


def test_threads_and_loops_together_share_one_cold_fetch() -> None:
    """40 threads and 3 loops with 30 tasks each."""
    source = FakeSource()
    source.gate.clear()
    manager = TokenManager(source)
    values: Counter[str] = Counter()
    lock = threading.Lock()

    def note(token: str) -> None:
        with lock:
            values[token] += 1

    async def many() -> None:
        async def one() -> None:
            note((await manager.aget()).value.reveal())

        await asyncio.gather(*(one() for _ in range(30)))

    threads = start(40, lambda: note(value(manager))) + start(3, lambda: asyncio.run(many()))
    assert source.entered.wait(LIMIT)
    until(lambda: manager.state().waits == 129)
    source.gate.set()
    join(threads)
    assert values == {"token-1": 130}
    assert source.calls == 1


def until(condition: Callable[[], bool]) -> None:
    """Wait for other threads; a limit, never a delay: it returns as soon as the condition holds."""
    tick = threading.Event()
    for _ in range(int(LIMIT / 0.005)):
        if condition():
            return
        tick.wait(0.005)
    pytest.fail("the other threads did not get there")


def test_all_waiters_get_the_leaders_error_from_one_fetch(held: HeldClock) -> None:
    source = FakeSource(InvalidClientError("refused"))
    source.gate.clear()
    manager = TokenManager(source, clock=held.clock())
    errors: list[TokenError] = []

    def ask() -> None:
        with pytest.raises(InvalidClientError) as caught:
            manager.get()
        errors.append(caught.value)

    threads = start(30, ask)
    until(lambda: manager.state().waits == 29)
    source.gate.set()
    join(threads)
    assert source.calls == 1
    assert {str(error) for error in errors} == {"refused"}
    assert len({id(error) for error in errors}) == 30, "threads that raise one object mix their tracebacks"


async def test_cancelled_leader_and_waiter_leave_the_others_served() -> None:
    source = FakeSource()
    source.gate.clear()
    manager = TokenManager(source)
    tasks = [asyncio.create_task(manager.aget()) for _ in range(11)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[5].cancel()
    await asyncio.sleep(0)
    source.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = [index for index, result in enumerate(results) if isinstance(result, asyncio.CancelledError)]
    assert cancelled == [0, 5]
    assert source.calls == 1


def test_loop_that_closes_during_the_fetch_leaves_it_to_the_next_loop() -> None:
    source = FakeSource()
    source.gate.clear()
    manager = TokenManager(source)

    async def leave_early() -> None:
        task = asyncio.create_task(manager.aget())
        await asyncio.to_thread(source.entered.wait, LIMIT)
        assert not task.done()

    async def join_in() -> str:
        task = asyncio.create_task(manager.aget())
        await asyncio.sleep(0)
        source.gate.set()
        return (await task).value.reveal()

    asyncio.run(leave_early())
    assert asyncio.run(join_in()) == "token-1"
    assert source.calls == 1


async def test_sync_get_on_the_loop_thread_joins_an_async_flight() -> None:
    """The flight does not need the loop that the sync call blocks."""
    source = FakeSource()
    source.gate.clear()
    manager = TokenManager(source)
    task = asyncio.create_task(manager.aget())
    await asyncio.sleep(0)
    threading.Timer(0.01, source.gate.set).start()
    assert value(manager) == "token-1"
    assert (await task).value.reveal() == "token-1"
    assert source.calls == 1


async def test_task_never_fetches_on_the_loop_thread() -> None:
    source = FakeSource()
    await TokenManager(source).aget()
    assert source.threads == ["pokitdok-token"]


def test_sync_leader_fetches_on_its_own_thread() -> None:
    source = FakeSource()
    TokenManager(source).get()
    assert source.threads == [threading.current_thread().name]


def test_waiter_takes_over_from_an_interrupted_leader() -> None:
    source = FakeSource(KeyboardInterrupt())
    source.gate.clear()
    manager = TokenManager(source)
    interrupted = threading.Event()
    values: list[str] = []

    def lead() -> None:
        with pytest.raises(KeyboardInterrupt):
            manager.get()
        interrupted.set()

    leader = start(1, lead)
    assert source.entered.wait(LIMIT)
    waiter = start(1, lambda: values.append(value(manager)))
    until(lambda: manager.state().waits == 1)
    source.gate.set()
    join(leader + waiter)
    assert interrupted.is_set()
    assert values == ["token-2"]


async def test_three_interrupted_leaders_end_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", void)  # the interruption is meant
    source = FakeSource(SystemExit(), SystemExit(), SystemExit())
    manager = TokenManager(source)
    with pytest.raises(TokenUnavailableError, match="did not end"):
        await manager.aget()
    join(thread for thread in threading.enumerate() if thread.name == "pokitdok-token")
    assert source.calls == 3


async def test_flight_runs_inline_where_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    source = FakeSource()
    assert (await TokenManager(source).aget()).value.reveal() == "token-1"


def test_fetch_inside_a_fetch_is_an_error_not_a_hang() -> None:
    source = FakeSource()
    manager = TokenManager(source)
    source.on_fetch = lambda: void(manager.get())
    with pytest.raises(PermanentTokenError, match="one of its own"):
        manager.get()
    assert source.calls == 1


def void(_: object) -> None:
    return None


# --- stale ----------------------------------------------------------------------------------------


def test_stale_token_is_served_at_once_and_renewed_once_in_the_background(held: HeldClock) -> None:
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    manager.get()
    held.forward(3400)
    source.gate.clear()
    assert {value(manager) for _ in range(100)} == {"token-1"}, "nobody waits for the gate"
    source.gate.set()
    landed(manager)
    assert value(manager) == "token-2"
    assert source.calls == 2
    assert source.threads[1] == "pokitdok-token"
    assert manager.state().served_stale == 100


def test_renewal_still_running_at_the_hard_limit_is_awaited(held: HeldClock) -> None:
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    manager.get()
    held.forward(3400)
    source.gate.clear()
    manager.get()
    held.forward(200)
    values: list[str] = []
    waiter = start(1, lambda: values.append(value(manager)))
    until(lambda: manager.state().waits == 1)
    source.gate.set()
    join(waiter)
    assert values == ["token-2"]
    assert source.calls == 2


def test_outage_is_invisible_while_the_token_is_good(held: HeldClock, caplog: pytest.LogCaptureFixture) -> None:
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    manager.get()
    held.forward(3300)
    source.script = iter([TokenUnavailableError("down") for _ in range(1000)])
    held.chance = 0.5
    with caplog.at_level(logging.WARNING):
        for _ in range(289):
            assert value(manager) == "token-1"
            landed(manager)
            held.forward(1)
    assert 5 <= source.calls - 1 <= 12, "1, 2, 4 ... 60 seconds apart, not a try per request"
    assert [record.levelname for record in caplog.records] == ["WARNING"], "one per outage"
    assert held.slept == [], "a renewal in the background does not insist"
    held.forward(10)
    with pytest.raises(TokenUnavailableError):
        manager.get()
    source.script = iter(())
    held.forward(61)
    assert value(manager).startswith("token-")
    assert manager.state().last_error is None


def test_renewal_that_ends_no_later_keeps_the_token_and_rests(held: HeldClock) -> None:
    source = FakeSource(HOUR, 10.0, 10.0)
    manager = TokenManager(source, clock=held.clock())
    manager.get()
    held.forward(3400)
    for _ in range(50):
        assert value(manager) == "token-1"
        landed(manager)
    assert source.calls == 2
    held.forward(101)
    value(manager)
    landed(manager)
    assert source.calls == 3, "half of the 200 seconds that were left have passed"


# --- failures -------------------------------------------------------------------------------------

DOWN, BROKEN = TokenUnavailableError("down"), TokenResponseError("broken")


def test_short_outage_is_bridged_within_the_call(held: HeldClock) -> None:
    source = FakeSource(DOWN, BROKEN)
    manager = TokenManager(source, clock=held.clock())
    assert value(manager) == "token-3"
    assert held.slept == [0.25, 0.5]


def test_retry_that_would_pass_the_deadline_is_not_made(held: HeldClock) -> None:
    source = FakeSource(TokenThrottledError("wait", 15.0))
    manager = TokenManager(source, clock=held.clock())
    with pytest.raises(TokenThrottledError) as caught:
        manager.get()
    assert caught.value.retry_after == 15.0
    assert source.calls == 1
    assert held.slept == []


def test_wrong_credentials_are_tried_once_for_a_hundred_calls(held: HeldClock) -> None:
    source = FakeSource(*(InvalidClientError("refused") for _ in range(9)))
    manager = TokenManager(source, clock=held.clock())
    for _ in range(100):
        with pytest.raises(InvalidClientError, match="refused"):
            manager.get()
    assert source.calls == 1
    assert manager.state().phase == "blocked"
    held.forward(30)
    with pytest.raises(InvalidClientError):
        manager.get()
    assert source.calls == 2


def test_invalidate_forgets_token_and_error(held: HeldClock) -> None:
    source = FakeSource(InvalidClientError("refused"))
    manager = TokenManager(source, clock=held.clock())
    with pytest.raises(InvalidClientError):
        manager.get()
    manager.invalidate()
    assert value(manager) == "token-2"
    manager.invalidate()
    assert manager.state().phase == "empty"
    assert value(manager) == "token-3"


def test_bug_in_a_source_reaches_the_caller_and_ends_the_flight(held: HeldClock) -> None:
    source = FakeSource(ZeroDivisionError())
    manager = TokenManager(source, clock=held.clock())
    with pytest.raises(ZeroDivisionError):
        manager.get()
    assert manager.state().last_error == "ZeroDivisionError"
    held.forward(2)
    assert value(manager) == "token-2"


# --- refused tokens -------------------------------------------------------------------------------


def test_refused_token_is_replaced(held: HeldClock) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())
    assert manager.reject(manager.get()) == "renew"
    assert value(manager) == "token-2"


def test_refusal_of_a_token_already_replaced_forgets_nothing(held: HeldClock) -> None:
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    old = manager.get()
    manager.reject(old)
    manager.get()
    assert manager.reject(old) == "renew"
    assert value(manager) == "token-2"
    assert source.calls == 2


def test_refusal_during_a_renewal_joins_it(held: HeldClock) -> None:
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    old = manager.get()
    held.forward(3400)
    source.gate.clear()
    manager.get()
    assert manager.reject(old) == "renew"
    values: list[str] = []
    waiter = start(1, lambda: values.append(value(manager)))
    until(lambda: manager.state().waits == 1)
    source.gate.set()
    join(waiter)
    assert values == ["token-2"]
    assert source.calls == 2
    assert manager.reject(manager.get()) == "renew", "no renewal was forced, so there is nothing to brake"


def test_brake_holds_for_a_minute_after_a_forced_renewal(held: HeldClock) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())
    manager.reject(manager.get())
    new = manager.get()
    held.forward(BRAKE - 1)
    assert manager.reject(new) == "brake"
    assert value(manager) == "token-2"
    assert manager.state().brakes == 1
    held.forward(1)
    assert manager.reject(new) == "renew"


def test_token_of_a_source_without_another_is_kept(held: HeldClock) -> None:
    source = FakeSource(life=math.inf)
    source.renewable = False
    manager = TokenManager(source, clock=held.clock())
    assert manager.reject(manager.get()) == "fixed"
    assert value(manager) == "token-1"


# --- sharing, closing, state ----------------------------------------------------------------------


class KeyedSource(FakeSource):
    def __init__(self, key: object) -> None:
        super().__init__()
        self._key = key

    @property
    def share_key(self) -> Any:
        return self._key


def test_equal_keys_share_a_manager_and_other_sources_never_do() -> None:
    one, same, other = manager_for(KeyedSource("a")), manager_for(KeyedSource("a")), manager_for(KeyedSource("b"))
    assert one is same
    assert one is not other
    assert manager_for(FakeSource()) is not manager_for(FakeSource())


def test_shared_manager_goes_with_its_last_client() -> None:
    tokens = ClientTokens(manager_for(KeyedSource("left alone")))
    tokens.warm()
    first = tokens.state()
    tokens.close()
    gc.collect()
    again = ClientTokens(manager_for(KeyedSource("left alone")))
    assert first.fetches == 1
    assert again.state().fetches == 0


def refuse() -> None:
    raise InvalidClientError("refused")


def test_failed_fetch_does_not_keep_a_manager_alive() -> None:
    """The remembered error has no traceback that leads back to it."""
    gc.collect()
    gc.disable()
    try:
        source = KeyedSource("failed")
        source.on_fetch = refuse
        tokens = ClientTokens(manager_for(source))
        with contextlib.suppress(InvalidClientError):
            tokens.warm()
        assert tokens.state().failures == 1
        tokens.close()
        assert ClientTokens(manager_for(KeyedSource("failed"))).state().failures == 0
    finally:
        gc.enable()


async def test_closed_client_raises_and_leaves_a_shared_token_to_the_others() -> None:
    source = KeyedSource("shared")
    one, other = ClientTokens(manager_for(source)), ClientTokens(manager_for(source))
    await one.awarm()
    one.close()
    one.close()
    with pytest.raises(ClientClosedError, match="connect"):
        one.warm()
    with pytest.raises(ClientClosedError):
        await one.awarm()
    assert one.state().phase == "fresh"
    assert other.manager.get().value.reveal() == "token-1"


def test_state_shows_counters_and_never_the_token(held: HeldClock) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())
    assert manager.state().phase == "empty"
    assert manager.state().fingerprint is None
    manager.get()
    state = manager.state()
    assert (state.phase, state.seconds_left, state.fetches, state.failures) == ("fresh", 3590, 1, 0)
    assert state.fingerprint == hashlib.sha256(b"token-1").hexdigest()[:8]
    assert "token-1" not in repr(state)


# --- other loops, other processes, no threads -----------------------------------------------------


def test_two_tasks_of_trio_share_one_fetch() -> None:
    source = FakeSource()
    manager = TokenManager(source)
    values: list[str] = []

    async def main() -> None:
        async def one() -> None:
            values.append((await manager.aget()).value.reveal())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(one)

    trio.run(main)
    assert values == ["token-1", "token-1"]
    assert source.calls == 1


def test_request_at_interpreter_exit_gets_its_token() -> None:
    """Newer Pythons start no thread then; the fetch runs where it is."""
    code = """
import asyncio, atexit
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._sources import CallableSource
atexit.register(lambda: print(asyncio.run(TokenManager(CallableSource(lambda: "late")).aget()).value.reveal()))
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("late\n", "")


# --- async providers ------------------------------------------------------------------------------


class AsyncProvider:
    """Gives later-1, later-2, ...; remembers the loops it ran on; can be held shut."""

    def __init__(self) -> None:
        self.calls = 0
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.rejected: list[str | None] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()

    async def __call__(self, rejected: str | None = None) -> dict[str, object]:
        self.calls += 1
        number = self.calls
        self.loops.append(asyncio.get_running_loop())
        self.rejected.append(rejected)
        self.entered.set()
        while not self.open.is_set():
            await asyncio.sleep(0.001)
        return {"access_token": f"later-{number}", "expires_in": HOUR}


async def test_async_provider_runs_on_the_loop_that_asks_once_for_all_tasks() -> None:
    provider = AsyncProvider()
    manager = TokenManager(CallableSource(provider))
    tokens = await asyncio.gather(*(manager.aget() for _ in range(20)))
    assert {token.value.reveal() for token in tokens} == {"later-1"}
    assert provider.loops == [asyncio.get_running_loop()]


async def test_cancelled_task_does_not_cancel_the_async_provider() -> None:
    provider = AsyncProvider()
    provider.open.clear()
    manager = TokenManager(CallableSource(provider))
    leader, waiter = (asyncio.create_task(manager.aget()) for _ in range(2))
    await asyncio.to_thread(provider.entered.wait, LIMIT)
    leader.cancel()
    provider.open.set()
    assert (await waiter).value.reveal() == "later-1"
    assert provider.calls == 1


def test_loop_that_ends_during_the_async_provider_leaves_it_to_the_next_loop() -> None:
    provider = AsyncProvider()
    provider.open.clear()
    manager = TokenManager(CallableSource(provider))

    async def leave_early() -> None:
        asyncio.create_task(manager.aget())  # noqa: RUF006 - it is to be left behind
        await asyncio.to_thread(provider.entered.wait, LIMIT)

    async def come_later() -> str:
        provider.open.set()
        return (await manager.aget()).value.reveal()

    asyncio.run(leave_early())
    assert asyncio.run(come_later()) == "later-2"


def test_loop_closed_without_cancelling_is_noticed() -> None:
    provider = AsyncProvider()
    provider.open.clear()
    manager = TokenManager(CallableSource(provider))
    loop = asyncio.new_event_loop()
    left = loop.create_task(manager.aget())
    while not provider.entered.is_set():
        loop.run_until_complete(asyncio.sleep(0.001))
    pending = [each for each in asyncio.all_tasks(loop) if each is not left]
    loop.close()
    provider.open.set()

    async def come_later() -> str:
        return (await manager.aget()).value.reveal()

    assert asyncio.run(come_later()) == "later-2"
    for task in [left, *pending]:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # left pending on purpose


async def test_stale_token_of_an_async_provider_is_renewed_on_the_loop(held: HeldClock) -> None:
    provider = AsyncProvider()
    manager = TokenManager(CallableSource(provider), clock=held.clock())
    await manager.aget()
    held.forward(3400)
    assert manager.get().value.reveal() == "later-1", "a sync call uses it and cannot renew it"
    assert provider.calls == 1
    assert (await manager.aget()).value.reveal() == "later-1"
    flight = manager._flight
    assert flight is not None
    await flight.wait_async(LIMIT)
    assert manager.get().value.reveal() == "later-2"


def test_sync_call_cannot_wait_for_an_async_provider() -> None:
    with pytest.raises(ConfigurationError, match="asyncio functions"):
        TokenManager(CallableSource(AsyncProvider())).get()


async def test_sync_call_on_the_loop_of_an_async_provider_is_an_error_not_a_hang() -> None:
    provider = AsyncProvider()
    provider.open.clear()
    manager = TokenManager(CallableSource(provider))
    task = asyncio.create_task(manager.aget())
    await asyncio.to_thread(provider.entered.wait, LIMIT)
    with pytest.raises(ConfigurationError, match="on this very loop"):
        manager.get()
    provider.open.set()
    assert (await task).value.reveal() == "later-1"


async def test_async_provider_is_told_which_token_was_refused() -> None:
    provider = AsyncProvider()
    manager = TokenManager(CallableSource(provider))
    token = await manager.aget()
    assert manager.reject(token) == "renew"
    await manager.aget()
    assert provider.rejected == [None, token.fingerprint]


async def test_async_provider_that_uses_its_own_client_is_an_error_not_a_hang() -> None:
    managers: list[TokenManager] = []

    async def provider() -> str:
        return (await managers[0].aget()).value.reveal()

    managers.append(TokenManager(CallableSource(provider)))
    with pytest.raises(PermanentTokenError, match="one of its own"):
        await managers[0].aget()


# --- events ---------------------------------------------------------------------------------------


def test_events_tell_the_life_of_a_token(held: HeldClock) -> None:
    source = FakeSource(HOUR, DOWN, DOWN)
    manager = TokenManager(source, clock=held.clock())
    events: list[TokenEvent] = []
    tokens = ClientTokens(manager, events.append)
    first = manager.get()
    held.forward(3300)
    for _ in range(3):
        manager.get()
        landed(manager)
        held.forward(2)
    second = manager.get()
    manager.reject(second)
    third = manager.get()
    manager.reject(third)
    tokens.revoke()
    assert [(event.kind, event.fingerprint) for event in events] == [
        ("fetched", first.fingerprint),
        ("renew_failed", first.fingerprint),
        ("served_stale", first.fingerprint),
        ("renew_failed", first.fingerprint),
        ("renewed", second.fingerprint),
        ("refused", second.fingerprint),
        ("fetched", third.fingerprint),
        ("brake", third.fingerprint),
        ("revoked", third.fingerprint),
    ]
    assert {event.error for event in events if event.kind == "renew_failed"} == {"down"}


def test_listener_that_raises_harms_nobody(held: HeldClock, caplog: pytest.LogCaptureFixture) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())

    def listener(event: TokenEvent) -> None:
        raise KeyError("planted")

    tokens = ClientTokens(manager, listener)
    assert value(manager) == "token-1"
    assert "KeyError" in caplog.text
    assert "planted" not in caplog.text
    tokens.close()


def test_listener_may_use_the_manager(held: HeldClock) -> None:
    """It is called outside the lock."""
    manager = TokenManager(FakeSource(), clock=held.clock())
    phases: list[str] = []
    tokens = ClientTokens(manager, lambda _: phases.append(manager.state().phase))
    manager.get()
    assert phases == ["fresh"]
    tokens.close()


def test_closed_client_hears_no_more_of_a_shared_token(held: HeldClock) -> None:
    manager = TokenManager(FakeSource(), clock=held.clock())
    heard: list[str] = []
    one, other = (ClientTokens(manager, lambda event: heard.append(event.kind)) for _ in range(2))
    one.close()
    manager.get()
    assert heard == ["fetched"]
    other.close()


# --- an outage of almost an hour ------------------------------------------------------------------


def test_outage_from_minute_1_to_minute_59_is_invisible_and_costs_few_attempts(held: HeldClock) -> None:
    """A request a second; the endpoint is back ten seconds before the hard limit would end the token."""
    source = FakeSource()
    manager = TokenManager(source, clock=held.clock())
    held.chance = 0.5
    down = False

    def fail() -> None:
        if down:
            raise DOWN

    source.on_fetch = fail
    served: Counter[str] = Counter()
    for second in range(3600 + 60):
        down = 60 <= second < 3540
        served[value(manager)] += 1
        landed(manager)
        held.forward(1)
    assert sum(served.values()) == 3660
    assert manager.state().phase == "fresh"
    assert manager.state().failures <= 12
