"""The one logger, `pokitdok`: requests are off until it is given a level, and show only fields from a fixed list.

    logging.getLogger("pokitdok").setLevel(logging.INFO)

shows a line for each request. The same fields are on the record, as `record.pokitdok`, for handlers that write JSON.
Trouble with tokens is told under `pokitdok.tokens` at level WARNING, and so without asking. httpx's own log is kept
free of addresses by the generated client.
"""

import hashlib
import logging
import re

import httpx

from pokitdok_api._operations import Operation

logger = logging.getLogger("pokitdok")
if logger.level == logging.NOTSET:
    logger.setLevel(logging.WARNING)  # else a program that shows INFO of everything would show our requests unasked

_ACTIVITY = re.compile(rb'"activity_id"\s*:\s*"([0-9a-f]{24})"')


def log_attempt(
    operation: Operation,
    request: httpx.Request,
    outcome: httpx.Response | httpx.TransportError,
    *,
    attempt: int,
    seconds: float,
    wait: float | None,
) -> None:
    """Write one line for one attempt; *wait* is the pause before the next, None if there is none."""
    status, error, activity = None, None, None
    if isinstance(outcome, httpx.Response):
        status = outcome.status_code
        found = _ACTIVITY.search(outcome.content)
        activity = found[1].decode() if found else None
    else:
        error = type(outcome).__name__
    facts = {
        "operation": operation.id,
        "form": operation.form,
        "method": operation.method,
        "path": operation.path,  # the template: the path itself can hold patient data
        "status": status,
        "error": error,
        "milliseconds": round(seconds * 1000),
        "attempt": attempt,
        "activity": activity,
        "token": fingerprint(request.headers.get("Authorization", "")),
        "wait": None if wait is None else round(wait, 3),
    }
    known = {name: fact for name, fact in facts.items() if fact is not None}
    text = " ".join(f"{name}={value}" for name, value in known.items())
    logger.info("%s", text, extra={"pokitdok": known})


def fingerprint(authorization: str) -> str | None:
    """First 8 hex digits of the SHA-256 of a bearer token, as `client.tokens.state()` shows them."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    return hashlib.sha256(token.encode()).hexdigest()[:8]
