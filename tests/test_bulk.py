"""Many calls: bounded, in order, each with its own outcome, resumable; the same from a thread and on a loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import EligibilityEnvelope, EligibilityRequest
from pokitdok_ext import PokitDokError, connect
from pokitdok_ext._workers import AHEAD
from pokitdok_ext.bulk import Outcome, Progress, arun, run
from pokitdok_ext.fast import FastTransport
from pokitdok_ext.testing import HeldClock, InProcessSandbox
from pokitdok_sandbox import Sandbox

Call = Callable[[int], Awaitable[int]]


def through_run(call: Call, items: Any, **options: Any) -> list[Outcome[int, int]]:
    return list(run(call, items, **options))


def through_arun(call: Call, items: Any, **options: Any) -> list[Outcome[int, int]]:
    async def collect() -> list[Outcome[int, int]]:
        return [outcome async for outcome in arun(call, items, **options)]

    return asyncio.run(collect())


both = pytest.mark.parametrize("through", [through_run, through_arun])
Through = Callable[..., list[Outcome[int, int]]]


async def later_is_quicker(item: int) -> int:
    for _ in range(max(0, 20 - item)):
        await asyncio.sleep(0)
    return item * 10


@both
def test_outcomes_come_in_the_order_of_the_items(through: Through) -> None:
    outcomes = through(later_is_quicker, range(100))
    assert [outcome.result() for outcome in outcomes] == [item * 10 for item in range(100)]
    assert [(outcome.index, outcome.key, outcome.item) for outcome in outcomes] == [(n, n, n) for n in range(100)]


@both
def test_outcomes_can_come_as_they_are_there(through: Through) -> None:
    outcomes = through(later_is_quicker, range(10), ordered=False)
    assert sorted(outcome.index for outcome in outcomes) == list(range(10))
    assert outcomes[0].index == 9


@both
def test_error_is_the_outcome_of_its_item_only(through: Through) -> None:
    async def every_third_fails(item: int) -> int:
        if item % 3 == 0:
            raise PokitDokError(f"item {item}")
        return item

    outcomes = through(every_third_fails, range(30))
    assert [outcome.index for outcome in outcomes if outcome.error is not None] == list(range(0, 30, 3))
    with pytest.raises(PokitDokError, match="item 3"):
        outcomes[3].result()


@both
def test_no_more_than_that_many_are_in_flight(through: Through) -> None:
    in_flight, most = 0, 0

    async def counted(item: int) -> int:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0)
        in_flight -= 1
        return item

    through(counted, range(200), in_flight=7)
    assert most == 7


@both
def test_what_is_done_is_left_out_and_the_places_of_the_rest_stay(through: Through) -> None:
    asked: list[int] = []

    async def noting(item: int) -> int:
        asked.append(item)
        return item

    outcomes = through(noting, range(100, 110), key=lambda item: f"row {item}", done={"row 101", "row 105"})
    assert asked == [100, 102, 103, 104, 106, 107, 108, 109]
    assert [outcome.index for outcome in outcomes] == [0, 2, 3, 4, 6, 7, 8, 9]
    assert outcomes[1].key == "row 102"


@both
def test_progress_is_told_after_each_call(through: Through) -> None:
    seen: list[Progress] = []

    async def second_fails(item: int) -> int:
        if item == 1:
            raise PokitDokError("no")
        return item

    through(second_fails, range(5), done={4}, in_flight=1, progress=seen.append)
    assert [(each.done, each.failed, each.in_flight) for each in seen] == [(1, 0, 0), (2, 1, 0), (3, 1, 0), (4, 1, 0)]
    assert seen[-1].skipped <= 1


@both
def test_nothing_to_do_is_no_outcome(through: Through) -> None:
    assert through(later_is_quicker, []) == []
    assert through(later_is_quicker, [1], done={0}) == []


@both
def test_failing_source_of_items_is_raised(through: Through) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        through(later_is_quicker, broken(), in_flight=1)


@both
@pytest.mark.parametrize("in_flight", [0, -1])
def test_impossible_number_is_refused(through: Through, in_flight: int) -> None:
    with pytest.raises(ValueError, match="in_flight"):
        through(later_is_quicker, range(3), in_flight=in_flight)


async def test_slow_first_call_does_not_let_the_rest_run_away() -> None:
    release, taken = asyncio.Event(), 0

    async def first_waits(item: int) -> int:
        if item == 0:
            await release.wait()
        return item

    def source() -> Iterator[int]:
        nonlocal taken
        for item in range(10_000):
            taken += 1
            yield item

    outcomes = arun(first_waits, source(), in_flight=5)
    first = asyncio.ensure_future(anext(outcomes))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert taken <= 5 * AHEAD + 5
    release.set()
    assert (await first).index == 0
    await outcomes.aclose()  # type: ignore[attr-defined]


async def test_leaving_early_cancels_what_is_in_flight() -> None:
    cancelled: list[int] = []

    async def waits(item: int) -> int:
        if item == 0:
            return item
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    outcomes = arun(waits, range(10), in_flight=4)
    await anext(outcomes)
    await asyncio.sleep(0)
    await outcomes.aclose()  # type: ignore[attr-defined]
    assert sorted(cancelled) == [1, 2, 3, 4]


def test_repr_of_an_outcome_shows_neither_item_nor_answer() -> None:
    assert "Canaryname" not in repr(Outcome(0, 0, "Canaryname", "Canaryname", None))


def answered(through: Through, network: httpx.MockTransport, held: HeldClock, number: int) -> list[int]:
    """So many questions, asked through *network*; the results of the outcomes."""
    with connect(
        token="t", base_url="https://api.example.com", transport=network, async_transport=network, clock=held.clock()
    ) as client:

        async def ask(item: int) -> int:
            await check_eligibility.asyncio(client=client, body=EligibilityRequest.from_dict({}))
            return item

        return [outcome.result() for outcome in through(ask, range(number))]


@both
@pytest.mark.parametrize("number", [100, 1000])
@pytest.mark.parametrize(
    "meta",
    [{}, {"rate_limit_cap": 84, "rate_limit_amount": 1, "rate_limit_reset": 1}],
    ids=["no limit", "a limit of a period that is over, as in a recorded answer"],
)
def test_nothing_is_held_if_no_answer_announces_a_limit(through: Through, number: int, meta: dict[str, int]) -> None:
    network, held = httpx.MockTransport(lambda _: httpx.Response(200, json={"meta": meta, "data": None})), HeldClock()
    assert answered(through, network, held, number) == list(range(number))
    assert held.slept == []


@both
def test_rate_limit_that_refuses_without_an_announcement_is_waited_out(through: Through) -> None:
    held, refusals = HeldClock(), iter(range(3))

    def platform(_: httpx.Request) -> httpx.Response:
        if next(refusals, None) is None:
            return httpx.Response(200, json={"meta": {}, "data": None})
        return httpx.Response(403, json={"message": "Forbidden (Rate Limited)"})

    network = httpx.MockTransport(platform)
    assert answered(through, network, held, 20) == list(range(20))
    assert sum(held.slept) >= 59


def test_limit_of_the_sandbox_is_kept() -> None:
    """As `pokitdok eligibility batch` runs: a client without a pace. A hundred calls at twenty a minute."""
    held = HeldClock(1_790_000_000.0)
    with (
        InProcessSandbox(held, rate_limit=20) as sandbox,
        connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client,
    ):

        async def ask(number: int) -> EligibilityEnvelope:
            person = {"first_name": "Nora", "last_name": "Quill", "id": f"W{number:09}"}
            body = {"trading_partner_id": "MOCKPAYER", "member": person, "provider": {"npi": "1234567893"}}
            return await check_eligibility.asyncio(client=client, body=EligibilityRequest.from_dict(body))

        outcomes = list(run(ask, range(100), in_flight=8))
        assert all(outcome.result().data for outcome in outcomes)
        assert sandbox.state()["rate_limited"] == 0
    assert sum(held.slept) > 200


def test_typed_calls_through_the_fast_transport_are_all_answered_with_one_token() -> None:
    people = [f"W{number:09}" for number in range(200)]
    with (
        Sandbox() as sandbox,
        connect(
            sandbox.client_id, sandbox.client_secret, base_url=sandbox.url, async_transport=FastTransport()
        ) as client,
    ):

        async def ask(member_id: str) -> EligibilityEnvelope:
            person = {"first_name": "Nora", "last_name": "Quill", "id": member_id}
            body = {"trading_partner_id": "MOCKPAYER", "member": person, "provider": {"npi": "1234567893"}}
            return await check_eligibility.asyncio(client=client, body=EligibilityRequest.from_dict(body))

        outcomes = list(run(ask, people, client=client, in_flight=50, key=str))
        assert [outcome.key for outcome in outcomes] == people
        assert all(outcome.result().data for outcome in outcomes)
        assert sandbox.token_requests == 1
        assert sandbox.state()["requests"]["check_eligibility"] == 200


def test_connections_of_the_run_are_closed() -> None:
    closed: list[bool] = []

    class Noting(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.append(True)

    network = Noting(lambda _request: httpx.Response(200, json={"meta": {}, "data": None}))
    with connect(token="t", base_url="https://api.example.com", async_transport=network) as client:

        async def ask(_item: int) -> EligibilityEnvelope:
            return await check_eligibility.asyncio(client=client, body=EligibilityRequest.from_dict({}))

        list(run(ask, range(3), client=client))
        assert closed == [True]
        list(run(ask, range(3), client=client))
        assert closed == [True, True]


async def test_answers_that_come_in_a_bunch_are_read_one_by_one() -> None:
    """All decoded at a time, they would fill the memory and keep the garbage collector busy."""
    bunch, read, most = asyncio.Barrier(30), 0, 0

    async def answer(_: httpx.Request) -> httpx.Response:
        await bunch.wait()
        return httpx.Response(200, json={"data": []})

    def decode(body: bytes) -> Any:
        nonlocal read
        read += 1
        return json.loads(body)

    transport = httpx.MockTransport(answer)
    async with connect(token="t", base_url="http://127.0.0.1:1", async_transport=transport, decode=decode) as client:
        given = 0
        calls = arun(lambda _: list_trading_partners.asyncio(client=client), range(60), in_flight=30, ordered=False)
        async for outcome in calls:
            outcome.result()
            most = max(most, read - given)
            given += 1
    assert (read, given) == (60, 60)
    assert most <= 2
