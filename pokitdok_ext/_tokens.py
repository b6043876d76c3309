"""What a token is, when it becomes stale, and how many callers share one fetch.

Where tokens come from is `_sources.py`; how they get on a request is `_auth.py`. No HTTP here, and nothing bound to an
event loop: a flight is a thread-safe future, so threads and any number of loops share it.
"""

import copy
import hashlib
import logging
import math
import random
import threading
import time
from collections import Counter
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn
from weakref import WeakValueDictionary

from ._errors import (
    ClientClosedError,
    InvalidClientError,
    PermanentTokenError,
    TokenEndpointMovedError,
    TokenError,
    TokenForbiddenError,
    TokenThrottledError,
    TokenUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ._sources import TokenSource

FETCH_DEADLINE = 15.0
"""Seconds a fetch may take, all its tries together."""

WAIT_LIMIT = FETCH_DEADLINE + 1.0
"""Seconds a caller waits for a fetch led by another."""

BRAKE = 60.0
"""Seconds after a renewal forced by a 401 in which another 401 forces none."""

ROUNDS = 3
"""How often a caller looks for a new leader after the old one was interrupted."""

Phase = Literal["empty", "fresh", "stale", "expired", "blocked"]
"""What a request finds; `TokenManager` says what it then does."""

Verdict = Literal["renew", "brake", "fixed"]
"""What comes of a refused token; see `TokenManager.reject`."""

_logger = logging.getLogger(__name__)
_fetching: ContextVar[frozenset[int]] = ContextVar("pokitdok_fetching", default=frozenset())


class Secret:
    """A text that shows itself to `reveal()` only: never in repr, str, format, vars or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; for the frame that puts it on the wire."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; pass the credentials to the other process and connect() there")


@dataclass(frozen=True)
class Clock:
    """Time, waiting and chance, so that tests can hold them still. Seconds throughout."""

    wall: "Callable[[], float]" = time.time
    monotonic: "Callable[[], float]" = time.monotonic
    sleep: "Callable[[float], None]" = time.sleep
    chance: "Callable[[], float]" = random.random


SYSTEM_CLOCK = Clock()


@dataclass(frozen=True)
class TokenGrant:
    """What a source hands over.

    Attributes:
        life: Seconds from the request on; `math.inf` if it is used until refused.
        stated: Whether the answer said how long, rather than us.
    """

    value: Secret
    life: float
    stated: bool = True


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and its windows.

    Attributes:
        life: Seconds until the API rejects it.
        soft: Age in seconds from which it is renewed in the background.
        hard: Age in seconds from which it no longer starts a request.
        wall: Reading of the wall clock before the request for it was sent.
        monotonic: Reading of the monotonic clock at that moment.
        generation: Counts the tokens of one manager; a 401 names the token it refused by it.
    """

    value: Secret
    life: float
    soft: float
    hard: float
    wall: float
    monotonic: float
    generation: int

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of its SHA-256, to compare and log it by."""
        return hashlib.sha256(self.value.reveal().encode()).hexdigest()[:8]

    def age(self, clock: Clock) -> float:
        """Seconds since it was asked for, by the clock that says more.

        The monotonic clock catches a wall clock set back; the wall clock catches a machine that slept.
        """
        return max(clock.wall() - self.wall, clock.monotonic() - self.monotonic)


def windows(life: float, chance: float) -> tuple[float, float]:
    """The ages (soft, hard) of a token of *life* seconds; *chance* from 0 to 1 is its jitter.

    An hour's token is renewed 5 to 6 minutes before its end and dropped 10 seconds before it. Both leads shrink with
    the life, so that a token of a minute is still reused. One without any life (0 or less) is used for one second.
    """
    if life <= 0:
        return 1.0, 1.0
    if math.isinf(life):
        return life, life
    return life - min(300.0 + 60.0 * chance, life / 2), life - min(10.0, life / 10)


def retry_wait(error: Exception, attempt: int, chance: float) -> float | None:
    """Seconds until the next try within one fetch, or None to give up. *attempt* counts from 0."""
    if not isinstance(error, TokenError) or not error.transient:
        return None
    if isinstance(error, TokenThrottledError):
        return (1.0 if error.retry_after is None else error.retry_after) if attempt == 0 else None
    return 0.5 * 2**attempt * (0.5 + chance / 2) if attempt < 2 else None


def pause_after(error: Exception, failures: int, chance: float, *, serving: bool) -> float:
    """Seconds without a new fetch after *failures* failed ones in a row, the last with *error*.

    *serving*: a token is still good, so that nobody waits for the renewal.
    """
    doubling = 2.0 ** min(failures - 1, 16)
    if isinstance(error, TokenThrottledError) and error.retry_after is not None:
        return error.retry_after
    if isinstance(error, TokenForbiddenError):
        return min(60.0 * doubling, 600.0) if serving else 60.0
    if isinstance(error, InvalidClientError | TokenEndpointMovedError | PermanentTokenError):
        return min(60.0 * doubling, 600.0) if serving else min(30.0 * doubling, 300.0)
    return min(doubling, 60.0) * (0.5 + chance / 2) if serving else min(doubling, 30.0)


@dataclass(frozen=True)
class _Failure:
    """The last fetch of an outage."""

    error: Exception
    at: float
    failures: int
    chance: float

    def over_at(self, *, serving: bool) -> float:
        return self.at + pause_after(self.error, self.failures, self.chance, serving=serving)


@dataclass(frozen=True)
class TokenState:
    """What `client.tokens.state()` shows.

    Attributes:
        seconds_left: Until the token no longer starts a request; `math.inf` if it has no end, None without a token.
        fingerprint: First 8 hex digits of the token's SHA-256.
        last_error: The text of the last failed fetch, until one succeeds.
        fetches: Fetches begun.
        failures: Fetches failed.
        waits: Callers that waited for a fetch led by another.
        served_stale: Requests that went out with a stale token instead of waiting.
        replays: Requests sent again with a new token after a 401.
        brakes: 401s that forced no renewal because one had been forced just before.
    """

    phase: Phase
    seconds_left: float | None
    fingerprint: str | None
    last_error: str | None
    fetches: int
    failures: int
    waits: int
    served_stale: int
    replays: int
    brakes: int


Flight = Future[AccessToken | Exception | None]
_COUNTS = ("fetches", "failures", "waits", "served_stale", "replays", "brakes")
_NOT_IN_TIME = f"no token within {WAIT_LIMIT:.0f} s: the fetch led by another caller did not end; try again"


class TokenManager:
    """One token, its renewal and its failures, shared by every thread and event loop that uses it.

    empty     the caller waits for the fetch, and leads it if nobody does
    fresh     the token is used; no lock is taken
    stale     the token is used at once, and one renewal starts in the background
    expired   as empty
    blocked   the last fetch failed a moment ago: its error is raised again, nothing is sent

    The lock guards decisions, never I/O. A flight is marked running before anyone sees it, so no waiter can cancel it.
    It runs on the thread of the caller that leads it or, for a task and for a renewal, on a short-lived thread: a
    cancelled task or a closed loop cannot stop it. It ends with a token, an error, or None (interrupted).
    """

    def __init__(self, source: "TokenSource", *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._token: AccessToken | None = None
        self._flight: Flight | None = None
        self._failure: _Failure | None = None
        self._quiet_until = -math.inf
        self._forced_at = -math.inf
        self._generation = 0
        self._counts: Counter[str] = Counter()

    def current(self) -> AccessToken | None:
        """The token if one can be used, without waiting. A stale one starts its own renewal."""
        token = self._token
        if token is None:
            return None
        age = token.age(self._clock)
        if age < token.soft:
            return token
        if age >= token.hard:
            return None
        self._renew_in_background()
        return token

    def get(self) -> AccessToken:
        """A usable token; waits for it if there is none.

        Raises:
            TokenError: No token can be had now; the same error for every caller that waited.
        """
        try:
            for _ in range(ROUNDS):
                token = self.current() or self._settle(self._board(self._fly).result(WAIT_LIMIT))
                if token is not None:
                    return token
        except TimeoutError:
            pass
        raise TokenUnavailableError(_NOT_IN_TIME)

    async def aget(self) -> AccessToken:
        """`get()` for a task of an asyncio loop. Cancelling the task leaves the fetch to the others."""
        try:
            for _ in range(ROUNDS):
                token = self.current() or self._settle(await _landing(self._board(self._fly_apart)))
                if token is not None:
                    return token
        except TimeoutError:
            pass
        raise TokenUnavailableError(_NOT_IN_TIME)

    def reject(self, token: AccessToken) -> Verdict:
        """The API refused *token*: forget it, unless it has been replaced already.

        Returns:
            "renew" if `get()` will give another one; "brake" if a renewal was forced less than a minute ago, so that
            this refusal forces none; "fixed" if the source knows no other token.
        """
        with self._lock:
            current = self._token
            if current is None or current.generation != token.generation:
                return "renew"
            if not self._source.renewable:
                return "fixed"
            if self._flight is None:
                now = self._clock.monotonic()
                if now - self._forced_at < BRAKE:
                    self._counts["brakes"] += 1
                    return "brake"
                self._forced_at = now
            self._token = None
            return "renew"

    def invalidate(self) -> None:
        """Forget the token and the last error; the next request fetches."""
        with self._lock:
            self._token = None
            self._failure = None

    def count_replay(self) -> None:
        """One more request was sent again after a 401."""
        with self._lock:
            self._counts["replays"] += 1

    def state(self) -> TokenState:
        """Where things stand; for people and monitoring."""
        with self._lock:
            token, failure = self._token, self._failure
            counts = self._counts.copy()
        age = 0.0 if token is None else token.age(self._clock)
        usable = token is not None and age < token.hard
        if token is not None and usable:
            phase: Phase = "fresh" if age < token.soft else "stale"
        elif failure is not None and self._clock.monotonic() < failure.over_at(serving=False):
            phase = "blocked"
        else:
            phase = "empty" if token is None else "expired"
        return TokenState(
            phase,
            None if token is None else max(0.0, token.hard - age),
            None if token is None else token.fingerprint,
            None if failure is None else _in_words(failure.error),
            *(counts[name] for name in _COUNTS),
        )

    def _board(self, fly: "Callable[[Flight], None]") -> Flight:
        """The flight to wait for. If there is none, a new one, led by the caller through *fly*."""
        with self._lock:
            if id(self) in _fetching.get():
                raise PermanentTokenError(
                    "the token provider used the client it provides for; let it use one of its own"
                )
            if self._flight is not None:
                self._counts["waits"] += 1
                return self._flight
            token, failure = self._token, self._failure
            if token is not None and token.age(self._clock) < token.hard:  # it came while we waited for the lock
                landed = Flight()
                landed.set_result(token)
                return landed
            if failure is not None and self._clock.monotonic() < failure.over_at(serving=False):
                raise _again(failure.error)
            flight = self._take_off()
        fly(flight)
        return flight

    def _renew_in_background(self) -> None:
        with self._lock:
            self._counts["served_stale"] += 1
            now, failure = self._clock.monotonic(), self._failure
            resting = now < self._quiet_until if failure is None else now < failure.over_at(serving=True)
            if resting or self._flight is not None:
                return
            flight = self._take_off()
        self._fly_apart(flight)

    def _take_off(self) -> Flight:
        """Publish a new flight; the lock is held."""
        flight = Flight()
        flight.set_running_or_notify_cancel()
        self._flight = flight
        self._counts["fetches"] += 1
        return flight

    def _fly_apart(self, flight: Flight) -> None:
        thread = threading.Thread(target=self._fly, args=(flight,), name="pokitdok-token", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the host has no threads
            self._fly(flight)

    def _fly(self, flight: Flight) -> None:
        outcome: AccessToken | Exception | None = None
        inside = _fetching.set(_fetching.get() | {id(self)})
        try:
            outcome = self._fetch()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the waiters must hear of it
            outcome = _again(error)
        finally:
            _fetching.reset(inside)
            self._land(flight, outcome)

    def _fetch(self) -> AccessToken:
        """Ask the source; again within the deadline if no token is there to go on with."""
        clock = self._clock
        old = self._token
        serving = old is not None and old.age(clock) < old.hard
        deadline = clock.monotonic() + FETCH_DEADLINE
        attempt = 0
        while True:
            wall, monotonic = clock.wall(), clock.monotonic()
            try:
                grant = self._source.fetch(deadline - monotonic)
            except TokenError as error:
                wait = None if serving else retry_wait(error, attempt, clock.chance())
                if wait is None or clock.monotonic() + wait >= deadline:
                    raise
            else:
                self._generation += 1  # one flight at a time: nobody else counts
                soft, hard = windows(grant.life, clock.chance())
                return AccessToken(grant.value, grant.life, soft, hard, wall, monotonic, self._generation)
            clock.sleep(wait)
            attempt += 1

    def _land(self, flight: Flight, outcome: AccessToken | Exception | None) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if isinstance(outcome, AccessToken):
                self._keep(outcome, now)
            elif outcome is not None:
                self._note_failure(outcome, now)
            self._flight = None
        flight.set_result(outcome)

    def _keep(self, new: AccessToken, now: float) -> None:
        if self._failure is not None:
            _logger.info("token fetched again after %d failed tries", self._failure.failures)
            self._failure = None
        old = self._token
        usable = old is not None and old.age(self._clock) < old.hard
        if old is not None and usable and new.monotonic + new.life <= old.monotonic + old.life:
            # The renewal brought nothing: keep the token that ends later, and do not ask at every request.
            self._quiet_until = now + max(5.0, (old.monotonic + old.life - now) / 2)
            return
        self._token = new

    def _note_failure(self, error: Exception, now: float) -> None:
        failures = 1 if self._failure is None else self._failure.failures + 1
        self._failure = _Failure(error, now, failures, self._clock.chance())
        self._counts["failures"] += 1
        token = self._token
        left = 0.0 if token is None else token.hard - token.age(self._clock)
        if left > 0 and failures == 1:
            _logger.warning("renewing the token failed, the old one serves for %.0f s more: %s", left, _in_words(error))

    def _settle(self, outcome: AccessToken | Exception | None) -> AccessToken | None:
        if isinstance(outcome, Exception):
            raise _again(outcome)
        return outcome if outcome is None else self._token or outcome


class ClientTokens:
    """One client's hold on its tokens (`client.tokens`).

    A manager may serve several clients with the same credentials; closing one client leaves it to the others.
    """

    def __init__(self, manager: TokenManager) -> None:
        self._manager: TokenManager | None = manager
        self._last_state = manager.state()

    @property
    def manager(self) -> TokenManager:
        """What the requests of this client get their tokens from.

        Raises:
            ClientClosedError: The client was closed.
        """
        manager = self._manager
        if manager is None:
            raise ClientClosedError("this client was closed; make a new one with connect()")
        return manager

    def warm(self) -> None:
        """Fetch a token now, so that wrong credentials show at start-up.

        Raises:
            TokenError: No token can be had.
        """
        self.manager.get()

    async def awarm(self) -> None:
        """`warm()` for asyncio."""
        await self.manager.aget()

    def invalidate(self) -> None:
        """Forget the token and the last error; the next request fetches."""
        self.manager.invalidate()

    def state(self) -> TokenState:
        """Phase, seconds left, fingerprint, last error and counters; after closing, as they were then."""
        manager = self._manager
        if manager is not None:
            self._last_state = manager.state()
        return self._last_state

    def close(self) -> None:
        """Let go of the token. A fetch under way ends by itself; later requests raise `ClientClosedError`."""
        self.state()
        self._manager = None


_shared: "WeakValueDictionary[Hashable, TokenManager]" = WeakValueDictionary()
_shared_lock = threading.Lock()


def manager_for(source: "TokenSource") -> TokenManager:
    """The manager of *source*; the one that exists if a living client has the same credentials and the same way out."""
    if source.share_key is None:
        return TokenManager(source)
    with _shared_lock:
        manager = _shared.get(source.share_key)
        if manager is None:
            manager = _shared[source.share_key] = TokenManager(source)
        return manager


async def _landing(flight: Flight) -> AccessToken | Exception | None:
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    return await asyncio.wait_for(asyncio.wrap_future(flight), WAIT_LIMIT)


def _again(error: Exception) -> Exception:
    """A copy of ours to raise, since one exception raised in many threads collects all their tracebacks."""
    if not isinstance(error, TokenError):
        return error
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__
    return fresh


def _in_words(error: Exception) -> str:
    """Ours may be quoted; the text of a foreign exception may hold anything."""
    return str(error) if isinstance(error, TokenError) else type(error).__name__
