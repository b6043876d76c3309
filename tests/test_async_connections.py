"""The connections of asynchronous requests: which they are, and that cancelled calls use none of them up."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import vcr

from pokitdok_api import Client
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_ext import ClientClosedError, bulk, connect
from pokitdok_ext._async_connections import RenewedPool, async_pool
from pokitdok_ext._connections import LoopsOwn
from pokitdok_ext.fast import AiohttpPool, FastTransport
from pokitdok_ext.settings import tls_context, transport_options
from pokitdok_ext.testing import vcr_settings

BODY = b'{"meta": {"processing_time": 1}, "data": []}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

BY_AIOHTTP: dict[str, Any] = {"httpx_args": {"limits": httpx.Limits(max_connections=5)}}
BY_HTTPX: dict[str, Any] = {"httpx_args": {"limits": httpx.Limits(max_connections=5, max_keepalive_connections=5)}}
transports = pytest.mark.parametrize("transport", [FastTransport, httpx.AsyncHTTPTransport])
pools = pytest.mark.parametrize("options", [BY_AIOHTTP, BY_HTTPX], ids=["aiohttp", "httpx"])

sockets_are_collected = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""A call of httpx that is cancelled at the end of connecting leaves a socket, closed with a warning when collected."""


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a test leaves to the garbage collector is collected under its own filters of warnings."""
    yield
    gc.collect()


class Server:
    """Answers every request with *answer*, once *held* is set, and knows its open connections."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.held = asyncio.Event()
        self.held.set()
        self.requests = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.changed = asyncio.Condition()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._note(self.open.add, writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self._note(lambda _writer: None, writer)
                await self.held.wait()
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self._note(self.open.discard, writer)
            writer.close()

    async def _note(self, change: Callable[[asyncio.StreamWriter], None], writer: asyncio.StreamWriter) -> None:
        async with self.changed:
            change(writer)
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(condition)


@asynccontextmanager
async def running(answer: bytes = ANSWER, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context, limit=1 << 25)
    server.url = f"http{'s' if context else ''}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for writer in list(server.open):
            writer.transport.abort()
        await server.until(lambda: not server.open)


async def cancelled_after(client: Client, passes: int) -> None:
    """A call that is cancelled after so many passes of the event loop."""
    call = asyncio.create_task(list_trading_partners.asyncio(client=client))
    for _ in range(passes):
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])


async def answered(client: Client, calls: int) -> int:
    several = (list_trading_partners.asyncio(client=client, timeout=30) for _ in range(calls))
    return sum(not isinstance(each, BaseException) for each in await asyncio.gather(*several, return_exceptions=True))


# ---------------------------------------------------------------- cancelled calls


@sockets_are_collected
@pools
async def test_calls_are_answered_after_thousands_of_cancelled_ones(options: dict[str, Any]) -> None:
    """With httpx's pool alone none is: some of the cancelled calls leave a connection behind in it."""
    async with running() as server, connect(token="t", base_url=server.url, **options) as client:
        for begun in range(100):
            await asyncio.gather(*(cancelled_after(client, (begun + each) % 50) for each in range(50)))
        assert await answered(client, 50) == 50


@sockets_are_collected
@pools
async def test_patient_calls_are_answered_while_many_others_are_cancelled(options: dict[str, Any]) -> None:
    """More calls than connections wait all the time, so that the pool is never without requests."""
    async with running() as server, connect(token="t", base_url=server.url, **options) as client:
        over = asyncio.Event()

        async def hurried(begun: int) -> None:
            while not over.is_set():
                begun = (begun + 1) % 50
                await cancelled_after(client, begun)

        others = [asyncio.create_task(hurried(begun)) for begun in range(40)]
        assert await answered(client, 200) == 200
        over.set()
        await asyncio.gather(*others)


@sockets_are_collected
@pools
async def test_calls_are_answered_after_bulk_work_that_was_left_early(options: dict[str, Any]) -> None:
    async with running() as server, connect(token="t", base_url=server.url, **options) as client:
        for runs in range(60):
            work = bulk.arun(lambda _: list_trading_partners.asyncio(client=client), range(1000), in_flight=20)
            async for outcome in work:
                if outcome.index >= runs % 7:
                    break
            await work.aclose()  # type: ignore[attr-defined]  # an async generator
        assert await answered(client, 50) == 50


class Lossy(httpx.AsyncHTTPTransport):
    """Has one connection more in use than it serves requests, once `lost` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = self.closed = False
        inner = self._pool

        class Pool:
            @property
            def connections(_self) -> list[Any]:  # noqa: N805
                return [*inner.connections, *([_Busy()] if self.lost else [])]

            def __getattr__(_self, name: str) -> Any:  # noqa: N805
                return getattr(inner, name)

        self._pool = Pool()  # type: ignore[assignment]

    async def aclose(self) -> None:
        self.closed = True
        await super().aclose()


class _Busy:
    def is_idle(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return False


async def test_pool_that_lost_a_connection_serves_its_requests_to_their_end_and_no_new_ones() -> None:
    made: list[Lossy] = []

    def make() -> Lossy:
        made.append(Lossy())
        return made[-1]

    async with running() as server, httpx.AsyncClient(transport=RenewedPool(make)) as client:
        assert (await client.get(server.url)).content == BODY
        assert len(made) == 1
        server.held.clear()
        slow = asyncio.create_task(client.get(server.url))
        await server.until(lambda: server.requests == 2)
        made[0].lost = True
        unheard = asyncio.create_task(client.get(server.url))
        await server.until(lambda: server.requests == 3)
        unheard.cancel()
        await asyncio.wait([unheard])
        assert [each.closed for each in made] == [False, False]
        server.held.set()
        assert (await client.get(server.url)).content == BODY
        assert (await slow).content == BODY
        assert [each.closed for each in made] == [True, False]


async def test_pool_is_kept_where_a_cancelled_call_lost_no_connection() -> None:
    made = []

    def make() -> httpx.AsyncHTTPTransport:
        made.append(httpx.AsyncHTTPTransport())
        return made[-1]

    async with running() as server, httpx.AsyncClient(transport=RenewedPool(make)) as client:
        server.held.clear()
        call = asyncio.create_task(client.get(server.url))
        await server.until(lambda: server.requests == 1)
        call.cancel()
        await asyncio.wait([call])
        server.held.set()
        assert (await client.get(server.url)).content == BODY
    assert len(made) == 1


async def test_body_that_is_cut_off_or_left_unread_ends_its_request_once() -> None:
    pool = RenewedPool(httpx.AsyncHTTPTransport)
    async with running(ANSWER[:-5]) as server, httpx.AsyncClient(transport=pool) as client:
        async with client.stream("GET", server.url):
            assert pool._current.requests == 1
        assert pool._current.requests == 0
        reading = asyncio.create_task(client.get(server.url))
        await server.until(lambda: server.requests == 2)
        for writer in list(server.open):
            writer.close()
        with pytest.raises(httpx.RemoteProtocolError):
            await reading
        assert pool._current.requests == 0


# ---------------------------------------------------------------- which pool


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, AiohttpPool),
        ({"proxy": "http://proxy.example:3128"}, AiohttpPool),
        ({"proxy": httpx.Proxy("http://proxy.example:3128")}, AiohttpPool),
        ({"limits": httpx.Limits(max_connections=5)}, AiohttpPool),
        ({"limits": httpx.Limits(max_keepalive_connections=5)}, RenewedPool),
        ({"proxy": "https://proxy.example:3128"}, RenewedPool),
        ({"http2": True}, RenewedPool),
        ({"http1": False, "http2": True}, RenewedPool),
    ],
)
async def test_aiohttp_sends_what_it_can(options: dict[str, Any], kind: type) -> None:
    pool = await async_pool(transport_options({"trust_env": False, **options}, "https://api.example.com"))
    await pool.aclose()
    assert type(pool) is kind


async def test_without_the_extra_httpx_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pokitdok_ext._async_connections.find_spec", {}.get)
    pool = await async_pool(transport_options({"trust_env": False}, "https://api.example.com"))
    await pool.aclose()
    assert type(pool) is RenewedPool


async def test_limits_hold_for_aiohttp_too() -> None:
    async with running() as server, connect(token="t", base_url=server.url, **BY_AIOHTTP) as client:
        server.held.clear()
        calls = [asyncio.create_task(list_trading_partners.asyncio(client=client)) for _ in range(20)]
        await server.until(lambda: server.requests == 5)
        for _ in range(50):
            await asyncio.sleep(0)
        assert (server.requests, len(server.open)) == (5, 5)
        server.held.set()
        await asyncio.gather(*calls)
        assert (server.requests, len(server.open)) == (20, 5)


async def test_request_that_waits_for_its_transport_is_not_sent_once_that_is_closed() -> None:
    sent: list[httpx.Request] = []
    ready, closed = asyncio.Event(), []

    class Noting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            sent.append(request)
            return httpx.Response(204)

        async def aclose(self) -> None:
            closed.append(self)

    async def make() -> httpx.AsyncBaseTransport:
        await ready.wait()
        return Noting()

    transport = LoopsOwn(make)
    waiting = asyncio.create_task(transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(transport.aclose())
    await asyncio.sleep(0)
    ready.set()
    await closing
    with pytest.raises(ClientClosedError):
        await waiting
    assert (sent, len(closed)) == ([], 1)


# ---------------------------------------------------------------- certificates


def counted_contexts(monkeypatch: pytest.MonkeyPatch, authority: Path | None = None) -> list[threading.Thread]:
    """The threads on which FastTransport loads certificates from here on; those of *authority* if there is one."""
    loaded: list[threading.Thread] = []
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)

    def counted(verify: Any = True, *arguments: Any, **options: Any) -> ssl.SSLContext:
        loaded.append(threading.current_thread())
        return tls_context(str(authority) if authority else verify, *arguments, **options)

    monkeypatch.setattr("pokitdok_ext.fast.tls_context", counted)
    return loaded


def test_plain_http_loads_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = counted_contexts(monkeypatch)

    async def once() -> None:
        async with running() as server, httpx.AsyncClient(transport=FastTransport(), verify=_NONE) as client:
            assert (await client.get(server.url)).content == BODY

    asyncio.run(once())
    assert loaded == []


def test_certificates_are_loaded_once_for_a_loop_and_on_another_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    loaded = counted_contexts(monkeypatch, tmp_path / "ca.pem")

    async def thrice() -> None:
        async with (
            running(ANSWER, context) as server,
            httpx.AsyncClient(transport=FastTransport(), verify=_NONE) as client,
        ):
            answers = await asyncio.gather(*(client.get(server.url) for _ in range(3)))
            assert [each.content for each in answers] == [BODY] * 3

    asyncio.run(thrice())
    assert len(loaded) == 1
    assert loaded[0] is not threading.current_thread()


_NONE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# ---------------------------------------------------------------- what aiohttp does by itself, or does not


@pytest.mark.parametrize("length", [100, 5_000_000])
async def test_body_of_any_length_arrives_as_it_is(length: int) -> None:
    body = bytes(range(256)) * (length // 256)
    received = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        await received.put(await reader.readexactly(len(body)))
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, httpx.AsyncClient(transport=FastTransport()) as client:
        answer = await client.post(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", content=body)
        assert answer.content == BODY
        assert await received.get() == body


@transports
async def test_body_is_sent_to_its_end_where_the_answer_begins_before(
    transport: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    body = bytes(5_000_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER[:-20])
        await writer.drain()
        await reader.readexactly(len(body))
        writer.write(ANSWER[-20:])
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, httpx.AsyncClient(transport=transport()) as client:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        assert (await client.post(url, content=body, timeout=30)).content == BODY


@transports
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 Jos\xe9\r\n",
        b"HTTP/1.1 200 \r\n",
        b"HTTP/1.1 200 OK\r\nX-Name: Jos\xe9\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 1000,
    ],
    ids=["reason in Latin-1", "no reason", "header in Latin-1", "many headers"],
)
async def test_odd_head_of_an_answer_is_read(transport: Callable[[], httpx.AsyncBaseTransport], head: bytes) -> None:
    odd = ANSWER.replace(b"HTTP/1.1 200 OK\r\n", head, 1)
    async with running(odd) as server, httpx.AsyncClient(transport=transport()) as client:
        answer = await client.get(server.url)
        assert (answer.status_code, answer.content) == (200, BODY)


@transports
async def test_change_to_a_protocol_that_was_not_asked_for_is_no_answer(
    transport: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    change = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with running(change) as server, httpx.AsyncClient(transport=transport()) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(server.url, content=b"{}", timeout=30)


@transports
async def test_body_that_is_not_taken_ends_by_the_write_limit(
    transport: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    """aiohttp itself would write for ever: its limits begin with the wait for the answer."""
    ended = asyncio.Event()

    async def never_read(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
        await ended.wait()
        writer.transport.abort()

    listening = await asyncio.start_server(never_read, "127.0.0.1", 0)
    async with listening, httpx.AsyncClient(transport=transport()) as client:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        with pytest.raises(httpx.WriteTimeout):
            await client.post(url, content=bytes(30_000_000), timeout=httpx.Timeout(30, write=0.2))
        ended.set()


async def test_answer_in_another_encoding_gives_its_connection_back() -> None:
    plain = ANSWER.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1)
    async with running(plain) as server, httpx.AsyncClient(transport=FastTransport(connections=1)) as client:
        for _ in range(3):
            with pytest.raises(httpx.DecodingError):
                await client.get(server.url)
    assert server.requests == 3


async def test_long_header_of_an_answer_is_read() -> None:
    long = ANSWER.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"a" * 60_000 + b"\r\n\r\n", 1)
    async with running(long) as server, httpx.AsyncClient(transport=FastTransport()) as client:
        assert len((await client.get(server.url)).headers["X-Long"]) == 60_000


@pytest.mark.parametrize("kept", [True, False], ids=["client outlives its loops", "client ends with its loop"])
def test_client_that_nobody_closes_is_no_error_in_any_log(caplog: pytest.LogCaptureFixture, kept: bool) -> None:
    clients: list[Client] = []

    async def once() -> None:
        async with running() as server:
            client = clients[0] if clients else connect(token="t", base_url=server.url)
            http = client.get_async_httpx_client()
            assert (await http.get(server.url)).content == BODY
            if kept and not clients:
                clients.append(client)

    caplog.set_level(logging.DEBUG, "asyncio")
    for _ in range(3):
        asyncio.run(once())
        gc.collect()
    clients.clear()
    gc.collect()
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


# ---------------------------------------------------------------- cassettes


@pytest.mark.parametrize("recorded", ["aiohttp", "httpx"])
@pytest.mark.parametrize("played", ["aiohttp", "httpx"])
async def test_cassette_recorded_by_one_transport_is_played_by_the_other(
    tmp_path: Path, recorded: str, played: str
) -> None:
    def transport(name: str) -> httpx.AsyncBaseTransport:
        return FastTransport() if name == "aiohttp" else httpx.AsyncHTTPTransport()

    file = tmp_path / "cassette.yaml"
    async with running() as server:
        with vcr.VCR(**vcr_settings()).use_cassette(str(file), record_mode="once"):
            async with connect(token="t", base_url=server.url, async_transport=transport(recorded)) as client:
                await list_trading_partners.asyncio(client=client)
    with vcr.VCR(**vcr_settings()).use_cassette(str(file), record_mode="none") as cassette:
        async with connect(token="t", base_url=server.url, async_transport=transport(played)) as client:
            assert (await list_trading_partners.asyncio(client=client)).data == []
        assert cassette.all_played


def test_cassettes_of_both_transports_are_the_same(tmp_path: Path) -> None:
    texts = []

    async def record(transport: httpx.AsyncBaseTransport, file: Path) -> None:
        async with running() as server:
            with vcr.VCR(**vcr_settings()).use_cassette(str(file), record_mode="once"):
                async with connect(token="t", base_url=server.url, async_transport=transport) as client:
                    await list_trading_partners.asyncio(client=client)
            texts.append(file.read_text(encoding="utf-8").replace(server.url, "http://server"))

    for number, transport in enumerate((FastTransport(), httpx.AsyncHTTPTransport())):
        asyncio.run(record(transport, tmp_path / f"{number}.yaml"))
    assert texts[0] == texts[1]
