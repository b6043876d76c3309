"""The transports that `connect()` makes, and when."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_ext import ServerError, connect
from pokitdok_ext._connections import FirstUse, LoopsOwn

ROOT = "https://api.example.com"


def test_transport_is_made_with_the_first_request_and_anew_after_closing() -> None:
    made: list[httpx.MockTransport] = []

    def make() -> httpx.MockTransport:
        made.append(httpx.MockTransport(lambda _request: httpx.Response(204)))
        return made[-1]

    transport = FirstUse(make)
    request = httpx.Request("GET", ROOT)
    assert made == []
    transport.handle_request(request), transport.handle_request(request)
    assert len(made) == 1
    transport.close()
    transport.handle_request(request)
    assert len(made) == 2


def test_each_event_loop_has_a_transport_of_its_own_and_closes_only_that() -> None:
    closed: list[int] = []

    class Counted(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.append(id(self))

    made: list[Counted] = []

    async def make() -> Counted:
        made.append(Counted(lambda _request: httpx.Response(204)))
        return made[-1]

    transport = LoopsOwn(make)

    async def twice() -> None:
        for _ in range(2):
            await transport.handle_async_request(httpx.Request("GET", ROOT))
        await transport.aclose()

    asyncio.run(twice())
    asyncio.run(twice())
    assert closed == [id(each) for each in made]
    assert len(made) == 2


def test_requests_through_a_mounted_transport_are_sent_again_too() -> None:
    sent: list[httpx.Request] = []

    def failing(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(503, headers={"Retry-After": "0"})

    mounts = {f"all://{ROOT.removeprefix('https://')}": httpx.MockTransport(failing)}
    with connect(token="t", base_url=ROOT, httpx_args={"mounts": mounts}) as client, pytest.raises(ServerError):
        list_trading_partners.sync(client=client, timeout=0.6)
    assert len(sent) == 2
