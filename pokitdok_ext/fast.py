"""For much work at once: aiohttp under the same client, and answers decoded in half the time. Needs the extra `fast`.

httpx's own pool gets slower the more requests are in flight; this one does not (`nox -s bench`).

    connect(..., async_transport=FastTransport(), decode=decode_json)
"""

import base64
import json
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

try:
    import aiohttp
    import httpx_aiohttp
    import msgspec
except ImportError as missing:
    raise ImportError(f"pokitdok_ext.fast needs {missing.name}: pip install 'pokitdok-client[fast]'") from missing

from ._connections import LoopsOwn
from ._errors import ConfigurationError
from .settings import Certificate, Verify, checked_proxy, proxy_to, tls_context

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept. Servers close theirs after 5 and more; a request that meets that is lost."""


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
        connections: How many connections at most; requests beyond them wait.

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
        connections: int = 200,
    ) -> None:
        context = tls_context(verify, cert, trust_env=trust_env)
        proxy = None if proxy is None else _for_aiohttp(checked_proxy(proxy))
        proxy_of = partial(proxy_to, proxy=proxy, trust_env=trust_env)
        super().__init__(lambda: _Pool(context, connections, proxy_of))


class _Pool(httpx.AsyncBaseTransport):
    """The connections of one event loop."""

    def __init__(
        self, context: ssl.SSLContext, connections: int, proxy_of: Callable[[httpx.URL], httpx.Proxy | None]
    ) -> None:
        connector = aiohttp.TCPConnector(limit=connections, ssl=context, keepalive_timeout=KEEP_ALIVE)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies and headers are httpx's business
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
        # aiohttp sends a PUT or a DELETE again by itself when a kept connection breaks; that is for _retries.py to say.
        session._retry_connection = False
        self._transport = httpx_aiohttp.AiohttpTransport(client=session)
        self._proxy_of = proxy_of

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; errors are those that httpx itself would raise."""
        proxy = self._proxy_of(request.url)
        self._transport.proxy = None if proxy is None else _for_aiohttp(proxy)
        response = None
        try:
            response = await self._transport.handle_async_request(request)
            await response.aread()
        except (httpx.TransportError, aiohttp.ClientError, TimeoutError) as error:
            if response is not None:
                await response.aclose()
            cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
            kind = next((kind for cls, kind in _KINDS if isinstance(cause, cls)), httpx.ReadError)
            raise kind(type(cause).__name__) from cause
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


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
