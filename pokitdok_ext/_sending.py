"""The transport that paces requests, sends them again where `_retries.py` allows it, and logs them.

What connects to the network is below it (`_connections.py`), what signs requests above (`_auth.py`).
"""

import logging
import math
import re
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal, Protocol, cast

import httpx

from pokitdok_api._operations import Operation

from ._clock import SYSTEM_CLOCK, Clock
from ._logging import log_attempt, logger
from ._retries import (
    DEFAULT_RETRY,
    Finding,
    Retry,
    asked_wait,
    finding_of_answer,
    finding_of_error,
    may_have_acted,
    retry_override,
    wait_before_next,
)

ATTEMPTS = "pokitdok.attempts"
"""Extension of requests and answers: how often the request was sent, replays after a 401 included."""

POLICY = "pokitdok.retry"
"""Extension of a request: its own `Retry`, or None for no retries."""

_RESET = re.compile(rb'"rate_limit_reset"\s*:\s*(\d{1,12})')


class Pace(Protocol):
    """What keeps requests under a rate limit; see `pokitdok_ext.pacing`.

    Attributes:
        blocking: Whether `take` talks to another machine, so that a task must not call it on its loop.
    """

    @property
    def blocking(self) -> bool: ...
    def take(self) -> float:
        """0 if a request may go now, which is counted; else seconds after which to ask again."""
        ...

    def learn(self, response: httpx.Response, *, refused: bool) -> None:
        """Look at an answer; *refused*: the rate limit is spent."""
        ...


async def _turn(pace: Pace | None) -> float:
    """What `pace.take()` gives, without blocking the loop."""
    if not pace:
        return 0.0
    if not pace.blocking:
        return pace.take()
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    return await asyncio.to_thread(pace.take)


reading_turn: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("pokitdok_reading_turn", default=None)
"""Awaited before an answer is read, while work in bulk is under way, so that the one before it is given on first."""

_Flow = Generator[float | Literal["turn", "send"], Any, httpx.Response]


class RetryTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends requests of the contract: paced, again where that is safe, and logged. Other requests pass untouched.

    Args:
        transport: For synchronous requests.
        async_transport: For asynchronous requests.
        retry: The policy; None for no retries.
        pace: Keeps under the rate limit; None to send at once, except that calls in bulk keep to what answers announce.
        clock: Time, waiting and chance.
        check_open: Called before each attempt; raises `ClientClosedError` if the client was closed while the request
            waited for its token, its turn or the next attempt.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        async_transport: httpx.AsyncBaseTransport,
        *,
        retry: Retry | None = DEFAULT_RETRY,
        pace: Pace | None = None,
        clock: Clock = SYSTEM_CLOCK,
        check_open: Callable[[], object] | None = None,
    ) -> None:
        self._transport = transport
        self._async_transport = async_transport
        self._retry = retry
        self._pace = pace
        self._announced: Pace | None = None
        self._clock = clock
        self._check_open = check_open
        self._reset: float | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* for `httpx.Client`."""
        operation = request.extensions.get("pokitdok.operation")
        if not isinstance(operation, Operation):
            return self._transport.handle_request(request)
        pace = self._pace_now()
        flow = self._flow(request, operation, pace)
        result: Any = None
        try:
            while True:
                step = flow.send(result)
                if step == "send":
                    result = self._attempt(request)
                elif step == "turn":
                    result = pace.take() if pace else 0.0
                else:
                    self._clock.sleep(step)
                    result = None
        except StopIteration as done:
            return cast(httpx.Response, done.value)
        finally:
            flow.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* for `httpx.AsyncClient`."""
        operation = request.extensions.get("pokitdok.operation")
        if not isinstance(operation, Operation):
            return await self._async_transport.handle_async_request(request)
        pace = self._pace_now()
        flow = self._flow(request, operation, pace)
        result: Any = None
        try:
            while True:
                step = flow.send(result)
                if step == "send":
                    result = await self._async_attempt(request)
                elif step == "turn":
                    result = await _turn(pace)
                else:
                    await self._clock.async_sleep(step)
                    result = None
        except StopIteration as done:
            turn = reading_turn.get()
            if turn is not None:
                await turn()
            return cast(httpx.Response, done.value)
        finally:
            flow.close()

    def close(self) -> None:
        """Close the transport of synchronous requests."""
        self._transport.close()

    async def aclose(self) -> None:
        """Close the transport of asynchronous requests."""
        await self._async_transport.aclose()

    def _pace_now(self) -> Pace | None:
        """The caller's pace; without one, while work in bulk is under way, what answers have announced."""
        if self._pace is not None or reading_turn.get() is None:
            return self._pace
        if self._announced is None:
            from .pacing import Pacer  # noqa: PLC0415 - only work in bulk needs it

            self._announced = Pacer(clock=self._clock)
        return self._announced

    def _attempt(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        """The answer, read whole so that one that is cut off shows here, or the error."""
        response = None
        try:
            response = self._transport.handle_request(request)
            response.read()
        except httpx.TransportError as error:
            return error
        except httpx.DecodingError as error:
            if response is not None:
                response.close()  # what is still to come of it would keep the connection
            return _undecodable(error)
        return response

    async def _async_attempt(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        response = None
        try:
            response = await self._async_transport.handle_async_request(request)
            await response.aread()
        except httpx.TransportError as error:
            return error
        except httpx.DecodingError as error:
            if response is not None:
                await response.aclose()
            return _undecodable(error)
        return response

    def _flow(self, request: httpx.Request, operation: Operation, pace: Pace | None) -> _Flow:
        """Yields what is to be done and is sent what came of it: one body for both worlds.

        "send" is answered with the answer or the error, "turn" with the seconds to wait for it (0: go), and a number
        of seconds is slept.
        """
        retry = self._policy(request)
        timeouts = request.extensions.get("timeout", {})
        patience = timeouts.get("read") or math.inf
        begun, attempt = self._clock.monotonic(), 0
        try:
            while True:
                if pace is not None:
                    queued = self._clock.monotonic()
                    while (turn := (yield "turn")) > 0:
                        yield turn
                    begun += self._clock.monotonic() - queued  # waiting for a turn is nobody's fault
                if self._check_open is not None:
                    self._check_open()
                attempt += 1
                sent = self._clock.monotonic()
                if attempt > 1 and patience < math.inf:
                    request.extensions["timeout"] = _at_most(timeouts, begun + patience - sent)
                request.extensions[ATTEMPTS] = request.extensions.get(ATTEMPTS, 0) + 1
                outcome: httpx.Response | httpx.TransportError = yield "send"
                now = self._clock.monotonic()
                finding, asked = self._judge(operation, outcome, pace)
                wait = None
                if retry is not None:
                    left = min(retry.budget, patience) - (now - begun)
                    safe, chance = operation.retry == "safe", self._clock.chance()
                    wait = wait_before_next(retry, safe, finding, attempt, asked=asked, left=left, chance=chance)
                if logger.isEnabledFor(logging.INFO):
                    log_attempt(operation, request, outcome, attempt=attempt, seconds=now - sent, wait=wait)
                if wait is not None:
                    yield wait
                elif isinstance(outcome, httpx.Response):
                    outcome.elapsed = timedelta(seconds=now - sent)
                    outcome.extensions[ATTEMPTS] = request.extensions[ATTEMPTS]
                    return outcome
                else:
                    outcome.add_note(_note(operation, finding, request.extensions[ATTEMPTS]))
                    raise outcome
        finally:
            if timeouts:
                request.extensions["timeout"] = timeouts

    def _policy(self, request: httpx.Request) -> Retry | None:
        override = retry_override.get()
        default = self._retry if override is None else override[0]
        policy: Retry | None = request.extensions.get(POLICY, default)
        return policy if isinstance(request.stream, httpx.ByteStream) else None

    def _judge(
        self, operation: Operation, outcome: httpx.Response | httpx.TransportError, pace: Pace | None
    ) -> tuple[Finding, float | None]:
        """What the outcome says, and how many seconds the server asks to wait before the next attempt."""
        if not isinstance(outcome, httpx.Response):
            return finding_of_error(outcome), None
        finding = finding_of_answer(operation, outcome)
        if pace is not None:
            pace.learn(outcome, refused=finding == "not_executed")
            if finding == "not_executed":
                return finding, None  # the pace knows when to go on, however long that is
        elif (at := outcome.content.rfind(b'"rate_limit_reset"')) >= 0 and (found := _RESET.match(outcome.content, at)):
            self._reset = float(found[1])
        return finding, None if finding == "final" else asked_wait(outcome, self._reset, self._clock.wall())


def _undecodable(error: httpx.DecodingError) -> httpx.RemoteProtocolError:
    """A body that is not in its `Content-Encoding`, as what it is to a caller: an answer that was cut off.

    httpx has no common class for the two but `RequestError`, and who catches `TransportError` means both. The error is
    not chained to *error*, whose frames hold the body.
    """
    return httpx.RemoteProtocolError(f"the body does not fit its Content-Encoding: {error}")


def _at_most(timeouts: dict[str, float | None], left: float) -> dict[str, float | None]:
    return {name: left if seconds is None else min(seconds, left) for name, seconds in timeouts.items()}


def _note(operation: Operation, finding: Finding, attempts: int) -> str:
    times = "once" if attempts == 1 else f"{attempts} times"
    why = ""
    if may_have_acted(operation, finding):
        why = "; not again, since the API may have acted on it: look at the activities before you repeat it"
    return f"{operation.id}: {operation.method} {operation.path} was sent {times}{why}"
