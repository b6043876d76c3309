"""The transports that reach the network: httpx's own, with the caller's TLS and proxy settings, made on first use.

A program that only makes a client, or brings its own transport, pays for none. Retries are above (`_sending.py`).
"""

import asyncio
import threading
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import httpx

OPTIONS = frozenset({"verify", "cert", "trust_env", "http1", "http2", "limits", "proxy"})
"""What of httpx's client arguments is the transport's business."""


def transport_options(options: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The arguments of an httpx transport to *root*, the proxy of the environment included."""
    chosen = {name: options[name] for name in OPTIONS & options.keys()}
    if chosen.get("proxy") is None and chosen.get("trust_env", True):
        chosen["proxy"] = proxy_of_environment(root)
    return chosen


def client_options(options: Mapping[str, Any], wrap: Callable[[Any], httpx.BaseTransport]) -> dict[str, Any]:
    """The arguments that stay with the httpx client; a mounted transport is put into *wrap* as the main one is."""
    rest = {name: value for name, value in options.items() if name not in OPTIONS}
    if rest.get("mounts"):
        rest["mounts"] = {pattern: each and wrap(each) for pattern, each in rest["mounts"].items()}
    return rest


def proxy_of_environment(root: str) -> str | None:
    """The proxy that `HTTP_PROXY` and its kin name for *root*; httpx looks itself only if it makes the transport."""
    url = httpx.URL(root)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(url.netloc.decode("ascii")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class FirstUse(httpx.BaseTransport):
    """A synchronous transport that is made when the first request comes."""

    def __init__(self, make: Callable[[], httpx.BaseTransport]) -> None:
        self._make = make
        self._made: httpx.BaseTransport | None = None
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        made = self._made
        if made is None:
            with self._lock:
                made = self._made = self._made or self._make()
        return made.handle_request(request)

    def close(self) -> None:
        """Close what was made; the next request makes another."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()


class LoopsOwn(httpx.AsyncBaseTransport):
    """An asynchronous transport for each event loop, since connections belong to the loop that opened them."""

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncBaseTransport] = WeakKeyDictionary()
        self._lock = threading.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* by the transport of the running loop."""
        loop = asyncio.get_running_loop()
        made = self._made.get(loop)
        if made is None:
            made = self._make()
            with self._lock:
                for ended in [each for each in self._made if each.is_closed()]:
                    del self._made[ended]
                self._made[loop] = made
        return await made.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport of the running loop; those of other loops end with them."""
        with self._lock:
            made = self._made.pop(asyncio.get_running_loop(), None)
        if made is not None:
            await made.aclose()
