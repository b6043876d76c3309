"""Keeps requests under the rate limit that answers announce. When a request is sent again is `_retries.py`.

    client = connect(..., pace=Pacer())                          threads and tasks of this client
    client = connect(..., pace=Pacer(cap=DOCUMENTED_CAP))        with a limit before any answer has announced one
    client = connect(..., pace=Pacer(store=RedisStore(...)))     all hosts with this store

The budget of a period is a value, `Budget`; what changes it are pure functions. A `Pacer` keeps one, in memory or in
Redis.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ._clock import SYSTEM_CLOCK, Clock
from ._http_times import http_date, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

DOCUMENTED_CAP = 84
"""Requests a minute, as documented since 2017."""

PERIOD = 60.0
"""Seconds of a period, until an answer says when it ends."""

LONGEST_PERIOD = 3600.0
"""Seconds. Until 2017 the limit was by the hour; an end further away is not believed."""

LOOK_AGAIN = 0.05
"""Seconds to wait at most while no answer has told the cap: one that is under way may raise it."""

NEARLY_SPENT = 0.1
"""Share of the cap from which on what is left is spread over what is left of the period."""

_ANNOUNCED = re.compile(rb'"rate_limit_(cap|amount|reset)"\s*:\s*(\d{1,12})')
_META = 1000
"""Bytes within which the three stand together."""


@dataclass(frozen=True)
class Budget:
    """What may be sent in the running period.

    Attributes:
        cap: Requests a period; None if no limit is known.
        used: Requests made in it, by us or, as announced, by others with the same application.
        ends: Reading of the clock at which the next period begins.
        next_turn: Reading of the clock before which no request goes, once the budget is nearly spent.
        announced: Whether an answer has told the cap.
    """

    cap: int | None = None
    used: int = 0
    ends: float = -math.inf
    next_turn: float = -math.inf
    announced: bool = False


def take(budget: Budget, now: float) -> tuple[Budget, float]:
    """The budget after asking for a turn, and the seconds to wait; 0 if the turn is given, and counted."""
    if now >= budget.ends:
        budget = dataclasses.replace(budget, used=0, ends=now + PERIOD, next_turn=-math.inf)
    longest = math.inf if budget.announced else LOOK_AGAIN
    free = math.inf if budget.cap is None else budget.cap - budget.used
    if free <= 0:
        return budget, min(longest, budget.ends - now)
    if now < budget.next_turn:
        return budget, min(longest, budget.next_turn - now)
    spread = (budget.ends - now) / free if budget.cap is not None and free <= budget.cap * NEARLY_SPENT else 0.0
    return dataclasses.replace(budget, used=budget.used + 1, next_turn=now + spread if spread else -math.inf), 0.0


def learn(budget: Budget, now: float, *, cap: int | None, amount: int | None, left: float | None) -> Budget:
    """The budget after an answer.

    Args:
        budget: Before it.
        now: Reading of the clock.
        cap: Announced requests a period.
        amount: Announced requests made in it.
        left: Announced seconds until it ends. If it is over, the answer is an old one and says nothing of this period.
    """
    if left is not None and left <= 0:
        return budget
    announced = cap is not None and cap > 0
    cap = cap if cap is not None and announced else budget.cap
    ends, used = budget.ends, budget.used
    if left is not None and 0 < left <= LONGEST_PERIOD:
        begins_anew = now >= budget.ends
        ends = now + left
        used = 0 if begins_anew else used
    if amount is not None and now < ends:
        used = max(used, amount)
    next_turn = budget.next_turn if now < budget.ends and cap == budget.cap else -math.inf
    return Budget(cap, used, ends, next_turn, announced or budget.announced)


def spent(budget: Budget, now: float) -> Budget:
    """The budget after the API refused a request by the rate limit: nothing more until the period ends."""
    ends = budget.ends if now < budget.ends else now + PERIOD
    used = max(budget.used, budget.cap or 0)
    return dataclasses.replace(budget, used=used, ends=ends, next_turn=ends, announced=True)


class SharedStore(Protocol):
    """What a `pokitdok_ext.RedisStore` has and this needs: the Redis client and what names begin with."""

    @property
    def client(self) -> Any: ...
    @property
    def prefix(self) -> str: ...


class Pacer:
    """Gives requests their turn. They go at once until answers show the budget to be nearly spent.

    The budget is what each answer says in its `meta`: `rate_limit_cap`, `rate_limit_amount` and `rate_limit_reset`.

    With a store the budget is kept in Redis under `<prefix>:pace:<name>`, by the clock of Redis, so that all threads,
    tasks, processes and hosts share it. While Redis does not answer, each keeps to what it knows itself.

    Args:
        cap: Requests a minute until an answer announces another cap; None for no limit until then.
        store: A `RedisStore` to share the budget through.
        name: Of the budget; applications with budgets of their own take names of their own.
        clock: For a budget in memory, and to read announced times where an answer has no date; that of the client.

    Raises:
        ValueError: *cap* is less than 1.
    """

    def __init__(
        self,
        cap: int | None = None,
        *,
        store: SharedStore | None = None,
        name: str = "default",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if cap is not None and cap < 1:
            raise ValueError("cap is the number of requests a minute, at least 1")
        self._clock = clock
        self._lock = threading.Lock()
        self._budget = Budget(cap)
        self._shared = None if store is None else _Shared(store, name, cap)
        self._news: list[Callable[[Budget, float], Budget]] = []

    @property
    def blocking(self) -> bool:
        """Whether `take` talks to Redis."""
        return self._shared is not None

    @property
    def budget(self) -> Budget:
        """What is known of the running period, in memory."""
        return self._budget

    def take(self) -> float:
        """0 if a request may go now, which is counted; else seconds after which to ask again."""
        with self._lock:
            news, self._news = self._news, []
            self._budget, wait = take(self._budget, self._clock.monotonic())
        if self._shared is not None:
            shared = self._shared.take(news)
            return wait if shared is None else shared
        return wait

    def learn(self, response: httpx.Response, *, refused: bool) -> None:
        """Take in what an answer announces; *refused*: the rate limit turned the request away."""
        content = response.content  # searched as bytes, since to decode a large answer twice would be dear
        at = content.find(b'"rate_limit_')
        found = {name: int(number) for name, number in _ANNOUNCED.findall(content[at : at + _META])} if at >= 0 else {}
        if not found and not refused:
            return
        cap, amount, reset = found.get(b"cap"), found.get(b"amount"), found.get(b"reset")
        left = None if reset is None else reset - (http_date(response.headers.get("Date")) or self._clock.wall())
        if refused and left is None:
            left = retry_after(response.headers, self._clock.wall())

        def news(budget: Budget, now: float) -> Budget:
            budget = learn(budget, now, cap=cap, amount=amount, left=left)
            return spent(budget, now) if refused else budget

        with self._lock:
            self._budget = news(self._budget, self._clock.monotonic())
            if self._shared is not None:
                self._news.append(news)


class _Shared:
    """A budget in Redis. Each change is made to what is there, and again if another host was quicker."""

    def __init__(self, store: SharedStore, name: str, cap: int | None) -> None:
        self._client = store.client
        self._key = f"{store.prefix}:pace:{name}"
        self._cap = cap

    def take(self, news: list[Callable[[Budget, float], Budget]]) -> float | None:
        """Ask for a turn after taking in *news*; None if Redis does not answer."""
        import redis  # noqa: PLC0415 - only who shares a budget needs it

        def change(pipe: Any) -> float:
            seconds, micros = pipe.time()
            now = seconds + micros / 1e6
            budget = self._read(pipe.get(self._key))
            for each in news:
                budget = each(budget, now)
            budget, wait = take(budget, now)
            pipe.multi()
            pipe.set(self._key, json.dumps(dataclasses.astuple(budget)), ex=int(LONGEST_PERIOD) + 60)
            return wait

        try:
            wait: float = self._client.transaction(change, self._key, value_from_callable=True)
        except redis.RedisError:
            return None
        return wait

    def _read(self, text: str | bytes | None) -> Budget:
        try:
            cap, used, ends, next_turn, announced = json.loads(text or "[]")
            return Budget(None if cap is None else int(cap), int(used), float(ends), float(next_turn), bool(announced))
        except (ValueError, TypeError):
            return Budget(self._cap)
