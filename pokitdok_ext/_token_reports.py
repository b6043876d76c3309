"""What people and monitoring are told of tokens: a state to look at, and events. Never a token, a secret or a body."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["empty", "fresh", "stale", "expired", "blocked"]
"""What a request finds; `TokenManager` says what it then does."""

EventKind = Literal[
    "fetched", "renewed", "shared", "renew_failed", "served_stale", "refused", "brake", "store_error", "revoked"
]
"""What happened; see `TokenEvent`."""

_logger = logging.getLogger("pokitdok.tokens")


@dataclass(frozen=True)
class TokenState:
    """What `client.tokens.state()` shows.

    Attributes:
        seconds_left: Until the token no longer starts a request; `math.inf` if it has no end, None without a token.
        fingerprint: First 8 hex digits of the token's SHA-256.
        last_error: The text of the last failed fetch, until one succeeds.
        clock_skew: Seconds by which the token server's clock is ahead of ours; None if it did not show it.
        fetches: Times the source was asked.
        failures: Fetches failed.
        shared: Tokens taken from the store instead, where another process had put them.
        waits: Callers that waited for a fetch led by another.
        served_stale: Requests that went out with a stale token instead of waiting.
        replays: Requests sent again with a new token after a 401.
        brakes: 401s that forced no renewal because one had been forced just before.
    """

    phase: Phase
    seconds_left: float | None
    fingerprint: str | None
    last_error: str | None
    clock_skew: float | None
    fetches: int
    failures: int
    shared: int
    waits: int
    served_stale: int
    replays: int
    brakes: int


@dataclass(frozen=True)
class TokenEvent:
    """What `on_token_event` is called with.

    Attributes:
        kind: "fetched": the first token, or one after the old had ended. "renewed": one in place of another that was
            still good. "shared": another process had put it into the store. "renew_failed": a fetch failed; without a
            good token the callers got the error. "served_stale": the first request that an old token served during an
            outage. "refused": the API answered 401, a renewal follows. "brake": it did so again within a minute, no
            renewal follows. "store_error": the store failed; tokens are kept in memory only. "revoked": by `revoke()`.
        fingerprint: Of the token it is about; None if there is none.
        error: What went wrong, safe to log.
    """

    kind: EventKind
    fingerprint: str | None = None
    error: str | None = None


TokenListener = Callable[[TokenEvent], object]
"""Called on the thread where it happened, outside all locks. What it raises is logged and dropped."""


def tell(listeners: Iterable[TokenListener], event: TokenEvent) -> None:
    """Call every listener with *event*."""
    for listener in listeners:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - a listener must not break the request it listens to
            _logger.warning("on_token_event raised %s for %r; dropped", type(error).__name__, event.kind)
