"""Reads the answers of a token endpoint, tolerantly: a grant or an error of its kind. Never quotes a value."""

import base64
import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, SupportsFloat

from ._errors import (
    InvalidClientError,
    TokenEndpointMovedError,
    TokenForbiddenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)
from ._http_times import http_date, retry_after
from ._tokens import Secret, TokenGrant, sendable

LONGEST_LIFE = 86_400.0
"""Seconds. A server that says more is not believed."""

ASSUMED_LIFE = 300.0
"""Seconds a token is used for if nothing in the answer says how long it lives."""

_LONGEST_RETRY_AFTER = 3600.0
_BEARER = {"bearer", "bearertoken", ""}  # the latter two as other servers write it
_CLIENT_AT_FAULT = {"invalid_client", "unauthorized_client", "invalid_scope", "invalid_grant", "invalid_request"}
_CLIENT_AT_FAULT |= {"unsupported_grant_type", "access_denied"}
_SERVER_AT_FAULT = {"server_error", "temporarily_unavailable", "slow_down"}

_logger = logging.getLogger("pokitdok.tokens")


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, where: str, now: float) -> TokenGrant:
    """The token in an answer of the token endpoint (RFC 6749, 5.1 and 5.2), read tolerantly.

    Args:
        status: HTTP status.
        headers: With keys in any case if the mapping allows it, else in lower case.
        body: As received.
        where: Method and URL, for the error's text.
        now: Wall clock in Unix seconds, to tell how far the server's is off, and for a `Retry-After` date without a
            `Date` beside it.

    Raises:
        TokenError: The kind that tells the caller what to do; its text names fields and codes, never values.
    """
    answer = _json_object(body)
    code = None if answer is None else answer.get("error")
    if code is not None and (not isinstance(code, str) or code not in _CLIENT_AT_FAULT | _SERVER_AT_FAULT):
        code = "an unknown error code"
    seen = f"{where} answered {status}" + (f" {code}" if code else "")
    if 200 <= status < 300:
        if answer is None:
            raise TokenResponseError(f"{seen} with {_content_type(headers)} that is not a JSON object; check base_url")
        if code is not None:
            raise TokenResponseError(f"{seen} instead of a token")
        served_at = http_date(headers.get("date"))
        grant = read_grant(answer, served_at=served_at, where=seen, unstated=ASSUMED_LIFE)
        return grant if served_at is None else replace(grant, skew=served_at - now)
    if 300 <= status < 400:
        raise TokenEndpointMovedError(f"{seen}, a redirect, which is never followed with credentials; check base_url")
    if status in {404, 405, 410}:
        raise TokenEndpointMovedError(f"{seen}: there is no token endpoint; check base_url")
    if status == 401 or (status == 400 and code is not None and code not in _SERVER_AT_FAULT):
        text = f"{seen}: check client_id and client_secret, and that base_url is where they belong"
        raise InvalidClientError(text, code)
    if status == 403:
        raise TokenForbiddenError(f"{seen}: often a firewall; check that this machine's address is allowed")
    if status == 429:
        asked = retry_after(headers, now)
        wait = None if asked is None else min(asked, _LONGEST_RETRY_AFTER)
        raise TokenThrottledError(f"{seen}: too many token requests" + (f"; wait {wait:.0f} s" if wait else ""), wait)
    raise TokenUnavailableError(f"{seen} with {_content_type(headers)}: try again later")


def read_grant(answer: Mapping[str, Any], *, served_at: float | None, where: str, unstated: float) -> TokenGrant:
    """The token in a parsed token answer.

    A `token_type` that is missing, null or empty is taken as bearer, though RFC 6749, 5.1, requires it. The life
    is `expires_in`, a number or a text with one; else `expires` less the server's own *served_at* (both Unix
    seconds), so that a wrong local clock or an old recording does no harm; else that of a JWT; else *unstated*.

    Raises:
        TokenResponseError: Names the field at fault.
    """
    token, kind = answer.get("access_token"), answer.get("token_type")
    refresh = answer.get("refresh_token")
    if not isinstance(token, str) or not sendable(token):
        raise TokenResponseError(f"{where}, but access_token is missing, empty or not a text that a header can carry")
    if kind is not None and (not isinstance(kind, str) or kind.strip().lower() not in _BEARER):
        raise TokenResponseError(f"{where}, but token_type is not bearer")
    life, end = seconds_in(answer.get("expires_in")), seconds_in(answer.get("expires"))
    until = end - served_at if end is not None and served_at is not None and end > served_at else None
    if life is None:
        life = until if until is not None else jwt_life(token)
    elif until is not None and life > 0 and abs(life - until) > 60:
        _logger.debug("%s: expires_in and expires disagree; the earlier one counts", where)
        life = min(life, until)
    stated = life is not None
    return TokenGrant(
        Secret(token),
        unstated if life is None else max(0.0, min(life, LONGEST_LIFE)),
        stated=stated,
        refresh=Secret(refresh) if isinstance(refresh, str) and sendable(refresh) else None,
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # it quotes the body: nothing may be raised from here
        return None
    return answer if isinstance(answer, dict) else None


def seconds_in(value: object) -> float | None:
    """The finite number that *value* is or, as a text, holds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, SupportsFloat | str):
        return None
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def jwt_life(token: str) -> float | None:
    """`exp` less `iat` of a JWT (RFC 7519), read without trusting it; None for anything else."""
    start, end = _jwt_times(token)
    return end - start if start is not None and end is not None and end > start else None


def jwt_end(token: str) -> float | None:
    """`exp` of a JWT in Unix seconds, read without trusting it; None for anything else."""
    return _jwt_times(token)[1]


def _jwt_times(token: str) -> tuple[float | None, float | None]:
    parts = token.split(".")
    if len(parts) != 3:
        return None, None
    try:
        claims = _json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None, None
    return (seconds_in(claims.get("iat")), seconds_in(claims.get("exp"))) if claims else (None, None)


def _content_type(headers: Mapping[str, str]) -> str:
    name = headers.get("content-type", "").partition(";")[0].strip().lower()
    return name if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}", name) else "no content type"
