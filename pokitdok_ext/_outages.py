"""How long a token source that failed is left alone. Pure decisions: an error, a count, a chance; no clock here."""

import copy
from dataclasses import dataclass, replace

from ._errors import (
    AuthorizationRequiredError,
    InvalidClientError,
    PermanentTokenError,
    TokenEndpointMovedError,
    TokenError,
    TokenForbiddenError,
    TokenThrottledError,
)


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
    if isinstance(
        error, InvalidClientError | TokenEndpointMovedError | PermanentTokenError | AuthorizationRequiredError
    ):
        return min(60.0 * doubling, 600.0) if serving else min(30.0 * doubling, 300.0)
    return min(doubling, 60.0) * (0.5 + chance / 2) if serving else min(doubling, 30.0)


@dataclass(frozen=True)
class Failure:
    """The last fetch of an outage.

    Attributes:
        at: Reading of the monotonic clock.
        failures: How many there were in a row.
        told: Whether it was told that an old token serves meanwhile.
    """

    error: Exception
    at: float
    failures: int
    chance: float
    told: bool = False

    def as_told(self) -> "Failure":
        """The same, told."""
        return self if self.told else replace(self, told=True)

    def over_at(self, *, serving: bool) -> float:
        """The monotonic reading from which another fetch may begin."""
        return self.at + pause_after(self.error, self.failures, self.chance, serving=serving)


def again(error: Exception) -> Exception:
    """A copy of ours to raise, since one exception raised in many threads collects all their tracebacks."""
    if not isinstance(error, TokenError):
        return error
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__
    return fresh


def in_words(error: Exception) -> str:
    """Ours may be quoted; the text of a foreign exception may hold anything."""
    return str(error) if isinstance(error, TokenError) else type(error).__name__
