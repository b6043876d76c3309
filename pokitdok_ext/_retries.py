"""What is sent again, when, and how often: pure functions. The transport that obeys them is `_sending.py`.

The one replay after a 401 is not a retry; `_auth.py` has it.

    finding        example                                               sent again
    never_left     no connection, no place in the pool                   any operation
    not_executed   403 of the rate limit                                 any operation
    unknown        timeout or reset after sending, answer cut off, 5xx   an operation that only asks (x-retry: safe)
    final          an answer, a refused certificate                      never
"""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import httpx

from pokitdok_api._operations import Operation
from pokitdok_api.errors import APIError, InvalidResponseError, PokitDokError, RateLimitError, ServerError, error_for

from ._http_times import http_date, retry_after

Finding = Literal["never_left", "not_executed", "unknown", "final"]


@dataclass(frozen=True)
class Retry:
    """How long and how often a request is sent again.

    Attributes:
        budget: Seconds from the first attempt within which the last one must begin. The read timeout of the call
            bounds it too, and later attempts get what is left of that timeout.
        attempts: How often a request is sent at most, the first time included.
        first_wait: Seconds before the second attempt; doubled for each further one, and made up to half shorter at
            random so that callers do not return together.
        longest_wait: Seconds between two attempts at most, unless the server asks for more.
    """

    budget: float = 30.0
    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 8.0

    def __post_init__(self) -> None:
        wrong = [name for name in ("budget", "first_wait", "longest_wait") if not getattr(self, name) >= 0]
        if wrong or self.attempts < 1:
            raise ValueError(f"Retry: {', '.join(wrong) or 'attempts'} must not be negative, and attempts at least 1")


DEFAULT_RETRY = Retry()

retry_override: ContextVar[tuple[Retry | None] | None] = ContextVar("pokitdok_retry", default=None)


@contextmanager
def retrying(retry: Retry | None) -> Iterator[None]:
    """Within this context calls use *retry*, None for none; other threads and tasks are not affected."""
    token = retry_override.set((retry,))
    try:
        yield
    finally:
        retry_override.reset(token)


# ---------------------------------------------------------------- the decision

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_LEFT_CAUSES = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "ConnectionTimeoutError"}
)
_UNSURE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


def finding_of_error(error: httpx.TransportError) -> Finding:
    """What an error says about the request."""
    if isinstance(error, _NEVER_LEFT):
        cause = error.__cause__
        if _is_certificate_error(error):
            return "final"
        # Another library under httpx may call a connection lost after sending a ConnectTimeout: its own word counts.
        names = {cls.__name__ for cls in type(cause).__mro__}
        return "never_left" if cause is None or names & _NEVER_LEFT_CAUSES else "unknown"
    if isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError):
        return "unknown"
    return "final"


def finding_of_answer(operation: Operation, response: httpx.Response) -> Finding:
    """What an answer, read whole, says about the request."""
    status = response.status_code
    if status != 403 and status not in _UNSURE_STATUSES:
        return "final"
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        document = None
    error = error_for(operation, status, response.headers, document)
    return "final" if error is None else _finding_of_api_error(error)


def _finding_of_api_error(error: APIError) -> Finding:
    if isinstance(error, RateLimitError):
        return "not_executed"
    return "unknown" if isinstance(error, ServerError) or error.status_code in {408, 429} else "final"


def finding_of_exception(error: Exception) -> Finding:
    """What the exception that a call raised says about its request.

    Every 5xx is unknown, also those that are not sent again; so is a success that cannot be read, and what neither this
    package nor httpx raised. Errors of the configuration and of tokens are final: they come up before a request is
    sent, or after a 401 refused it.
    """
    if isinstance(error, APIError):
        return _finding_of_api_error(error)
    if isinstance(error, httpx.TransportError):
        return finding_of_error(error)
    known = isinstance(error, PokitDokError) and not isinstance(error, InvalidResponseError)
    return "final" if known else "unknown"


def may_have_acted(operation: Operation, finding: Finding) -> bool:
    """Whether the API may have acted on a request of *operation* of which nothing more than *finding* is known."""
    return operation.retry == "unsafe" and finding == "unknown"


def wait_before_next(
    retry: Retry, safe: bool, finding: Finding, attempt: int, *, asked: float | None, left: float, chance: float
) -> float | None:
    """Seconds until the next attempt, or None for none.

    Args:
        retry: The policy.
        safe: Whether the operation only asks.
        finding: Of the last attempt.
        attempt: Its number, from 1.
        asked: Seconds the server asks to wait, if it does. A longer pause than is left is refused, not cut short.
        left: Seconds within which the next attempt must begin.
        chance: From 0 to 1.
    """
    if finding == "final" or (finding == "unknown" and not safe) or attempt >= retry.attempts:
        return None
    wait = min(retry.longest_wait, retry.first_wait * 2.0 ** (attempt - 1)) * (1 - chance / 2)
    if asked is not None:
        wait = max(wait, asked)
    return wait if wait <= left else None


def asked_wait(response: httpx.Response, reset: float | None, now: float) -> float | None:
    """Seconds the answer asks to wait: `Retry-After` in seconds or as a date, else until the rate limit starts over.

    Args:
        response: The answer.
        reset: Unix second at which the rate limit starts over, as last announced.
        now: Unix time here; the server's own `Date` is believed before it.
    """
    if "Retry-After" in response.headers:
        return retry_after(response.headers, now)
    now = http_date(response.headers.get("Date")) or now
    if response.status_code == 403 and reset is not None and reset > now:
        return reset - now
    return None


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
