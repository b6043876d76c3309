"""Where tokens come from: what a source is, and those without a token endpoint: a static token, a callable.

The grants of OAuth are `_grants.py`. When to fetch, how long to pause after a failure and who shares the result is
`_manager.py`.
"""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._clock import SYSTEM_CLOCK, Clock
from ._errors import ConfigurationError, TokenError, TokenResponseError, TokenUnavailableError
from ._flights import AbandonedError
from ._token_answers import jwt_end, jwt_life, read_grant
from ._tokens import AccessToken, Secret, TokenGrant, sendable

if TYPE_CHECKING:
    import asyncio

TokenAnswer = str | Mapping[str, Any]
"""A token, or a token answer as a mapping (`access_token`, `expires_in`)."""

TokenProvider = Callable[..., TokenAnswer | Awaitable[TokenAnswer]]
"""Gives a `TokenAnswer`; plain or async. If it has a parameter `rejected`, it gets the fingerprint of the token that
the API refused (first 8 hex digits of its SHA-256), or None, so that it can skip a cache of its own."""

FETCH_LIMIT = 15.0
"""Seconds a fetch may take, all its tries together."""

_LOOP_CHECK = 0.25
"""Seconds between two looks at whether the loop of an async provider still runs."""


def _ignore(_error: str) -> None:
    pass


@dataclass(frozen=True)
class TokenRequest:
    """What a source is asked for.

    Attributes:
        limit: Seconds it may take.
        rejected: Fingerprint of a token that is not wanted again.
        refresh: The latest refresh token.
        serving: The token that is good meanwhile.
        loop: The event loop of the caller, for a source that needs one.
        on_store_error: To be told, in words, that a store failed.
    """

    limit: float
    rejected: str | None = None
    refresh: Secret | None = None
    serving: AccessToken | None = None
    loop: "asyncio.AbstractEventLoop | None" = None
    on_store_error: Callable[[str], None] = _ignore


class TokenSource(ABC):
    """What a `TokenManager` asks for tokens.

    Attributes:
        renewable: Whether it can give another token when one is refused.
        needs_loop: Whether it gets on only with the event loop of a caller.
        patience: Seconds that one call of `fetch()` may take.
    """

    renewable = True
    needs_loop = False
    patience = FETCH_LIMIT

    @property
    def share_key(self) -> Hashable | None:
        """Equal for sources whose tokens are interchangeable, within this process; None if never."""
        return None

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells its tokens from others in a store, beside an account. No secret."""
        return (type(self).__name__,)

    @property
    def secret_rotates(self) -> bool:
        """Whether a refused secret may be another one at the next try."""
        return False

    @abstractmethod
    def fetch(self, request: TokenRequest) -> TokenGrant:
        """A new token.

        Raises:
            TokenError: None can be had; the kind decides how long the source is left alone.
        """

    def secret_changed(self) -> bool:
        """Whether the secret is another one than at the last fetch."""
        return False

    def secret_check(self, key: str) -> str:  # noqa: ARG002 - no secret here
        """32 bits, in hex, that tell the secret of a stored token from another; "" without a secret."""
        return ""

    def revoke(self, token: Secret | None, refresh: Secret | None) -> None:  # noqa: B027 - most sources cannot
        """End *token*, where the source can."""

    def hint(self) -> str:
        """What the source knows about why its token may be refused: words to go after an error's."""
        return ""


class StaticToken(TokenSource):
    """A token that the caller has. It is used until the API refuses it, and never renewed."""

    renewable = False

    def __init__(self, token: str, clock: Clock = SYSTEM_CLOCK) -> None:
        if not sendable(token):
            raise ConfigurationError("token is empty, or has spaces or other characters that a header cannot carry")
        self._token = Secret(token)
        self._clock = clock

    def fetch(self, request: TokenRequest) -> TokenGrant:  # noqa: ARG002 - there is no other
        """The token itself."""
        return TokenGrant(self._token, math.inf)

    def hint(self) -> str:
        """That it has ended, if it is a JWT that says so."""
        end = jwt_end(self._token.reveal())
        return "" if end is None or end > self._clock.wall() else "; by its own exp it has ended"


class CallableSource(TokenSource):
    """Tokens from a function of the caller's. A plain text is used until refused, unless it is a JWT that ends.

    An async function runs on the loop of the caller that needs the token, so that it may use what belongs to that loop.
    """

    def __init__(self, provider: TokenProvider) -> None:
        asked = (provider, type(provider).__call__)
        self.needs_loop = any(inspect.iscoroutinefunction(each) for each in asked)
        self._provider = provider
        try:
            self._told = "rejected" in inspect.signature(provider).parameters
        except (TypeError, ValueError):  # some builtins have no signature to show
            self._told = False

    def fetch(self, request: TokenRequest) -> TokenGrant:
        """Call the provider."""
        arguments = {"rejected": request.rejected} if self._told else {}
        try:
            answer: object = self._provider(**arguments)
            if self.needs_loop:
                answer = _on_loop(answer, request)
        except (TokenError, AbandonedError):
            raise
        except Exception as exc:
            raise TokenUnavailableError(f"the token provider raised {type(exc).__name__}; see __cause__") from exc
        if inspect.iscoroutine(answer):
            answer.close()
            raise TypeError("token_provider is a plain function that returned a coroutine: declare it async def")
        if isinstance(answer, Mapping):
            return read_grant(answer, served_at=None, where="the token provider's answer", unstated=math.inf)
        if not isinstance(answer, str) or not sendable(answer):
            raise TokenResponseError(
                f"the token provider returned {type(answer).__name__} that is no token; return a non-empty str without "
                "spaces or control characters, or a mapping with access_token and expires_in"
            )
        return TokenGrant(Secret(answer), jwt_life(answer) or math.inf)


def _on_loop(work: Any, request: TokenRequest) -> object:
    """What the coroutine *work* gives on the caller's loop; this thread waits, and notices if the loop ends."""
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    loop = request.loop
    if loop is None or loop.is_closed():
        work.close()
        raise AbandonedError
    future = asyncio.run_coroutine_threadsafe(work, loop)
    deadline = SYSTEM_CLOCK.monotonic() + request.limit
    while True:
        try:
            return future.result(max(0.0, min(_LOOP_CHECK, deadline - SYSTEM_CLOCK.monotonic())))
        except CancelledError:
            raise AbandonedError from None
        except TimeoutError:
            if future.done():  # the provider's own time-out
                raise
            if loop.is_closed():
                raise AbandonedError from None
            if SYSTEM_CLOCK.monotonic() >= deadline:
                future.cancel()
                raise TokenUnavailableError(f"no answer of the token provider within {request.limit:.0f} s") from None
