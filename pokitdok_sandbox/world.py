"""All that one running sandbox holds: choices, clock, randomness, stored documents, counters. No rule of an area."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from string import ascii_letters, digits
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pokitdok_sandbox.callbacks import Callbacks
    from pokitdok_sandbox.faults import Faults
    from pokitdok_sandbox.settings import Settings
    from pokitdok_sandbox.store import Store

RATE_PERIOD = 60
"""Seconds of one rate limit period, per minute as documented since 2017."""
RATE_CAP = 1000
"""Calls per period as recorded: what is reported when no limit is enforced."""


@dataclass
class Counters:
    """What was asked of this sandbox since its start or its last reset. Safe to share between threads."""

    token_requests: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    tokens_issued: Counter[str] = field(default_factory=Counter)
    tokens_refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    warnings: int = 0
    credits_billed: Counter[str] = field(default_factory=Counter)
    """By client id."""
    executed: Counter[str] = field(default_factory=Counter)
    rate_limited: int = 0
    _period: int = 0
    _period_calls: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count_request(self, operation_id: str, *, token: bool) -> None:
        """Count one request that reached an operation, whatever the answer."""
        with self._lock:
            self.requests[operation_id] += 1
            self.token_requests += token

    def count_token(self, grant: str, error: str | None) -> None:
        """Count what the token endpoint decided: a token for this grant, or this OAuth error."""
        with self._lock:
            if error is None:
                self.tokens_issued[grant] += 1
            else:
                self.tokens_refused[error] += 1

    def count_faults(self, names: Iterable[str]) -> None:
        """Count faults that were ordered and fired."""
        with self._lock:
            self.faults.update(names)

    def count_warnings(self, number: int) -> None:
        """Count warnings that went out."""
        with self._lock:
            self.warnings += number

    def count_executed(self, operation_id: str) -> None:
        """Count one request that was carried out, whatever became of its answer."""
        with self._lock:
            self.executed[operation_id] += 1

    def bill(self, client_id: str, credits_billed: int) -> int:
        """Take credits of an application and return how many it has used so far."""
        with self._lock:
            self.credits_billed[client_id] += credits_billed
            return self.credits_billed[client_id]

    def rate(self, client_id: str, now: float, limit: int | None) -> dict[str, int] | None:
        """Count one call against the rate limit and return the three members of meta that tell of it.

        None, and nothing is counted, when the limit is reached.
        """
        period = int(now // RATE_PERIOD)
        with self._lock:
            if period != self._period:
                self._period = period
                self._period_calls.clear()
            if limit is not None and self._period_calls[client_id] >= limit:
                self.rate_limited += 1
                return None
            self._period_calls[client_id] += 1
            return {
                "rate_limit_amount": self._period_calls[client_id],
                "rate_limit_cap": RATE_CAP if limit is None else limit,
                "rate_limit_reset": (period + 1) * RATE_PERIOD,
            }

    def clear(self) -> None:
        """Start over."""
        with self._lock:
            self.token_requests = self.warnings = self.rate_limited = 0
            for counted in (self.requests, self.executed, self.tokens_issued, self.tokens_refused, self.faults):
                counted.clear()
            self.credits_billed.clear()
            self._period_calls.clear()

    def state(self) -> dict[str, Any]:
        """Return the counters in JSON form."""
        with self._lock:
            return {
                "token_requests": self.token_requests,
                "tokens_issued": dict(self.tokens_issued),
                "tokens_refused": dict(self.tokens_refused),
                "requests": dict(self.requests),
                "executed": dict(self.executed),
                "warnings": self.warnings,
                "faults": dict(self.faults),
                "rate_limited": self.rate_limited,
                "credits_billed": self.credits_billed.total(),
            }


@dataclass
class World:
    """One sandbox: what the handlers of all areas share. Its settings may be replaced while it runs."""

    settings: Settings
    store: Store
    clock: Callable[[], float]
    random: Random
    callbacks: Callbacks
    faults: Faults
    served: Mapping[str, list[str]] = field(default_factory=dict)
    """Which operations are answered by rules, and which with examples."""
    counters: Counters = field(default_factory=Counters)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def state(self) -> dict[str, Any]:
        """Return the counters, and which operations are simulated, in JSON form."""
        return {**self.counters.state(), **self.served}

    def new_id(self, now: float) -> str:
        """Return 24 hex digits that begin with the time, like the ids of the platform."""
        return f"{int(now) & 0xFFFFFFFF:08x}{self.random.getrandbits(64):016x}"

    def new_uuid(self) -> str:
        """Return a random UUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def new_token(self) -> str:
        """Return 40 letters and digits, the form of every recorded access token."""
        return "".join(self.random.choices(ascii_letters + digits, k=40))


def wire_time(moment: float) -> str:
    """Write a Unix time as the platform does: ISO 8601, microseconds, UTC without a zone."""
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def wire_date(moment: float) -> str:
    """Write the UTC date of a Unix time."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
