"""All that one running sandbox holds: choices, clock, randomness, stored documents, counters. No rule of an area."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from string import ascii_letters, digits
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pokitdok_sandbox.settings import Settings
    from pokitdok_sandbox.store import Store

RATE_PERIOD = 60
"""Seconds of one rate limit period, per minute as documented since 2017."""
RATE_CAP = 1000
"""Calls per period as recorded. It is reported, never enforced: the fault ``rate_limit`` shows the refusal."""
CREDITS = 10_000
"""Credits at the start; the balance may become negative, as recorded for test applications."""


@dataclass
class Counters:
    """What was asked of this sandbox since its start or its last reset. Safe to share between threads."""

    token_requests: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    warnings: int = 0
    credits_billed: int = 0
    _period: int = 0
    _period_calls: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count_request(self, operation_id: str, *, token: bool) -> None:
        """Count one request that reached an operation, whatever the answer."""
        with self._lock:
            self.requests[operation_id] += 1
            self.token_requests += token

    def count_fault(self, name: str) -> None:
        """Count one fault that was ordered and fired."""
        with self._lock:
            self.faults[name] += 1

    def count_warnings(self, number: int) -> None:
        """Count warnings that went out."""
        with self._lock:
            self.warnings += number

    def bill(self, credits_billed: int) -> int:
        """Take credits and return what is left."""
        with self._lock:
            self.credits_billed += credits_billed
            return CREDITS - self.credits_billed

    def rate(self, now: float) -> dict[str, int]:
        """Count one call against the rate limit and return the three members of meta that tell of it."""
        period = int(now // RATE_PERIOD)
        with self._lock:
            if period != self._period:
                self._period, self._period_calls = period, 0
            self._period_calls += 1
            return {
                "rate_limit_amount": self._period_calls,
                "rate_limit_cap": RATE_CAP,
                "rate_limit_reset": (period + 1) * RATE_PERIOD,
            }

    def clear(self) -> None:
        """Start over."""
        with self._lock:
            self.token_requests = self.warnings = self.credits_billed = self._period_calls = 0
            self.requests.clear()
            self.faults.clear()

    def state(self) -> dict[str, Any]:
        """Return the counters in JSON form."""
        with self._lock:
            return {
                "token_requests": self.token_requests,
                "requests": dict(self.requests),
                "warnings": self.warnings,
                "faults": dict(self.faults),
                "credits_billed": self.credits_billed,
            }


@dataclass(frozen=True)
class World:
    """One sandbox: what the handlers of all areas share."""

    settings: Settings
    store: Store
    clock: Callable[[], float]
    random: Random
    served: Mapping[str, list[str]] = field(default_factory=dict)
    """Which operations are answered by rules, and which with examples."""
    counters: Counters = field(default_factory=Counters)

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
