"""The clock of a client, which everything about it goes by, and hosts that something in this process answers for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity
from pokitdok_ext import compat, connect
from pokitdok_ext._stand_ins import StandIn, standing_in
from pokitdok_ext.testing import FakeTokenServer, HeldClock

ROOT = "https://api.example.test"


def call_sync(client: Client) -> Any:
    return get_activity.sync("5317f51527a27620f2ec7533", client=client)


def call_async(client: Client) -> Any:
    return asyncio.run(get_activity.asyncio("5317f51527a27620f2ec7533", client=client))


Call = Callable[[Client], Any]
both = pytest.mark.parametrize("call", [call_sync, call_async])


@both
def test_token_ages_by_the_clock_of_the_client(call: Call) -> None:
    time, server = HeldClock(), FakeTokenServer(life=3600)
    with connect("id", "secret", base_url=ROOT, transport=server, async_transport=server, clock=time.clock()) as client:
        call(client)
        time.forward(3000)
        call(client)
        assert len(server.token_requests) == 1
        time.forward(3600)
        call(client)
    assert len(server.token_requests) == 2


@both
def test_pause_before_a_second_attempt_is_of_the_clock_of_the_client(call: Call) -> None:
    answers = iter([httpx.Response(503), httpx.Response(200, json={"meta": {}, "data": {}})])
    time, server = HeldClock(), FakeTokenServer(api=lambda _: next(answers))
    with connect("id", "secret", base_url=ROOT, transport=server, async_transport=server, clock=time.clock()) as client:
        call(client)
    assert time.slept == [0.5]


def test_clients_of_two_clocks_share_no_token() -> None:
    server = FakeTokenServer()
    for time in (HeldClock(), HeldClock()):
        with connect("id", "secret", base_url=ROOT, transport=server, clock=time.clock()) as client:
            call_sync(client)
            other = connect("id", "secret", base_url=ROOT, transport=server, clock=HeldClock().clock())
            call_sync(other)
            other.close()
    assert len(server.token_requests) == 4


@both
def test_who_stands_in_answers_a_client_that_names_nothing(call: Call) -> None:
    time, server = HeldClock(), FakeTokenServer()
    with standing_in(ROOT, StandIn(server, server, time.clock())):
        with connect("id", "secret", base_url=ROOT + "/") as client:
            call(client)
        assert len(server.api_requests) == 1
        time.forward(3600)
        with connect("id", "secret", base_url=ROOT) as client:
            call(client)
    assert len(server.token_requests) == 2


def test_who_stands_in_answers_the_surface_of_the_old_client() -> None:
    server = FakeTokenServer()
    with (
        standing_in(ROOT, StandIn(server, server)),
        compat.PokitDokClient("id", "secret", base=ROOT) as client,
    ):
        client.trading_partners()
    assert (len(server.token_requests), len(server.api_requests)) == (1, 1)


def test_transport_and_clock_of_the_caller_beat_who_stands_in() -> None:
    chosen, other, time = FakeTokenServer(), FakeTokenServer(), HeldClock()
    with (
        standing_in(ROOT, StandIn(other, other)),
        connect("id", "secret", base_url=ROOT, transport=chosen, clock=time.clock()) as client,
    ):
        call_sync(client)
        time.forward(3600)
        call_sync(client)
    assert (len(chosen.token_requests), len(other.token_requests)) == (2, 0)


def test_other_hosts_and_later_clients_are_not_concerned() -> None:
    server = FakeTokenServer()
    with standing_in(ROOT, StandIn(server, server)):
        elsewhere = connect(token="t", base_url="http://127.0.0.1:9", retry=None)
    later = connect(token="t", base_url="https://127.0.0.1:9", retry=None)
    for client in (elsewhere, later):
        with client, pytest.raises(httpx.ConnectError):
            call_sync(client)
    assert server.api_requests == []
