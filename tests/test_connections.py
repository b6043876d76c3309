"""The transports that `connect()` makes: when, with which settings, and by which proxy."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_ext import ServerError, connect
from pokitdok_ext._connections import FirstUse, LoopsOwn, proxy_of_environment, transport_options

ROOT = "https://api.example.com"


@pytest.mark.parametrize(
    ("environment", "root", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, ROOT, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "proxy.example:3128"}, ROOT, "http://proxy.example:3128"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, ROOT, None),
        ({"ALL_PROXY": "http://proxy.example:3128"}, ROOT, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "example.com"}, ROOT, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "other.com"}, ROOT, "http://proxy.example:3128"),
        ({"HTTP_PROXY": "http://proxy.example:3128", "NO_PROXY": "127.0.0.1"}, "http://127.0.0.1:8400", None),
        ({}, ROOT, None),
    ],
)
def test_proxy_of_the_environment(
    environment: dict[str, str], root: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of_environment(root) == proxy
    assert transport_options({}, root)["proxy"] == proxy


def test_environment_is_not_asked_where_a_proxy_is_given_or_it_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert transport_options({"proxy": "http://mine.example"}, ROOT) == {"proxy": "http://mine.example"}
    assert transport_options({"trust_env": False}, ROOT) == {"trust_env": False}


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

    def make() -> Counted:
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
