"""Where tokens come from: client credentials, a static token, a callable. One fetch, first time and every time.

When to fetch, how long to pause after a failure and who shares the result is `_tokens.py`.
"""

import base64
import hashlib
import hmac
import inspect
import json
import logging
import math
import os
import re
import ssl
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol
from urllib.parse import quote_plus, urlencode

import httpx

from ._errors import (
    ConfigurationError,
    InvalidClientError,
    TokenEndpointMovedError,
    TokenError,
    TokenForbiddenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)
from ._tokens import Secret, TokenGrant

TokenProvider = Callable[[], str | Mapping[str, Any]]
"""Gives a token, or a token answer as a mapping (`access_token`, `expires_in`)."""

LONGEST_LIFE = 86_400.0
"""Seconds. A server that says more is not believed."""

ASSUMED_LIFE = 300.0
"""Seconds a token is used for if nothing in the answer says how long it lives."""

LARGEST_ANSWER = 65_536
"""Bytes of a token answer that are read; a longer one is no token answer."""

_CONNECT_LIMIT, _READ_LIMIT = 5.0, 10.0
_LONGEST_RETRY_AFTER = 3600.0
_DIGEST_KEY = os.urandom(32)
_SENDABLE = re.compile(r"[\x21-\x7e]+")
_CLIENT_AT_FAULT = {"invalid_client", "unauthorized_client", "invalid_scope", "invalid_grant", "invalid_request"}
_CLIENT_AT_FAULT |= {"unsupported_grant_type", "access_denied"}
_SERVER_AT_FAULT = {"server_error", "temporarily_unavailable", "slow_down"}

_logger = logging.getLogger(__name__)


class TokenSource(Protocol):
    """What a `TokenManager` asks for tokens.

    Attributes:
        renewable: Whether it can give another token when one is refused.
        share_key: Equal for sources whose tokens are interchangeable, within this process; None if never.
    """

    @property
    def renewable(self) -> bool: ...
    @property
    def share_key(self) -> Hashable | None: ...
    def fetch(self, limit: float) -> TokenGrant:
        """A new token, within *limit* seconds.

        Raises:
            TokenError: None can be had; the kind decides how long the source is left alone.
        """
        ...


class StaticToken:
    """A token that the caller has. It is used until the API refuses it, and never renewed."""

    renewable = False
    share_key = None

    def __init__(self, token: str) -> None:
        if not sendable(token):
            raise ConfigurationError("token is empty, or has spaces or other characters that a header cannot carry")
        self._grant = TokenGrant(Secret(token), math.inf)

    def fetch(self, limit: float) -> TokenGrant:  # noqa: ARG002 - no waiting here
        """The token itself."""
        return self._grant


class CallableSource:
    """Tokens from a function of the caller's. A plain text is used until refused, unless it is a JWT that ends."""

    renewable = True
    share_key = None

    def __init__(self, provider: TokenProvider) -> None:
        called = provider if inspect.isroutine(provider) else getattr(provider, "__call__", provider)  # noqa: B004
        if inspect.iscoroutinefunction(called):
            raise TypeError(_ASYNC_PROVIDER)
        self._provider = provider

    def fetch(self, limit: float) -> TokenGrant:  # noqa: ARG002 - a foreign function cannot be interrupted
        """Call the provider."""
        try:
            answer: object = self._provider()
        except TokenError:
            raise
        except Exception as exc:
            raise TokenUnavailableError(f"the token provider raised {type(exc).__name__}; see __cause__") from exc
        if isinstance(answer, Mapping):
            return read_grant(answer, served_at=None, where="the token provider's answer", unstated=math.inf)
        if inspect.iscoroutine(answer):
            answer.close()
            raise TypeError(_ASYNC_PROVIDER)
        if not isinstance(answer, str) or not sendable(answer):
            raise TokenResponseError(
                f"the token provider returned {type(answer).__name__} that is no token; return a non-empty str without "
                "spaces or control characters, or a mapping with access_token and expires_in"
            )
        return TokenGrant(Secret(answer), _jwt_life(answer) or math.inf)


_ASYNC_PROVIDER = (
    "token_provider is async; pass a plain function that returns the token. It runs on a thread, so it may block "
    "or call asyncio.run()"
)


@dataclass(frozen=True)
class Route:
    """The way to the token endpoint: the settings of the API client, so that proxies, CAs and tests reach it too.

    Attributes:
        transport: As given to the API client.
        async_transport: Used if there is no *transport* and it needs no pool of connections, as `httpx.ASGITransport`.
        options: Of the API client's `httpx_args`: verify, cert, proxy, trust_env.
    """

    transport: httpx.BaseTransport | None = None
    async_transport: httpx.AsyncBaseTransport | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Hashable:
        """Equal for routes that end in the same place by the same means."""
        plain = (str, bool, type(None))
        options = ((name, value if isinstance(value, plain) else id(value)) for name, value in self.options.items())
        return id(self.transport), id(self.async_transport), frozenset(options)

    def send(self, request: httpx.Request, deadline: float) -> httpx.Response:
        """The answer, read whole, without following redirects; *deadline* is a reading of `time.monotonic`.

        Raises:
            httpx.HTTPError: No answer by then.
        """
        transport = self.transport
        if transport is None and isinstance(self.async_transport, httpx.BaseTransport):
            transport = self.async_transport
        elif transport is None and self.async_transport is not None:
            # A pool of connections belongs to the caller's loop and stays there.
            pooled = isinstance(self.async_transport, httpx.AsyncHTTPTransport)
            transport = None if pooled else _OnItsOwnLoop(self.async_transport)
        if transport is not None:  # not closed afterwards: it belongs to the API client
            return _exchange(httpx.Client(transport=transport), request, deadline)
        with httpx.Client(**self.options) as client:
            return _exchange(client, request, deadline)


class _OnItsOwnLoop(httpx.BaseTransport):
    """Lets a thread use a transport that is async only. On a further thread, as the first may have a running loop."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        async def exchange() -> httpx.Response:
            async with asyncio.timeout(request.extensions["timeout"]["read"]):
                answer = await self._transport.handle_async_request(request)
                return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        with ThreadPoolExecutor(1, thread_name_prefix="pokitdok-token-loop") as thread:
            try:
                return thread.submit(asyncio.run, exchange()).result()
            except TimeoutError:
                raise httpx.ReadTimeout("the time for a token is over", request=request) from None


def _exchange(client: httpx.Client, request: httpx.Request, deadline: float) -> httpx.Response:
    """The whole answer within the deadline; the read limit alone would let a server drip for ever."""
    body = b""
    response = client.send(request, stream=True, follow_redirects=False)
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise httpx.ReadError("longer than any token answer", request=request)
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the time for a token is over", request=request)
    finally:
        response.close()
    headers = {name: value for name in ("content-type", "date", "retry-after") if (value := response.headers.get(name))}
    return httpx.Response(response.status_code, headers=headers, content=body)


@dataclass
class ClientCredentials:
    """The client credentials grant (RFC 6749, 4.4) at one token endpoint.

    Attributes:
        style: "basic" sends the credentials in the header, form-encoded first (RFC 6749, 2.3.1); "body" as form fields.
        route: The way to the endpoint.
    """

    token_url: str
    client_id: str
    client_secret: Secret
    style: Literal["basic", "body"] = "basic"
    user_agent: str = "pokitdok-client"
    route: Route = field(default_factory=Route)
    renewable: bool = field(default=True, init=False, repr=False)
    _raw: bool = field(default=False, init=False, repr=False)
    _life_assumed: bool = field(default=False, init=False, repr=False)

    @property
    def share_key(self) -> Hashable:
        """Endpoint, client, style, route, and a keyed digest that tells secrets apart without holding one."""
        digest = hmac.digest(_DIGEST_KEY, self.client_secret.reveal().encode(), hashlib.sha256)
        return self.token_url, self.client_id, self.style, self.route.key, digest

    def fetch(self, limit: float) -> TokenGrant:
        """Ask the token endpoint.

        Some servers take the Basic header raw only. If the encoding makes a difference and the client is refused, the
        other form is tried once, and kept if it is accepted.
        """
        deadline = time.monotonic() + limit
        try:
            return self._ask(deadline, raw=self._raw)
        except InvalidClientError:
            plain = f"{self.client_id}{self.client_secret.reveal()}"
            if self.style != "basic" or self._raw or quote_plus(plain) == plain:
                raise
        grant = self._ask(deadline, raw=True)
        self._raw = True
        return grant

    def _ask(self, deadline: float, *, raw: bool) -> TokenGrant:
        where = f"POST {self.token_url}"
        try:
            response = self.route.send(self._request(deadline - time.monotonic(), raw), deadline)
        except httpx.HTTPError as exc:
            failed, transient = _bare(exc), not _is_certificate_error(exc)
        else:
            grant = read_answer(response.status_code, response.headers, response.content, where=where, now=time.time())
            if not grant.stated and not self._life_assumed:
                self._life_assumed = True
                _logger.warning(
                    "%s: the answer does not say how long the token lives; %.0f s assumed", where, grant.life
                )
            return grant
        # Outside the handler: what was caught there leads to frames that hold the secret.
        advice = "check that the server runs and that base_url is right" if transient else "check its certificate"
        raise TokenUnavailableError(f"{where}: no answer ({type(failed).__name__}); {advice}", transient) from failed

    def _request(self, limit: float, raw: bool) -> httpx.Request:
        form = {"grant_type": "client_credentials"}
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        if self.style == "basic":
            pair = ":".join(x if raw else quote_plus(x) for x in (self.client_id, self.client_secret.reveal()))
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret.reveal()}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        connect, read = max(0.001, min(_CONNECT_LIMIT, limit)), max(0.001, min(_READ_LIMIT, limit))
        timeout = httpx.Timeout(connect=connect, read=read, write=read, pool=connect)
        return httpx.Request(
            "POST", self.token_url, headers=headers, content=urlencode(form), extensions={"timeout": timeout.as_dict()}
        )


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, where: str, now: float) -> TokenGrant:
    """The token in an answer of the token endpoint (RFC 6749, 5.1 and 5.2), read tolerantly.

    Args:
        status: HTTP status.
        headers: With keys in any case if the mapping allows it, else in lower case.
        body: As received.
        where: Method and URL, for the error's text.
        now: Wall clock in Unix seconds, for a `Retry-After` date without a `Date` beside it.

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
        return read_grant(answer, served_at=_http_date(headers.get("date")), where=seen, unstated=ASSUMED_LIFE)
    if 300 <= status < 400:
        raise TokenEndpointMovedError(f"{seen}, a redirect, which is never followed with credentials; check base_url")
    if status in {404, 405, 410}:
        raise TokenEndpointMovedError(f"{seen}: there is no token endpoint; check base_url")
    if status == 401 or (status == 400 and code is not None and code not in _SERVER_AT_FAULT):
        raise InvalidClientError(f"{seen}: check client_id and client_secret, and that base_url is where they belong")
    if status == 403:
        raise TokenForbiddenError(f"{seen}: often a firewall; check that this machine's address is allowed")
    if status == 429:
        wait = _retry_after(headers, now)
        raise TokenThrottledError(f"{seen}: too many token requests" + (f"; wait {wait:.0f} s" if wait else ""), wait)
    raise TokenUnavailableError(f"{seen} with {_content_type(headers)}: try again later")


def read_grant(answer: Mapping[str, Any], *, served_at: float | None, where: str, unstated: float) -> TokenGrant:
    """The token in a parsed token answer.

    Its life is `expires_in`, a number or a text with one; else `expires` less the server's own *served_at* (both Unix
    seconds), so that a wrong local clock or an old recording does no harm; else that of a JWT; else *unstated*.

    Raises:
        TokenResponseError: Names the field at fault.
    """
    token, kind = answer.get("access_token"), answer.get("token_type", "bearer")
    if not isinstance(token, str) or not sendable(token):
        raise TokenResponseError(f"{where}, but access_token is missing, empty or not a text that a header can carry")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenResponseError(f"{where}, but token_type is not bearer")
    life, end = _number(answer.get("expires_in")), _number(answer.get("expires"))
    until = end - served_at if end is not None and served_at is not None and end > served_at else None
    if life is None:
        life = until if until is not None else _jwt_life(token)
    elif until is not None and life > 0 and abs(life - until) > 60:
        _logger.debug("%s: expires_in and expires disagree; the earlier one counts", where)
        life = min(life, until)
    if life is None:
        return TokenGrant(Secret(token), unstated, stated=False)
    return TokenGrant(Secret(token), max(0.0, min(life, LONGEST_LIFE)))


def sendable(token: str) -> bool:
    """Whether *token* can stand in a header: printable ASCII without spaces, not empty."""
    return _SENDABLE.fullmatch(token) is not None


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # it quotes the body: nothing may be raised from here
        return None
    return answer if isinstance(answer, dict) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _jwt_life(token: str) -> float | None:
    """`exp` less `iat` of a JWT (RFC 7519), read without trusting it; None for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = _json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    start, end = (_number(claims.get("iat")), _number(claims.get("exp"))) if claims else (None, None)
    return end - start if start is not None and end is not None and end > start else None


def _content_type(headers: Mapping[str, str]) -> str:
    name = headers.get("content-type", "").partition(";")[0].strip().lower()
    return name if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,60}", name) else "no content type"


def _http_date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds (RFC 9110, 10.2.3), at most an hour; a date is compared with the server's own clock where it shows it."""
    text = headers.get("retry-after", "").strip()
    date = _http_date(text)
    seconds = float(text) if text.isdecimal() else None
    if seconds is None and date is not None:
        seconds = date - (_http_date(headers.get("date")) or now)
    return None if seconds is None else max(0.0, min(seconds, _LONGEST_RETRY_AFTER))


def _bare(exc: httpx.HTTPError) -> httpx.TransportError:
    """The same error without request, traceback, context and what its text quotes: all may show secrets."""
    kind = next((cls for cls in type(exc).__mro__ if cls.__module__ == "httpx"), httpx.TransportError)
    text = re.sub(r"(['\"]).*\1", "...", str(exc))
    return kind(text) if issubclass(kind, httpx.TransportError) else httpx.TransportError(text)


def _is_certificate_error(exc: BaseException | None) -> bool:
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return True
        exc = exc.__cause__ or exc.__context__
    return False
