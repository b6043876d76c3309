"""What one manager knows of its token, and every decision that follows from it. No lock, no thread, no network.

`_manager.py` holds the lock while it calls this.
"""

import logging
import math
from collections import Counter
from typing import Literal

from ._clock import Clock
from ._outages import Failure, in_words
from ._token_reports import Phase, TokenEvent, TokenState
from ._tokens import AccessToken, Secret, TokenGrant, TokenPolicy, windows

BRAKE = 60.0
"""Seconds after a renewal forced by a 401 in which another 401 forces none."""

NOTABLE_SKEW = 300.0
"""Seconds between our clock and the server's from which it is worth a warning."""

Verdict = Literal["renew", "brake", "fixed"]
"""What comes of a refused token: another is to be had; it was replaced less than a minute ago; there is no other."""

_COUNTS = ("fetches", "failures", "shared", "waits", "served_stale", "replays", "brakes")
_logger = logging.getLogger("pokitdok.tokens")


class TokenRecord:
    """The token, the last failure, and what was counted.

    Attributes:
        token: The one in use.
        refresh: The latest refresh token.
        rejected: Fingerprint of a token that is not wanted again.
        failure: The last fetch, if it failed.
        skew: Seconds by which the server's clock is ahead of ours.
        counts: By the names of `TokenState`.
    """

    def __init__(self, clock: Clock, policy: TokenPolicy) -> None:
        self.token: AccessToken | None = None
        self.refresh: Secret | None = None
        self.rejected: str | None = None
        self.failure: Failure | None = None
        self.skew: float | None = None
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._policy = policy
        self._generation = 0
        self._quiet_until = -math.inf
        self._forced_at = -math.inf

    @property
    def good_token(self) -> AccessToken | None:
        """The token, if it may start a request."""
        token = self.token
        return token if token is not None and token.age(self._clock) < token.hard else None

    @property
    def blocking(self) -> Failure | None:
        """The failure that is too recent for another fetch, where no token is good."""
        failure = self.failure
        return failure if failure is not None and self._clock.monotonic() < failure.over_at(serving=False) else None

    def serve_stale(self) -> tuple[bool, bool]:
        """A stale token goes out: whether a renewal may begin, and whether it is the first of an outage."""
        self.counts["served_stale"] += 1
        now, failure = self._clock.monotonic(), self.failure
        if failure is None:
            return now >= self._quiet_until, False
        self.failure = failure.as_told()
        return now >= failure.over_at(serving=True), not failure.told

    def refuse(self, token: AccessToken, *, renewing: bool) -> tuple[Verdict, TokenEvent | None]:
        """The API refused *token*: forget it, unless it has been replaced already. *renewing*: a fetch is under way."""
        if self.token is None or self.token.generation != token.generation:
            return "renew", None
        now = self._clock.monotonic()
        if not renewing and now - self._forced_at < BRAKE:
            self.counts["brakes"] += 1
            return "brake", TokenEvent("brake", token.fingerprint)
        if not renewing:
            self._forced_at = now
        self.token, self.rejected = None, token.fingerprint
        return "renew", TokenEvent("refused", token.fingerprint)

    def forget(self) -> AccessToken | None:
        """Drop the token and the failure; return what was dropped. A store shall not give it back either."""
        token, self.token, self.failure = self.token, None, None
        if token is not None:
            self.rejected = token.fingerprint
        return token

    def take(self, grant: TokenGrant, *, wall: float, monotonic: float) -> AccessToken:
        """The token of *grant*, asked for at these readings of the clocks; `keep()` puts it in use."""
        self.counts["shared" if grant.shared else "fetches"] += 1
        self.refresh = grant.refresh or self.refresh
        self._note_skew(grant.skew)
        self._generation += 1
        soft, hard = windows(grant.life, self._clock.chance(), self._policy)
        started = wall - grant.age, monotonic - grant.age
        return AccessToken(grant.value, grant.life, soft, hard, *started, self._generation, grant.shared)

    def keep(self, new: AccessToken) -> TokenEvent:
        """A fetch brought *new*: put it in use, unless the old one ends later."""
        if self.failure is not None:
            _logger.info("token fetched again after %d failed tries", self.failure.failures)
            self.failure = None
        old, now = self.good_token, self._clock.monotonic()
        if old is not None and new.monotonic + new.life <= old.monotonic + old.life:
            # The renewal brought nothing: do not ask at every request.
            self._quiet_until = now + max(5.0, (old.monotonic + old.life - now) / 2)
        else:
            self.token, self.rejected = new, None
        return TokenEvent("shared" if new.shared else "fetched" if old is None else "renewed", new.fingerprint)

    def fail(self, error: Exception) -> TokenEvent:
        """A fetch failed with *error*."""
        before, token = self.failure, self.good_token
        failures, told = (1, False) if before is None else (before.failures + 1, before.told)
        self.failure = Failure(error, self._clock.monotonic(), failures, self._clock.chance(), told)
        self.counts["failures"] += 1
        if token is not None and failures == 1:
            left = token.hard - token.age(self._clock)
            _logger.warning("renewing the token failed, the old one serves for %.0f s more: %s", left, in_words(error))
        return TokenEvent("renew_failed", None if token is None else token.fingerprint, in_words(error))

    def skew_hint(self) -> str:
        """Words for an error that a wrong clock may be behind."""
        skew = self.skew
        if skew is None or abs(skew) <= NOTABLE_SKEW:
            return ""
        return f"; this machine's clock and the server's are {abs(skew):.0f} s apart"

    def state(self) -> TokenState:
        """Where things stand."""
        token, failure = self.token, self.failure
        age = 0.0 if token is None else token.age(self._clock)
        if token is not None and age < token.hard:
            phase: Phase = "fresh" if age < token.soft else "stale"
        elif self.blocking is not None:
            phase = "blocked"
        else:
            phase = "empty" if token is None else "expired"
        return TokenState(
            phase,
            None if token is None else max(0.0, token.hard - age),
            None if token is None else token.fingerprint,
            None if failure is None else in_words(failure.error),
            self.skew,
            *(self.counts[name] for name in _COUNTS),
        )

    def _note_skew(self, skew: float | None) -> None:
        if skew is None:
            return
        before, self.skew = self.skew, skew
        if abs(skew) > NOTABLE_SKEW and (before is None or abs(before) <= NOTABLE_SKEW):
            _logger.warning(
                "the token server's clock and this machine's are %.0f s apart; tokens are not affected", abs(skew)
            )
