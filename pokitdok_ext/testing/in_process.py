"""Carries requests to an application in this process, and what comes of them back, as if there were a network."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx

from pokitdok_api._operations import Operation

__tracebackhide__ = True  # from pytest: these frames hold what was sent or received


class NotRecordedError(Exception):
    """A cassette is played and has no answer to a request. The text names both, and nothing that was sent."""


class InProcessTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Goes through httpx's own ASGI transport, where vcrpy sees the requests; for a ``with`` block.

    Synchronous requests go on a thread of their own, one after the other, since the caller's may have a running loop.
    As from a network, an error arrives without the frames it was raised in.

    Args:
        app: An ASGI application.
    """

    def __init__(self, app: Any) -> None:
        self._app = httpx.ASGITransport(app=app)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pokitdok-in-process")
        self._gone = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a synchronous request."""
        if self._gone:
            raise _nobody(request)
        return _given(self._thread.submit(lambda: asyncio.run(self._outcome(request))).result())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer an asynchronous request."""
        if self._gone:
            raise _nobody(request)
        return _given(await self._outcome(request))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._gone = True
        self._thread.shutdown()

    async def _outcome(self, request: httpx.Request) -> httpx.Response | Exception:
        try:
            answer = await self._app.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())
        except httpx.TransportError as error:
            return error.with_traceback(None)
        except Exception as error:
            if not type(error).__module__.startswith("vcr."):
                raise
            cassette = getattr(error, "cassette", None)
        return NotRecordedError(
            f"{getattr(cassette, '_path', 'the cassette')} has no answer to this {_name(request)}, or not one more: "
            "record it anew with pytest --record-mode=rewrite"
        )


def _given(outcome: httpx.Response | Exception) -> httpx.Response:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _nobody(request: httpx.Request) -> httpx.ConnectError:
    return httpx.ConnectError("the sandbox ended with its test", request=request)


def _name(request: httpx.Request) -> str:
    operation = request.extensions.get("pokitdok.operation")
    return operation.id if isinstance(operation, Operation) else f"{request.method} request"
