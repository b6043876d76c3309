"""Faults that a caller orders: for one request by the header X-Sandbox-Fault, for all by a switch. Each is counted.

Here is which faults there are and when one fires. How an answer gets lost on its way is in connection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from pokitdok_sandbox import connection

if TYPE_CHECKING:
    from random import Random

    from starlette.types import ASGIApp

    from pokitdok_sandbox.wire import Wire

HEADER = "x-sandbox-fault"
LATENCY = "latency"
CLOCK_SKEW = "clock_skew"
TOKEN_REVOKED = "token_revoked"  # noqa: S105 - no secret, the name of a fault

SECONDS = {LATENCY: 1.0, CLOCK_SKEW: 3600.0, "timeout_before": 60.0, "timeout_after": 60.0}
"""Faults that take seconds, and how many when nobody says: the delay, the error of the clock, the silence."""

ORDERED = "The fault that was ordered."

INSTEAD: dict[str, Callable[[Wire, float], ASGIApp]] = {
    "unauthorized": lambda wire, _: wire.unauthorized(),
    TOKEN_REVOKED: lambda wire, _: wire.unauthorized(),
    "bad_request": lambda wire, _: _enveloped(wire, {"validation": {"body": [ORDERED]}}, 400),
    "payment_required": lambda wire, _: wire.message("Payment Required", 402),
    "rate_limit": lambda wire, _: wire.message("Forbidden (Rate Limited)", 403),
    "not_found": lambda wire, _: _enveloped(wire, {"query": ORDERED}, 404),
    "unprocessable": lambda wire, _: _enveloped(wire, {"validation": {"body": [ORDERED]}}, 422),
    "server_error": lambda wire, _: _enveloped(wire, {"general": ORDERED}, 500),
    "html_500": lambda wire, _: wire.html_failure(),
    "unavailable": lambda wire, _: wire.message("Service Unavailable", 503),
    "reset_before": lambda _, __: connection.Reset(),
    "timeout_before": lambda _, seconds: connection.Silence(seconds),
}
"""Answers given in place of the call, which is then not carried out."""

AFTERWARDS: dict[str, Callable[[Response, float], ASGIApp]] = {
    "truncated_json": lambda response, _: truncated(response),
    "truncated_body": lambda response, _: connection.Cut(response),
    "reset_after": lambda _, __: connection.Reset(),
    "timeout_after": lambda _, seconds: connection.Silence(seconds),
}
"""The call is carried out, then its answer is lost, or half of it: the claim that may have been filed."""

NAMES = (*INSTEAD, *AFTERWARDS, LATENCY, CLOCK_SKEW)


@dataclass(frozen=True)
class Fired:
    """What one request gets.

    Attributes:
        names: All faults that it gets.
        ending: The one of INSTEAD or AFTERWARDS among them; None leaves the answer as it is.
        seconds: Of the ending.
        latency: Seconds before the answer goes out.
        skew: Seconds by which the server's clock seems wrong.
    """

    names: tuple[str, ...] = ()
    ending: str | None = None
    seconds: float = 0.0
    latency: float = 0.0
    skew: float = 0.0


@dataclass
class Order:
    """A switch that is on.

    Attributes:
        name: Of the fault.
        seconds: What SECONDS describes.
        share: Of the requests that get it, 0 to 1.
        operations: Those that get it; empty for all.
        count: How many requests are still to get it; None for no end.
        fired: How many got it.
    """

    name: str
    seconds: float
    share: float
    operations: tuple[str, ...]
    count: int | None
    fired: int = 0


class Faults:
    """The switches of one sandbox. Safe to share between threads."""

    def __init__(self, random: Random, operations: Collection[str]) -> None:
        self._random = random
        self._operations = operations
        self._orders: list[Order] = []
        self._lock = Lock()

    def order(
        self,
        name: str,
        *,
        share: float = 1.0,
        count: int | None = None,
        operations: Iterable[str] = (),
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Turn a fault on; it comes on top of those that are on. Return the order in JSON form.

        Args:
            name: One of NAMES.
            share: Of the requests, 0 to 1, drawn with the sandbox's own randomness.
            count: The order is gone after so many; never when None.
            operations: operationIds of the contract; all when empty.
            seconds: For the faults in SECONDS.

        Raises:
            ValueError: The order makes no sense; the text says what would.
        """
        operations = tuple(operations)
        unknown = sorted(set(operations) - set(self._operations))
        if unknown:
            raise ValueError("operations takes operationIds of the contract, such as create_token")
        if not 0 <= share <= 1:
            raise ValueError("share is a number from 0 to 1")
        if count is not None and count < 1:
            raise ValueError("count is a whole number above 0, or null for no end")
        order = Order(name, _seconds(name, seconds), share, operations, count)
        with self._lock:
            self._orders.append(order)
        return asdict(order)

    def listed(self) -> list[dict[str, Any]]:
        """Return what is on, in JSON form, oldest first."""
        with self._lock:
            return [asdict(order) for order in self._orders]

    def clear(self) -> None:
        """Turn everything off."""
        with self._lock:
            self._orders.clear()

    def fire(self, operation_id: str, header: str | None) -> Fired:
        """Return what a request gets: what its header says, or else what is on.

        At most one of those that fire ends the call, the oldest; latency and clock skew add up.

        Raises:
            ValueError: The header names no fault.
        """
        if header is not None:
            name, _, text = header.partition("=")
            try:
                seconds = float(text) if text else None
            except ValueError:
                raise ValueError("seconds is a number") from None
            return _combined([(name, _seconds(name, seconds))])
        with self._lock:
            chosen: list[Order] = []
            for order in self._orders:
                ends = order.name not in {LATENCY, CLOCK_SKEW}
                if order.operations and operation_id not in order.operations:
                    continue
                if ends and any(other.name not in {LATENCY, CLOCK_SKEW} for other in chosen):
                    continue
                if order.share < 1 and self._random.random() >= order.share:
                    continue
                chosen.append(order)
            for order in chosen:
                order.fired += 1
                order.count = None if order.count is None else order.count - 1
            self._orders = [order for order in self._orders if order.count != 0]
        return _combined([(order.name, order.seconds) for order in chosen])


def truncated(response: Response) -> Response:
    """Return the same answer with the second half of its body missing, as a complete HTTP message."""
    half = bytes(response.body)[: len(response.body) // 2]
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(half, response.status_code, headers)


def _enveloped(wire: Wire, errors: dict[str, Any], status: int) -> Response:
    return wire.enveloped({"processing_time": 0}, {"errors": errors}, status)


def _seconds(name: str, seconds: float | None) -> float:
    if name not in NAMES:
        raise ValueError(f"no fault has this name; there are: {', '.join(NAMES)}")
    if seconds is None:
        return SECONDS.get(name, 0.0)
    if name not in SECONDS:
        raise ValueError(f"seconds goes with {', '.join(SECONDS)} only")
    if not abs(seconds) < float("inf") or (seconds < 0 and name != CLOCK_SKEW):
        raise ValueError("seconds is a number, below 0 for clock_skew only")
    return seconds


def _combined(chosen: list[tuple[str, float]]) -> Fired:
    ending, seconds = next(((name, sec) for name, sec in chosen if name not in {LATENCY, CLOCK_SKEW}), (None, 0.0))
    return Fired(
        names=tuple(name for name, _ in chosen),
        ending=ending,
        seconds=seconds,
        latency=sum(sec for name, sec in chosen if name == LATENCY),
        skew=sum(sec for name, sec in chosen if name == CLOCK_SKEW),
    )
