"""What a token is and when it becomes stale. No network, no lock, no shared state.

Who fetches and who waits is `_manager.py`; where tokens come from is `_sources.py`.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ._clock import Clock

_SENDABLE = re.compile(r"[\x21-\x7e]+")


def sendable(token: str) -> bool:
    """Whether *token* can stand in a header: printable ASCII without spaces, not empty."""
    return _SENDABLE.fullmatch(token) is not None


class Secret:
    """A text that shows itself to `reveal()` only: never in repr, str, format, vars or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; for the frame that puts it on the wire."""
        return self._text

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of its SHA-256, to compare and log it by."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:8]

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; pass the credentials to the other process and connect() there")


@dataclass(frozen=True)
class TokenPolicy:
    """When a token is renewed, where it may go, and what counts as its refusal. The defaults suit the platform.

    Attributes:
        renew_ahead: Seconds before its end from which a token is renewed in the background; at most half its life.
        jitter: Up to so many seconds more, drawn for each token, so that hosts do not renew in step.
        drop_ahead: Seconds before its end from which a token starts no request; at most a tenth of its life. Raise it
            for an API that refuses tokens with little life left.
        replay_unsafe: Whether a request that changes something is sent again after a 401. A 401 comes before the
            request is acted on; turn it off for a server that does not keep to that.
        is_refused: Whether an answer refuses the token, in place of the rule: 401, unless `WWW-Authenticate` says
            `insufficient_scope` or `invalid_request`. It sees every answer of status 400 to 499, its body read.
        origins: More origins (scheme, host, port) that may see the token, beside that of `base_url`.
        unverified_token_endpoint: Lets `verify=False` hold for the token endpoint too, where whoever is in between
            then gets id and secret.
    """

    renew_ahead: float = 300.0
    jitter: float = 60.0
    drop_ahead: float = 10.0
    replay_unsafe: bool = True
    is_refused: "Callable[[httpx.Response], bool] | None" = None
    origins: tuple[str, ...] = ()
    unverified_token_endpoint: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.drop_ahead < self.renew_ahead < math.inf and 0 <= self.jitter < math.inf):
            raise ConfigurationError("TokenPolicy needs 0 <= drop_ahead < renew_ahead and jitter >= 0, in seconds")


DEFAULT_POLICY = TokenPolicy()


@dataclass(frozen=True)
class TokenGrant:
    """What a source hands over.

    Attributes:
        life: Seconds from the request on; `math.inf` if it is used until refused.
        stated: Whether the answer said how long, rather than us.
        refresh: The refresh token that came with it (RFC 6749, 6).
        skew: Seconds by which the server's clock is ahead of ours; None if it did not show it.
        age: Seconds of its life that were over when it was handed over.
        shared: Whether another process fetched it.
    """

    value: Secret
    life: float
    stated: bool = True
    refresh: Secret | None = None
    skew: float | None = None
    age: float = 0.0
    shared: bool = False


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
        shared: Whether another process fetched it.
    """

    value: Secret
    life: float
    soft: float
    hard: float
    wall: float
    monotonic: float
    generation: int
    shared: bool = False

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of its SHA-256, to compare and log it by."""
        return self.value.fingerprint

    def age(self, clock: "Clock") -> float:
        """Seconds since it was asked for, by the clock that says more.

        The monotonic clock catches a wall clock set back; the wall clock catches a machine that slept.
        """
        return max(clock.wall() - self.wall, clock.monotonic() - self.monotonic)


def windows(life: float, chance: float, policy: TokenPolicy = DEFAULT_POLICY) -> tuple[float, float]:
    """The ages (soft, hard) of a token of *life* seconds; *chance* from 0 to 1 is its jitter.

    An hour's token is renewed 5 to 6 minutes before its end and dropped 10 seconds before it. Both leads shrink with
    the life, so that a token of a minute is still reused. One without any life (0 or less) is used for one second.
    """
    if life <= 0:
        return 1.0, 1.0
    if math.isinf(life):
        return life, life
    return life - min(policy.renew_ahead + policy.jitter * chance, life / 2), life - min(policy.drop_ahead, life / 10)
