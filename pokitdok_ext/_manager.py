"""How many callers share one fetch of a token: the lock, the flights, the threads.

What is decided, and from what, is `_token_record.py`; where tokens come from is `_sources.py`. No HTTP here, and
nothing bound to an event loop.
"""

import threading
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from ._clock import SYSTEM_CLOCK, Clock
from ._errors import ConfigurationError, InvalidClientError, PermanentTokenError, TokenError, TokenUnavailableError
from ._flights import AbandonedError, Flight, run_apart, running_loop
from ._outages import Failure, again, retry_wait
from ._sources import FETCH_LIMIT, TokenRequest
from ._token_record import TokenRecord, Verdict
from ._token_reports import TokenEvent, TokenListener, TokenState, tell
from ._tokens import DEFAULT_POLICY, AccessToken, TokenPolicy

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ._sources import TokenSource

ROUNDS = 3
"""How often a caller looks for a new leader after the old one was interrupted."""

Outcome = AccessToken | Exception | None
"""How a flight ends: with a token, an error, or None where whoever led it was interrupted."""

living: "WeakSet[TokenManager]" = WeakSet()
"""Every manager of this process, for `_shared_managers.py` to mend after a fork."""

_fetching: ContextVar[frozenset[int]] = ContextVar("pokitdok_fetching", default=frozenset())


class TokenManager:
    """One token for every thread and event loop.

    empty     the caller waits for the fetch, and leads it if nobody does
    fresh     the token is used; no lock is taken
    stale     the token is used at once, and one renewal starts in the background
    expired   as empty
    blocked   the last fetch failed a moment ago: its error is raised again, nothing is sent

    The lock guards decisions, never I/O. A flight runs on the thread of the caller that leads it or, for a task and for
    a renewal, on a short-lived thread: a cancelled task or a closed loop cannot stop it.
    """

    def __init__(
        self, source: "TokenSource", *, policy: TokenPolicy = DEFAULT_POLICY, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.policy = policy
        self._source = source
        self.clock = clock
        self._wait_limit = source.patience + 1.0
        self._lock = threading.Lock()
        self._record = TokenRecord(clock, policy)
        self._flight: Flight[Outcome] | None = None
        self._listeners: WeakKeyDictionary[object, TokenListener] = WeakKeyDictionary()
        living.add(self)

    # ------------------------------------------------------------ a token for a request

    def fresh(self) -> AccessToken | None:
        """The token if nothing has to be done about it: the way of nearly all requests, without lock or coroutine."""
        token = self._record.token
        return token if token is not None and token.age(self.clock) < token.soft else None

    def current(self, loop: "asyncio.AbstractEventLoop | None" = None) -> AccessToken | None:
        """The token if one can be used, without waiting. A stale one starts its own renewal.

        Args:
            loop: Of the caller, where the source needs one.
        """
        token = self._record.token
        if token is None:
            return None
        age = token.age(self.clock)
        if age < token.soft:
            return token
        if age >= token.hard:
            return None
        self._renew_in_background(token, loop)
        return token

    def get(self) -> AccessToken:
        """A usable token; waits for it if there is none.

        Raises:
            TokenError: No token can be had now; the same error for every caller that waited.
            ConfigurationError: The token provider is async, and this thread cannot wait for it.
        """
        try:
            for _ in range(ROUNDS):
                token = self.current()
                if token is None:
                    flight = self._board(self._fly, None)
                    if flight.loop is not None and flight.loop is running_loop():
                        raise ConfigurationError(_BLOCKS_ITS_OWN_LOOP)
                    token = self._settle(flight.wait(self._wait_limit))
                if token is not None:
                    return token
        except TimeoutError:
            pass
        raise self._not_in_time()

    async def aget(self) -> AccessToken:
        """`get()` for a task of asyncio or trio. Cancelling the task leaves the fetch to the others."""
        loop = running_loop() if self._source.needs_loop else None
        try:
            for _ in range(ROUNDS):
                token = self.current(loop)
                if token is None:
                    flight = self._board(self._fly_apart, loop)
                    token = self._settle(await flight.wait_async(self._wait_limit))
                if token is not None:
                    return token
        except TimeoutError:
            pass
        raise self._not_in_time()

    def reject(self, token: AccessToken) -> Verdict:
        """The API refused *token*: forget it, unless it has been replaced already.

        Returns:
            "renew" if `get()` will give another one; "brake" if a renewal was forced less than a minute ago, so that
            this refusal forces none; "fixed" if the source knows no other token.
        """
        if not self._source.renewable:
            return "fixed"
        with self._lock:
            verdict, event = self._record.refuse(token, renewing=self._flight is not None)
        if event is not None:
            self._tell(event)
        return verdict

    # ------------------------------------------------------------ for people

    def invalidate(self) -> None:
        """Forget the token and the last error; the next request fetches."""
        with self._lock:
            self._record.forget()

    def revoke(self) -> None:
        """Forget the token, here and in the store, and have the token endpoint end it, where it can.

        Raises:
            TokenError: It is forgotten, but the endpoint could not be told.
        """
        with self._lock:
            token = self._record.forget()
            refresh, self._record.refresh = self._record.refresh, None
        self._tell(TokenEvent("revoked", None if token is None else token.fingerprint))
        try:
            return self._source.revoke(None if token is None else token.value, refresh)
        except TokenError as error:
            failed = again(error)
        # Outside the handler: what was caught there leads to frames that hold the token.
        raise failed

    def count_replay(self) -> None:
        """One more request was sent again after a 401."""
        with self._lock:
            self._record.counts["replays"] += 1

    def listen(self, owner: object, listener: TokenListener | None) -> None:
        """Tell *listener* what happens, for as long as *owner* lives; None to stop."""
        with self._lock:
            if listener is None:
                self._listeners.pop(owner, None)
            else:
                self._listeners[owner] = listener

    def hints(self) -> str:
        """What else may be behind a 401: words to go after an error's."""
        return self._source.hint() + self._record.skew_hint()

    def state(self) -> TokenState:
        """Where things stand; for people and monitoring."""
        with self._lock:
            return self._record.state()

    # ------------------------------------------------------------ one flight

    def _board(
        self, fly: "Callable[[Flight[Outcome], Failure | None], None]", loop: "asyncio.AbstractEventLoop | None"
    ) -> Flight[Outcome]:
        """The flight to wait for. If there is none, a new one, led by the caller through *fly*."""
        with self._lock:
            if id(self) in _fetching.get():
                raise PermanentTokenError(
                    "the token provider used the client it provides for; let it use one of its own"
                )
            if self._flight is not None:
                self._record.counts["waits"] += 1
                return self._flight
            token = self._record.good_token
            if token is not None:  # it came while we waited for the lock
                landed: Flight[Outcome] = Flight()
                landed.land(token)
                return landed
            refused = self._record.blocking
            if refused is not None and not (
                self._source.secret_rotates and isinstance(refused.error, InvalidClientError)
            ):
                raise again(refused.error)
            if self._source.needs_loop and loop is None:
                raise ConfigurationError(_NEEDS_A_LOOP)
            flight = self._take_off(loop)
        fly(flight, refused)
        return flight

    def _renew_in_background(self, token: AccessToken, loop: "asyncio.AbstractEventLoop | None") -> None:
        flight = None
        with self._lock:
            due, first = self._record.serve_stale()
            if due and self._flight is None and (loop is not None or not self._source.needs_loop):
                flight = self._take_off(loop)
        if first:
            self._tell(TokenEvent("served_stale", token.fingerprint))
        if flight is not None:
            self._fly_apart(flight)

    def _take_off(self, loop: "asyncio.AbstractEventLoop | None") -> Flight[Outcome]:
        """Publish a new flight; the lock is held."""
        self._flight = Flight(loop)
        return self._flight

    def _fly_apart(self, flight: Flight[Outcome], refused: Failure | None = None) -> None:
        run_apart(partial(self._fly, flight, refused))

    def _fly(self, flight: Flight[Outcome], refused: Failure | None = None) -> None:
        """Carry out *flight*. If the secret was *refused* a moment ago, only with another one."""
        outcome: Outcome = None
        ask = True
        inside = _fetching.set(_fetching.get() | {id(self)})
        try:
            ask = refused is None or self._source.secret_changed()
            outcome = self._fetch(flight.loop) if ask or refused is None else again(refused.error)
        except AbandonedError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the waiters must hear of it
            outcome = again(error)
        finally:
            _fetching.reset(inside)
            self._land(flight, outcome, asked=ask)

    def _fetch(self, loop: "asyncio.AbstractEventLoop | None") -> AccessToken:
        """Ask the source; again within the deadline if no token is there to go on with."""
        clock, record = self.clock, self._record
        serving = record.good_token
        began, machine_began = clock.monotonic(), SYSTEM_CLOCK.monotonic()

        def left() -> float:  # by the clock that says less: pauses may be those of a held clock, sending never is
            return FETCH_LIMIT - max(clock.monotonic() - began, SYSTEM_CLOCK.monotonic() - machine_began)

        attempt = 0
        while True:
            wall, monotonic = clock.wall(), clock.monotonic()
            request = TokenRequest(left(), record.rejected, record.refresh, serving, loop, self._tell_of_store)
            try:
                grant = self._source.fetch(request)
            except TokenError as error:
                with self._lock:
                    record.counts["fetches"] += 1
                wait = None if serving is not None else retry_wait(error, attempt, clock.chance())
                if wait is None or wait >= left():
                    raise
            else:
                with self._lock:
                    return record.take(grant, wall=wall, monotonic=monotonic)
            clock.sleep(wait)
            attempt += 1

    def _land(self, flight: Flight[Outcome], outcome: Outcome, *, asked: bool) -> None:
        event = None
        with self._lock:
            if isinstance(outcome, AccessToken):
                event = self._record.keep(outcome)
            elif outcome is not None and asked:
                event = self._record.fail(outcome)
            if self._flight is flight:
                self._flight = None
        flight.land(outcome)
        if event is not None:
            self._tell(event)

    def _settle(self, outcome: Outcome) -> AccessToken | None:
        if isinstance(outcome, Exception):
            raise again(outcome)
        return outcome if outcome is None else self._record.token or outcome

    def _not_in_time(self) -> TokenUnavailableError:
        return TokenUnavailableError(
            f"no token within {self._wait_limit:.0f} s: the fetch led by another caller did not end; try again"
        )

    def _tell(self, event: TokenEvent) -> None:
        with self._lock:
            listeners = list(self._listeners.values())
        tell(listeners, event)

    def _tell_of_store(self, error: str) -> None:
        self._tell(TokenEvent("store_error", error=error))

    def reset_after_fork(self) -> None:
        """In the child of a fork: the token stays; the flight, and whoever held the lock, are in the parent."""
        self._lock = threading.Lock()
        self._flight = None


_NEEDS_A_LOOP = (
    "token_provider is async, and this call is not: call the asyncio functions of this client, or pass a plain function"
)
_BLOCKS_ITS_OWN_LOOP = (
    "a synchronous call on an event loop waits for the async token_provider that runs on this very loop: "
    "call the asyncio functions of this client there"
)
