"""The rate limit: the budget as a table, one pacer for many threads and tasks, one budget for many hosts."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import selectors
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import ClaimRequest
from pokitdok_ext import RateLimitError, RedisStore, connect
from pokitdok_ext._clock import Clock
from pokitdok_ext._sending import RetryTransport
from pokitdok_ext.bulk import arun
from pokitdok_ext.pacing import DOCUMENTED_CAP, PERIOD, Budget, Pacer, learn, spent, take

ROOT = "https://api.example.com"
NOW = 1_790_000_000.0


class Time:
    def __init__(self) -> None:
        self.now = 1000.0
        self.lock = threading.Lock()

    def clock(self) -> Clock:
        return Clock(lambda: NOW + self.now, lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        with self.lock:
            self.now += seconds


def after(number: int, budget: Budget, now: float) -> Budget:
    for _ in range(number):
        budget, wait = take(budget, now)
        assert wait == 0
    return budget


def test_given_limit_holds_without_any_announcement() -> None:
    """The first 76 of 84 go at once; the last are spread over the minute; then it is over."""
    budget, now = after(76, Budget(DOCUMENTED_CAP, announced=True), 0.0), 0.0
    times = []
    for _ in range(8):
        budget, wait = take(budget, now)
        if wait:
            now += wait
            budget, wait = take(budget, now)
        assert wait == 0
        times.append(now)
    assert times == pytest.approx([0, 7.5, 15, 22.5, 30, 37.5, 45, 52.5])
    assert take(budget, now)[1] == pytest.approx(7.5)
    assert take(budget, 60.0)[1] == 0


@pytest.mark.parametrize(
    ("budget", "announced", "result"),
    [
        pytest.param(
            Budget(84, 3, 60.0),
            {"cap": 1000, "amount": 3, "left": 20.0},
            Budget(1000, 3, 30.0),
            id="cap and end are believed",
        ),
        pytest.param(
            Budget(84, 3, 60.0),
            {"cap": 84, "amount": 50, "left": 50.0},
            Budget(84, 50, 60.0),
            id="others use the same application",
        ),
        pytest.param(
            Budget(84, 60, 60.0),
            {"cap": 84, "amount": 50, "left": 50.0},
            Budget(84, 60, 60.0),
            id="requests under way are not forgotten",
        ),
        pytest.param(
            Budget(84, 80, 5.0),
            {"cap": 84, "amount": 2, "left": 50.0},
            Budget(84, 2, 60.0),
            id="a new period begins",
        ),
        pytest.param(
            Budget(84, 3, 60.0), {"cap": 84, "amount": 4, "left": 9e9}, Budget(84, 4, 60.0), id="an end years away"
        ),
        pytest.param(Budget(84, 3, 60.0), {"cap": 0, "amount": 4, "left": None}, Budget(84, 4, 60.0), id="a cap of 0"),
        pytest.param(
            Budget(None, 3, 60.0), {"cap": 10, "amount": 4, "left": 20.0}, Budget(10, 4, 30.0), id="the first answer"
        ),
    ],
)
def test_announcement_changes_the_budget(budget: Budget, announced: dict[str, Any], result: Budget) -> None:
    assert learn(budget, 10.0, **announced) == dataclasses.replace(result, announced=announced["cap"] > 0)


def test_without_a_known_limit_every_request_goes_at_once() -> None:
    budget = after(10_000, Budget(), 0.0)
    assert budget.used == 10_000
    assert take(learn(budget, 1.0, cap=10_000, amount=None, left=None), 1.0)[1] > 0


def test_refusal_ends_the_period() -> None:
    assert take(spent(Budget(84, 3, 60.0), 10.0), 10.0)[1] == 50.0
    assert take(spent(Budget(), 10.0), 10.0)[1] == PERIOD
    assert take(spent(Budget(), 10.0), 10.0 + PERIOD)[1] == 0


class Platform(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Counts requests a period, announces the count, and turns away what is too much."""

    def __init__(self, clock: Time, cap: int, *, others: int = 0) -> None:
        self.clock, self.cap, self.others = clock, cap, others
        self.lock = threading.Lock()
        self.accepted: list[int] = []
        self.refused = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            period = math.floor(self.clock.now / 60)
            amount = self.accepted.count(period) + self.others + 1
            if amount > self.cap:
                self.refused += 1
                return httpx.Response(403, json={"message": "Forbidden (Rate Limited)"})
            self.accepted.append(period)
            reset = NOW + (period + 1) * 60
            meta = {"rate_limit_cap": self.cap, "rate_limit_amount": amount, "rate_limit_reset": int(reset)}
            return httpx.Response(200, json={"meta": meta, "data": None})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return self.handle_request(request)

    def client(self, pacer: Pacer | None = None) -> Client:
        clock = self.clock.clock()
        transport = RetryTransport(self, self, pace=pacer or Pacer(clock=clock), clock=clock)
        return Client(ROOT, transport=transport, async_transport=transport)


def test_single_calls_are_not_slowed() -> None:
    clock = Time()
    client = Platform(clock, 84).client()
    for _ in range(50):
        list_trading_partners.sync(client=client)
    assert clock.now == 1000.0


class PassingTime(selectors.DefaultSelector):
    """Where an event loop would wait, the clock goes on instead."""

    def __init__(self, clock: Time) -> None:
        super().__init__()
        self.clock = clock

    def select(self, timeout: float | None = None) -> Any:
        self.clock.now += timeout or 0.0
        return super().select(0)


def run_in_passing_time(clock: Time, main: Coroutine[Any, Any, None]) -> None:
    def loop() -> asyncio.AbstractEventLoop:
        made = asyncio.SelectorEventLoop(PassingTime(clock))
        made.time = lambda: clock.now  # type: ignore[method-assign]
        return made

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main)


@pytest.mark.parametrize(("cap", "others"), [(20, 0), (84, 0), (84, 40), (1000, 0)])
def test_many_tasks_stay_under_the_limit(cap: int, others: int) -> None:
    """No time is lost. What others use of a period is learned from its first answer; those sent before wait."""
    clock = Time()
    platform = Platform(clock, cap, others=others)
    client = platform.client()

    async def all_of_them() -> None:
        await list_trading_partners.asyncio(client=client)
        await asyncio.gather(*(list_trading_partners.asyncio(client=client) for _ in range(199)))

    run_in_passing_time(clock, all_of_them())
    assert len(platform.accepted) == 200
    assert platform.refused <= 3 * others
    assert clock.now - 1000 < 60 * math.ceil(200 / (cap - others)) + 60


def test_turns_are_counted_across_threads() -> None:
    """77 of 84: with the 77th the spreading begins."""
    pacer = Pacer(DOCUMENTED_CAP, clock=Time().clock())
    with ThreadPoolExecutor(20) as threads:
        waits = list(threads.map(lambda _: pacer.take(), range(200)))
    assert waits.count(0) == 77


def test_refused_claim_waits_for_the_next_period_however_long_that_is() -> None:
    clock = Time()
    platform = Platform(clock, 84, others=84)
    client = platform.client()

    async def others_stop() -> None:
        await asyncio.sleep(59)
        platform.others = 0

    async def both() -> None:
        body = ClaimRequest.from_dict({})
        await asyncio.gather(submit_claim.asyncio(client=client, body=body), others_stop())

    run_in_passing_time(clock, both())
    assert (len(platform.accepted), platform.refused) == (1, 1)
    assert clock.now == 1000 + PERIOD


@pytest.mark.parametrize(("in_flight", "cap"), [(10, 10), (10, 84), (50, 10)])
def test_bulk_keeps_to_the_limit_that_the_first_answer_announces(in_flight: int, cap: int) -> None:
    """Nothing is refused but what was on its way before the first answer; that is waited out."""
    clock = Time()
    platform = Platform(clock, cap)
    client = connect(token="t", base_url=ROOT, transport=platform, async_transport=platform, clock=clock.clock())

    async def all_of_them() -> None:
        calls = arun(lambda _: list_trading_partners.asyncio(client=client), range(10 * cap), in_flight=in_flight)
        async for outcome in calls:
            outcome.result()

    run_in_passing_time(clock, all_of_them())
    assert len(platform.accepted) == 10 * cap
    assert max(Counter(platform.accepted).values()) == cap
    assert platform.refused <= max(0, in_flight - cap)
    assert 60 * 8 < clock.now - 1000 < 60 * 11


def test_single_calls_are_not_held_by_what_answers_announce() -> None:
    """Without a pace the budget of retries bounds the wait: here it is too long, and the error comes at once."""
    clock = Time()
    platform = Platform(clock, 10)
    client = connect(token="t", base_url=ROOT, transport=platform, clock=clock.clock())
    clock.now = 960.0
    for _ in range(10):
        list_trading_partners.sync(client=client)
    with pytest.raises(RateLimitError):
        list_trading_partners.sync(client=client)
    assert clock.now == 960.0


@pytest.mark.parametrize("cap", [0, -1])
def test_impossible_cap_is_refused(cap: int) -> None:
    with pytest.raises(ValueError, match="cap"):
        Pacer(cap)


# ---------------------------------------------------------------- shared through Redis


@pytest.mark.peer
class TestSharedBudget:
    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[RedisStore]:
        store = RedisStore(redis_url)
        yield store
        store.client.close()

    def test_hosts_share_one_budget(self, store: RedisStore) -> None:
        """Five pacers of one process are to Redis what five hosts are."""
        hosts = [Pacer(84, store=store) for _ in range(5)]
        with ThreadPoolExecutor(5) as threads:
            waits = list(threads.map(lambda number: hosts[number % 5].take(), range(100)))
        assert waits.count(0) == 77

    def test_hosts_learn_the_limit_from_the_first_answer_of_any(self, store: RedisStore) -> None:
        one, other = Pacer(store=store), Pacer(store=store)
        assert [pacer.take() for pacer in (one, other) * 50] == [0] * 100
        meta = {"rate_limit_cap": 90, "rate_limit_amount": 100}
        one.learn(httpx.Response(200, json={"meta": meta}), refused=False)
        assert one.take() > 0
        assert other.take() > 0

    def test_budgets_of_other_names_are_apart(self, store: RedisStore) -> None:
        first, second = Pacer(84, store=store, name="one"), Pacer(84, store=store, name="two")
        assert [first.take() for _ in range(77)] == [0] * 77
        assert first.take() > 0
        assert second.take() == 0

    def test_what_one_host_hears_holds_for_the_others(self, store: RedisStore) -> None:
        one, other = Pacer(store=store), Pacer(store=store)
        one.take()
        one.learn(httpx.Response(403, headers={"Retry-After": "30"}, json={"message": "no"}), refused=True)
        one.take()
        assert 0 < other.take() <= 60

    def test_tasks_do_not_wait_for_redis_on_their_loop(self, store: RedisStore) -> None:
        loops: list[bool] = []

        class Noting(Pacer):
            def take(self) -> float:
                try:
                    asyncio.get_running_loop()
                    loops.append(True)
                except RuntimeError:
                    loops.append(False)
                return super().take()

        clock = Time()
        client = Platform(clock, 84).client(Noting(store=store))

        async def once() -> None:
            await list_trading_partners.asyncio(client=client)

        asyncio.run(once())
        assert loops == [False]

    @pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"a": 1}', '["many", 1, 2, 3, 4]'])
    def test_budget_that_cannot_be_read_is_begun_anew(self, store: RedisStore, text: str) -> None:
        store.client.set("pokitdok:pace:default", text)
        assert Pacer(store=store).take() == 0

    def test_outage_leaves_each_host_to_what_it_knows(self, tmp_path: Path) -> None:
        pacer = Pacer(84, store=RedisStore(f"unix://{tmp_path}/nobody"), clock=Time().clock())
        waits = [pacer.take() for _ in range(80)]
        assert waits.count(0) == 77
