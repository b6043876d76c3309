"""The aiohttp transport: it sends what httpx would send, never twice, and says honestly what became of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from pokitdok_api.api.activities import update_activity
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import ActivityTransitionRequest
from pokitdok_ext import connect
from pokitdok_ext._retries import finding_of_error
from pokitdok_ext.fast import FastTransport, decode_json
from pokitdok_sandbox import Sandbox

BODY = b'{"meta": {"processing_time": 1}, "data": []}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nSet-Cookie: seen=1\r\n\r\n%s" % (len(BODY), BODY)
Behaviour = Callable[[int, asyncio.StreamWriter], Coroutine[Any, Any, bool]]


@asynccontextmanager
async def server(behave: Behaviour, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that notes each request and then does what *behave* says; a connection goes on while that is true."""
    requests: list[bytes] = []
    connections: list[tuple[asyncio.StreamWriter, asyncio.Task[None]]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        goes_on = True
        while goes_on:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
            requests.append(head + body)
            goes_on = await behave(len(requests), writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append((writer, asyncio.create_task(serve(reader, writer))))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    scheme = "https" if context else "http"
    try:
        yield f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}", requests
    finally:
        listening.close()
        for writer, serving in connections:
            serving.cancel()
            writer.close()
        await asyncio.gather(*(serving for _, serving in connections), return_exceptions=True)
        await asyncio.sleep(0)


async def answer(_number: int, writer: asyncio.StreamWriter) -> bool:
    writer.write(ANSWER)
    return True


async def hang_up(_number: int, _writer: asyncio.StreamWriter) -> bool:
    return False


async def reset(_number: int, writer: asyncio.StreamWriter) -> bool:
    writer.transport.abort()
    return False


async def cut_off(_number: int, writer: asyncio.StreamWriter) -> bool:
    writer.write(ANSWER[:-20])
    return False


async def say_nothing(_number: int, _writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(3600)
    return False


async def talk_nonsense(_number: int, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"SPAM and eggs\r\n\r\n")
    return False


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (hang_up, httpx.RemoteProtocolError),
        (reset, httpx.RemoteProtocolError),
        (cut_off, httpx.RemoteProtocolError),
        (say_nothing, httpx.ReadTimeout),
        (talk_nonsense, httpx.RemoteProtocolError),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_request_that_arrived_is_never_called_unsent(behave: Behaviour, error: type[Exception]) -> None:
    async with server(behave) as (url, requests), httpx.AsyncClient(transport=FastTransport()) as client:
        with pytest.raises(error) as caught:
            await client.post(url, content=b"{}", timeout=httpx.Timeout(5, read=0.2))
    assert type(caught.value) is error
    assert finding_of_error(caught.value) == "unknown"  # type: ignore[arg-type]
    assert len(requests) == 1


async def test_refused_connection_is_called_unsent() -> None:
    async with server(answer) as (url, _):
        pass
    async with httpx.AsyncClient(transport=FastTransport()) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.post(url, content=b"{}")
    assert finding_of_error(caught.value) == "never_left"


async def test_refused_certificate_is_final() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with server(answer, context) as (url, _), httpx.AsyncClient(transport=FastTransport()) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get(url)
    assert finding_of_error(caught.value) == "final"


async def test_put_on_a_kept_connection_that_breaks_is_sent_once() -> None:
    """aiohttp by itself would send it again: it takes a PUT for harmless."""

    async def answer_then_hang_up(number: int, writer: asyncio.StreamWriter) -> bool:
        return number == 1 and await answer(number, writer)

    body = ActivityTransitionRequest(transition="cancel")
    async with (
        server(answer_then_hang_up) as (url, requests),
        connect(token="t", base_url=url, async_transport=FastTransport()) as client,
    ):
        await list_trading_partners.asyncio(client=client)
        with pytest.raises(httpx.RemoteProtocolError):
            await update_activity.asyncio("5317f51527a27620f2ec7533", client=client, body=body)
    assert [request.split(b" ")[0] for request in requests] == [b"GET", b"PUT"]


@pytest.mark.parametrize("value", ["O'Neil & Sons", "100 % + 1", "a/b?c#d", "Ünïcode", "a%2Fb", "~.-_*!()"])
async def test_address_means_the_same_as_with_httpx(value: str) -> None:
    lines = []
    async with server(answer) as (url, requests):
        for transport in (FastTransport(), httpx.AsyncHTTPTransport()):
            async with httpx.AsyncClient(transport=transport) as client:
                await client.get(f"{url}/api/v4/x/a%2Fb", params={"name": value})
            lines.append(requests[-1].split(b" ")[1].decode("ascii"))
    assert urlsplit(lines[0]).path == urlsplit(lines[1]).path == "/api/v4/x/a%2Fb"
    assert parse_qs(urlsplit(lines[0]).query) == parse_qs(urlsplit(lines[1]).query) == {"name": [value]}


async def test_headers_are_those_of_httpx_and_cookies_are_not_kept_below_it() -> None:
    heads = []
    async with server(answer) as (url, requests):
        for transport in (FastTransport(), httpx.AsyncHTTPTransport()):
            async with httpx.AsyncClient(transport=transport) as client:
                await client.post(url, content=b"{}")
                client.cookies.clear()
                await client.post(url, content=b"{}")
            heads.append(sorted(line.lower() for line in requests[-1].split(b"\r\n\r\n")[0].split(b"\r\n")))
    assert heads[0] == heads[1]


async def test_compressed_answer_is_read() -> None:
    packed = gzip.compress(BODY)

    async def compressed(_number: int, writer: asyncio.StreamWriter) -> bool:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(packed) + packed)
        return True

    async with server(compressed) as (url, _), httpx.AsyncClient(transport=FastTransport()) as client:
        assert (await client.get(url)).content == BODY


def test_one_transport_serves_loop_after_loop() -> None:
    async def once() -> None:
        async with httpx.AsyncClient(transport=transport) as http:
            assert (await http.get(f"{sandbox.url}/healthz")).status_code == 200

    transport = FastTransport()
    with Sandbox() as sandbox:
        for _ in range(3):
            asyncio.run(once())


async def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(answer) as (proxy, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        async with httpx.AsyncClient(transport=FastTransport()) as client:
            await client.get("http://api.example.com/x")
        assert requests[-1].startswith(b"GET http://api.example.com/x HTTP/1.1\r\n")
        async with httpx.AsyncClient(transport=FastTransport(trust_env=False)) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("http://nowhere.invalid/x")
    assert len(requests) == 1


# ---------------------------------------------------------------- decode_json

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_json_is_decoded_as_by_the_standard_library(document: Any, ascii_only: bool) -> None:
    """NaN and infinities too, which are not JSON and which msgspec refuses."""
    text = json.dumps(document, ensure_ascii=ascii_only).encode(errors="replace")
    assert repr(decode_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        *(b'{"a": 1, "a": 2}', b"123456789012345678901234567890", b"1e400", b"-0", b"-0.0", b"1.0", b"5e-324"),
        *(b'"\\ud800"', b'"\\u0000"', b"\xef\xbb\xbf[1]", b" [1]\n", '["é"]'.encode("utf-16")),
    ],
)
def test_oddities_of_json_are_decoded_as_by_the_standard_library(text: bytes) -> None:
    assert repr(decode_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", [b"", b"{", b"<html>", b"[1,]", b'"\xff"', b"\x0b1", b"[1] [2]"])
def test_what_is_no_json_is_a_value_error_as_from_the_standard_library(text: bytes) -> None:
    with pytest.raises(ValueError) as expected:  # noqa: PT011 - its text is compared
        json.loads(text)
    with pytest.raises(type(expected.value)) as caught:
        decode_json(text)
    assert str(caught.value) == str(expected.value)
