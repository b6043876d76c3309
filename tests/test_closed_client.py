"""A closed client: one error from everything that would send, and no answer lost that was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity, list_activities
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.models import ClaimRequest
from pokitdok_ext import ClientClosedError, Clock, ConnectedClient, PokitDokError, Retry, TokenError, compat, connect
from pokitdok_ext.activities import await_activity, wait_for_activity
from pokitdok_ext.bulk import arun, run
from pokitdok_ext.fast import FastTransport
from pokitdok_ext.generic import adocuments, arequest, documents, request
from pokitdok_ext.paging import aitems, apages, items, pages

ROOT = "https://api.example.com"
CLAIM = ClaimRequest.from_dict({"trading_partner_id": "MOCKPAYER"})


class Platform:
    """Answers each request alike, after doing what it is told to do first."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.before: Callable[[], object] = lambda: None
        self.sent = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        self.before()
        status = self.statuses.pop(0) if self.statuses else 200
        return httpx.Response(status, json={"meta": {}, "data": {}} if status == 200 else {"message": "no"})

    def connect(self, **options: Any) -> ConnectedClient:
        network = httpx.MockTransport(self)
        options = {"token_provider": lambda: "token", **options}
        return connect(base_url=ROOT, transport=network, async_transport=network, **options)

    def plain(self) -> Client:
        network = httpx.MockTransport(self)
        return Client(ROOT, transport=network, async_transport=network)


# ---------------------------------------------------------------- how it is closed, and what is tried then


def by_close(client: Client) -> None:
    client.close()


def by_closing_twice(client: Client) -> None:
    client.close()
    client.close()


def by_with(client: Client) -> None:
    with client:
        pass


def by_aclose(client: Client) -> None:
    async def twice() -> None:
        await client.aclose()
        await client.aclose()

    asyncio.run(twice())


def by_async_with(client: Client) -> None:
    async def enter() -> None:
        async with client:
            pass

    asyncio.run(enter())


def after_use(client: Client) -> None:
    get_activity.sync("a", client=client)
    client.close()


closings = pytest.mark.parametrize(
    "close", [by_close, by_closing_twice, by_with, by_aclose, by_async_with, after_use], ids=lambda each: each.__name__
)


async def all_of(walk: Any) -> list[Any]:
    return [each async for each in walk]


USES: dict[str, Callable[[Any], object]] = {
    "sync": lambda client: get_activity.sync("a", client=client),
    "sync_detailed": lambda client: submit_claim.sync_detailed(client=client, body=CLAIM),
    "get_httpx_client": lambda client: client.get_httpx_client(),
    "get_async_httpx_client without a loop": lambda client: client.get_async_httpx_client(),
    "request": lambda client: request(client, "GET", "/api/v4/x"),
    "documents": lambda client: list(documents(client, "/api/v4/x")),
    "pages": lambda client: list(pages(list_activities.sync, client=client)),
    "items": lambda client: list(items(list_activities.sync, client=client)),
    "wait_for_activity": lambda client: wait_for_activity("a", client=client),
}
ASYNC_USES: dict[str, Callable[[Any], Awaitable[object]]] = {
    "asyncio": lambda client: get_activity.asyncio("a", client=client),
    "asyncio_detailed": lambda client: submit_claim.asyncio_detailed(client=client, body=CLAIM),
    "arequest": lambda client: arequest(client, "GET", "/api/v4/x"),
    "adocuments": lambda client: all_of(adocuments(client, "/api/v4/x")),
    "apages": lambda client: all_of(apages(list_activities.asyncio, client=client)),
    "aitems": lambda client: all_of(aitems(list_activities.asyncio, client=client)),
    "await_activity": lambda client: await_activity("a", client=client),
}
TOKEN_USES: dict[str, Callable[[Any], object]] = {
    "warm": lambda client: client.tokens.warm(),
    "awarm": lambda client: asyncio.run(client.tokens.awarm()),
    "invalidate": lambda client: client.tokens.invalidate(),
    "revoke": lambda client: client.tokens.revoke(),
    "arevoke": lambda client: asyncio.run(client.tokens.arevoke()),
}


async def fetch_async(client: Client, use: str) -> object:
    return await ASYNC_USES[use](client)


@closings
@pytest.mark.parametrize("make", [Platform.connect, Platform.plain])
@pytest.mark.parametrize("use", [*USES, *ASYNC_USES])
def test_everything_that_sends_raises_one_error(
    use: str, make: Callable[[Platform], Client], close: Callable[[Client], None]
) -> None:
    platform = Platform()
    client = make(platform)
    close(client)
    sent = platform.sent
    with pytest.raises(PokitDokError, match="closed") as caught:
        USES[use](client) if use in USES else asyncio.run(fetch_async(client, use))
    assert type(caught.value) is ClientClosedError
    assert platform.sent == sent


@closings
@pytest.mark.parametrize("use", TOKEN_USES)
def test_tokens_of_a_closed_client_raise_it_too(use: str, close: Callable[[Client], None]) -> None:
    client = Platform().connect()
    close(client)
    with pytest.raises(ClientClosedError, match=r"connect\(\)"):
        TOKEN_USES[use](client)
    assert client.tokens.state().phase in {"empty", "fresh"}


def test_it_is_no_error_of_tokens() -> None:
    """New credentials do not help."""
    assert not issubclass(ClientClosedError, TokenError)


def test_old_surface_raises_it_too() -> None:
    network = httpx.MockTransport(Platform())
    old = compat.connect("id", "secret", base=ROOT, token={"access_token": "x"}, transport=network)
    old.typed.close()
    with pytest.raises(ClientClosedError):
        old.activities()


def test_bulk_gives_it_as_outcome_of_each_item() -> None:
    client = Platform().connect()
    client.close()

    async def ask(item: int) -> object:
        return await get_activity.asyncio(str(item), client=client)

    async def all_at_once() -> list[Any]:
        return [outcome async for outcome in arun(ask, range(3))]

    for outcomes in (list(run(ask, range(3), client=client)), asyncio.run(all_at_once())):
        assert [type(outcome.error) for outcome in outcomes] == [ClientClosedError] * 3


def test_connections_in_hand_raise_it_too() -> None:
    """Who was handed them before the client was closed; so does a call that another thread's `close()` overtakes."""
    client = Platform().connect()
    http = client.get_httpx_client()
    client.close()
    with pytest.raises(ClientClosedError) as caught:
        http.get(ROOT)
    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_asynchronous_connections_in_hand_raise_it_too() -> None:
    client = Platform().connect()
    http = client.get_async_httpx_client()
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await http.get(ROOT)


async def test_client_goes_on_where_only_its_connections_were_closed() -> None:
    platform = Platform()
    client = platform.connect()
    with client.get_httpx_client() as http:
        assert http.get(ROOT).status_code == 200
    await client.get_async_httpx_client().aclose()
    assert get_activity.sync("a", client=client).data
    assert (await get_activity.asyncio("a", client=client)).data
    assert platform.sent == 3


# ---------------------------------------------------------------- closed while something is under way


class ClosingPace:
    """Lets a request wait for its turn once; the client is closed meanwhile."""

    blocking = False

    def __init__(self, close: Callable[[], object]) -> None:
        self.close = close
        self.asked = 0

    def take(self) -> float:
        self.asked += 1
        return 1.0 if self.asked == 1 else 0.0

    def learn(self, response: httpx.Response, *, refused: bool) -> None:
        pass


def closes_while_waiting_for(what: str, platform: Platform) -> tuple[Client, int]:
    """A client that is closed while its first request waits, and how many requests have been sent by then."""
    made: list[Client] = []

    def close(*_seconds: float) -> None:
        made[0].close()

    async def close_async(_seconds: float) -> None:
        close()

    clock = Clock(sleep=close, async_sleep=close_async)
    if what == "its token":

        def provider() -> str:
            close()
            return "token"

        made.append(platform.connect(token_provider=provider))
        return made[0], 0
    if what == "its turn":
        made.append(platform.connect(pace=ClosingPace(close), clock=clock))
        return made[0], 0
    platform.statuses = [503]
    made.append(platform.connect(clock=clock))
    return made[0], 1


@pytest.mark.parametrize("door", ["sync", "asyncio"])
@pytest.mark.parametrize("what", ["its token", "its turn", "the next attempt"])
def test_request_that_waits_is_not_sent(what: str, door: str) -> None:
    platform = Platform()
    client, sent = closes_while_waiting_for(what, platform)
    with pytest.raises(ClientClosedError):
        fetch(door, client)
    assert platform.sent == sent


def fetch(door: str, client: Client) -> object:
    if door == "sync":
        return get_activity.sync("a", client=client)
    return asyncio.run(get_activity.asyncio("a", client=client))


def file_claim(door: str, client: Client) -> object:
    if door == "sync":
        return submit_claim.sync(client=client, body=CLAIM).meta
    return asyncio.run(submit_claim.asyncio(client=client, body=CLAIM)).meta


@pytest.mark.parametrize("door", ["sync", "asyncio"])
@pytest.mark.parametrize("statuses", [(200,), (401, 200)], ids=["at once", "after a renewal of the token"])
def test_answer_that_comes_after_the_end_is_not_lost(statuses: tuple[int, ...], door: str) -> None:
    """A claim that was accepted must not look like one that was not sent."""
    platform = Platform(*statuses)
    client = platform.connect()

    def close_at_the_last() -> None:
        if platform.sent == len(statuses):
            client.close()

    platform.before = close_at_the_last
    assert file_claim(door, client) is not None
    assert platform.sent == len(statuses)


@pytest.mark.parametrize(
    "options",
    [{"async_transport": FastTransport()}, {"httpx_args": {"limits": httpx.Limits(max_keepalive_connections=5)}}],
    ids=["aiohttp", "httpx"],
)
async def test_claim_under_way_fails_as_one_that_was_cut_off_and_is_not_sent_again(options: dict[str, Any]) -> None:
    received, connections = asyncio.Event(), 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        received.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = connect(token="t", base_url=url, retry=Retry(first_wait=0.0), **options)
        claim = asyncio.create_task(submit_claim.asyncio(client=client, body=CLAIM))
        await received.wait()
        await client.aclose()
        with pytest.raises(httpx.TransportError) as caught:
            await claim
        assert "may have acted on it" in caught.value.__notes__[0]
        assert connections == 1
