"""For much work at once: aiohttp under the same client, and answers decoded in half the time. Needs the extra `fast`.

httpx's own pool gets slower the more requests are in flight, and loses connections to cancelled calls; aiohttp's does
neither (`nox -s bench`). Where the extra is installed, `connect()` uses it for asynchronous requests by itself.

    connect(..., decode=decode_json)
    connect(..., async_transport=FastTransport(connections=500))
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import httpx

try:
    import aiohttp
    import httpx_aiohttp
    import msgspec
    from aiohttp.connector import Connection
except ImportError as missing:
    raise ImportError(f"pokitdok_ext.fast needs {missing.name}: pip install 'pokitdok-client[fast]'") from missing

from ._clock import loop_time
from ._connections import LoopsOwn
from ._errors import ConfigurationError
from .settings import Certificate, Verify, checked_proxy, proxy_to, tls_context

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept, if not told otherwise."""

CONNECTIONS = 200
"""How many connections at most, if not told otherwise."""

LONGEST_HEADER = 65_536
"""Bytes of a header that an answer may have. aiohttp's own 8,190 would lose answers that httpx reads."""

MOST_HEADERS = 10_000
"""Headers that an answer may have; aiohttp's own limit is 128."""

BUFFERED = 65_536
"""Bytes that are handed to a connection at a time: what it takes before it makes the writer wait."""


def decode_json(content: bytes) -> Any:
    """What `json.loads` makes of *content*, made by msgspec; for `connect(decode=...)`.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):  # json takes more: NaN, a byte order mark, a lone surrogate
        return json.loads(content)


class FastTransport(LoopsOwn):
    """Sends asynchronous requests by aiohttp, HTTP/1.1 only; a pool of connections for each event loop.

    Args:
        verify: An `ssl.SSLContext`, the path of a file of certificates, or whether to check them at all.
        cert: Client certificate, as httpx takes it.
        proxy: Address of a proxy; else that of the environment, if *trust_env*.
        trust_env: Whether to read proxies and certificate paths of the environment.
        connections: How many connections at most; requests beyond them wait. None for any number.
        keep_alive: Seconds an idle connection is kept. Servers close theirs after 5 and more; a request that meets that
            is lost.

    Raises:
        ConfigurationError: A path, a proxy or an `SSLContext` cannot be used; see `settings.py`.
    """

    def __init__(
        self,
        *,
        verify: Verify = True,
        cert: Certificate | None = None,
        proxy: str | httpx.Proxy | None = None,
        trust_env: bool = True,
        connections: int | None = CONNECTIONS,
        keep_alive: float | None = KEEP_ALIVE,
    ) -> None:
        load = partial(tls_context, verify, cert, trust_env=trust_env)
        paths = trust_env and {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
        # At once, so that a wrong path shows here; but certifi's certificates take longest, and are never wrong.
        loaded = load() if verify is not True or cert or paths else None
        proxy_of = partial(proxy_to, proxy=None if proxy is None else checked_proxy(proxy), trust_env=trust_env)

        async def pool() -> httpx.AsyncBaseTransport:
            return AiohttpPool(lambda: loaded or load(), proxy_of, connections=connections, keep_alive=keep_alive)

        super().__init__(pool)


class AiohttpPool(httpx.AsyncBaseTransport):
    """The connections of the running event loop.

    Args:
        context: Gives the TLS settings. It may take long: it is called on a thread, with the first https request.
        proxy_of: Gives the proxy for a URL, None for none.
        connections: As for `FastTransport`.
        keep_alive: As for `FastTransport`.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        proxy_of: Callable[[httpx.URL], httpx.Proxy | None],
        *,
        connections: int | None = CONNECTIONS,
        keep_alive: float | None = KEEP_ALIVE,
    ) -> None:
        self._sessions: list[aiohttp.ClientSession] = []
        self._context, self._proxy_of = context, proxy_of
        self._connections, self._keep_alive = connections, keep_alive
        self._loop = asyncio.get_running_loop()
        self._making = asyncio.Lock()
        self._transports: dict[tuple[bool, str | None], httpx_aiohttp.AiohttpTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; errors are those that httpx itself would raise."""
        transport = await self._transport_for(request.url)
        response = None
        writing = asyncio.timeout(None)
        try:
            async with writing:  # an answer may begin before the whole body is taken
                response = await transport.handle_async_request(_with_write_limit(request, writing))
                if response.status_code != 101:
                    await response.aread()
        except httpx.DecodingError:
            if response is not None:
                await response.aclose()
            raise
        except (httpx.TransportError, aiohttp.ClientError, TimeoutError) as error:
            if response is not None:
                await response.aclose()
            if writing.expired():
                raise httpx.WriteTimeout("the body was not taken in time") from error
            cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
            kind = next((kind for cls, kind in _KINDS if isinstance(cause, cls)), httpx.ReadError)
            raise kind(type(cause).__name__) from cause
        if response.status_code == 101:
            await response.aclose()
            raise httpx.RemoteProtocolError("the server changed to another protocol, which was not asked for")
        response.request = request
        return response

    async def _transport_for(self, url: httpx.URL) -> httpx_aiohttp.AiohttpTransport:
        proxy = self._proxy_of(url)
        encrypted = url.scheme == "https" or (proxy is not None and proxy.url.scheme == "https")
        key = encrypted, None if proxy is None else str(proxy.url)
        if key not in self._transports:
            async with self._making:
                if key not in self._transports:
                    context = await asyncio.to_thread(self._context) if encrypted else None
                    self._transports[key] = self._transport(context, proxy)
        return self._transports[key]

    def _transport(self, context: ssl.SSLContext | None, proxy: httpx.Proxy | None) -> httpx_aiohttp.AiohttpTransport:
        connector = aiohttp.TCPConnector(
            ssl=context or True, limit=self._connections or 0, keepalive_timeout=self._keep_alive
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies and headers are httpx's business
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            response_class=_Response,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
        )
        # aiohttp sends a PUT or a DELETE again by itself when a kept connection breaks; that is for _retries.py to say.
        session._retry_connection = False
        self._sessions.append(session)
        transport = httpx_aiohttp.AiohttpTransport(verify=context or _UNUSED, client=session)
        transport.proxy = None if proxy is None else _for_aiohttp(proxy)
        return transport

    async def aclose(self) -> None:
        """Close all connections."""
        for session in self._sessions:
            await session.close()

    def __del__(self) -> None:
        """Close what nobody has closed. aiohttp would report it as an error, to the log of asyncio."""
        for session in self._sessions:
            connector = session.connector
            session.detach()
            if connector is not None and not connector.closed:
                try:
                    self._loop.call_soon_threadsafe(connector._close)
                except RuntimeError:  # the loop has ended
                    connector._close()


class _Response(aiohttp.ClientResponse):
    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Receive the head. Of the reason phrase only ASCII is kept, as by httpx: httpx-aiohttp fails by the rest."""
        await super().start(connection)
        self.reason = (self.reason or "").encode("ascii", "ignore").decode("ascii")
        return self


_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx-aiohttp, which would load certificates that it does not use: the session has its own settings."""


def _with_write_limit(request: httpx.Request, writing: asyncio.Timeout) -> httpx.Request:
    """*request* with a body that lets *writing* expire when a part of it is not taken in time.

    aiohttp has no limit for writing and begins to wait for the answer after that. What fits into the buffer of a
    connection is written at once and needs none.
    """
    limit = request.extensions.get("timeout", {}).get("write")
    if limit is None or (isinstance(request.stream, httpx.ByteStream) and len(request.read()) <= BUFFERED):
        return request

    def expire_at(moment: float | None) -> None:
        with suppress(RuntimeError):  # the whole answer is there already
            writing.reschedule(moment)

    async def parts() -> AsyncIterator[bytes]:
        assert isinstance(request.stream, AsyncIterable)  # noqa: S101 - httpx gives an asynchronous client no other
        async for chunk in request.stream:
            for start in range(0, len(chunk), BUFFERED):
                expire_at(loop_time() + limit)
                yield chunk[start : start + BUFFERED]
        expire_at(None)

    return httpx.Request(
        request.method, request.url, headers=request.headers, content=parts(), extensions=request.extensions
    )


def _for_aiohttp(proxy: httpx.Proxy) -> httpx.Proxy:
    """*proxy* with its credentials as a header, in UTF-8: aiohttp's own way takes Latin-1 only and is deprecated.

    Raises:
        ConfigurationError: It is a SOCKS proxy.
    """
    if proxy.url.scheme.startswith("socks"):
        raise ConfigurationError(
            "FastTransport cannot use a SOCKS proxy: leave out async_transport, so that httpx's own transport is used"
        )
    if proxy.raw_auth is None:
        return proxy
    credentials = base64.b64encode(b":".join(proxy.raw_auth)).decode("ascii")
    headers = {**proxy.headers, "Authorization": f"Basic {credentials}"}  # aiohttp sends it as Proxy-Authorization
    return httpx.Proxy(proxy.url, ssl_context=proxy.ssl_context, headers=headers)


_KINDS: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientProxyConnectionError, httpx.ConnectError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
)
"""Errors of aiohttp by their names in httpx. httpx-aiohttp calls each lost connection a ConnectTimeout, sent or not."""
