"""One token endpoint and one application: builds its requests, sends them, reads what comes. No grant of its own."""

import base64
import hashlib
import hmac
import json
import logging
import os
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Literal
from urllib.parse import quote_plus, urlencode

import httpx

from ._clock import SYSTEM_CLOCK, Clock
from ._errors import (
    ConfigurationError,
    InvalidClientError,
    PermanentTokenError,
    TokenEndpointMovedError,
    TokenError,
    TokenUnavailableError,
)
from ._token_answers import read_answer
from ._token_route import Route, bare, is_certificate_error
from ._tokens import Secret, TokenGrant

SecretProvider = Callable[[], str]
"""Gives the client secret, from a vault or a rotated file; asked at each fetch."""

_CONNECT_LIMIT, _READ_LIMIT = 5.0, 10.0
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_DIGEST_KEY = os.urandom(32)

_logger = logging.getLogger("pokitdok.tokens")


class TokenEndpoint:
    """Where an application gets its tokens.

    Args:
        root: Scheme, host and port of the API.
        client_id: Of the application.
        client_secret: Of the application, or what gives it.
        style: "basic" sends the credentials in the header, form-encoded first (RFC 6749, 2.3.1); "body" as form fields.
        user_agent: Sent with each request.
        route: The way there.
        clock: Of the client, to tell how far the server's is off. Requests are bounded by the machine's own.

    Raises:
        ConfigurationError: Id or secret is no text that can be sent.
    """

    def __init__(
        self,
        root: str,
        client_id: str,
        client_secret: "Secret | SecretProvider",
        *,
        style: Literal["basic", "body"] = "basic",
        user_agent: str = "pokitdok-client",
        route: Route | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        demand_utf8(client_id=client_id, client_secret=client_secret)
        self.url = f"{root}/oauth2/token"
        self.client_id = client_id
        self.style = style
        self._secret = client_secret
        self._user_agent = user_agent
        self._route = route or Route()
        self._clock = clock
        self._revocation_url = f"{root}/oauth2/revoke"
        self._used: bytes | None = None
        self._raw = False
        self._life_assumed = False

    @property
    def rotates(self) -> bool:
        """Whether the secret may be another one next time."""
        return not isinstance(self._secret, Secret)

    @property
    def key(self) -> Hashable:
        """Equal for the same endpoint, application, style, way and secret (by a keyed digest, or by its provider)."""
        secret = self._digest(self._secret) if isinstance(self._secret, Secret) else self._secret
        return self.url, self.client_id, self.style, self._route.key, secret

    def secret_check(self, key: str) -> str:
        """First 32 bits of a MAC of *key* under the secret, in hex: tells secrets apart and nothing about them."""
        return hmac.digest(self.secret().reveal().encode(), key.encode(), hashlib.sha256)[:4].hex()

    def secret(self) -> Secret:
        """The secret as it is now.

        Raises:
            TokenError: Its provider failed.
        """
        if isinstance(self._secret, Secret):
            return self._secret
        try:
            given: object = self._secret()
        except TokenError:
            raise
        except Exception as exc:
            raise TokenUnavailableError(f"the provider of client_secret raised {type(exc).__name__}") from exc
        kind = type(given).__name__
        secret = Secret(given) if isinstance(given, str) and given and _is_utf8(given) else None
        del given  # a traceback with locals would show it
        if secret is None:
            raise PermanentTokenError(f"the provider of client_secret returned {kind} that is no secret")
        return secret

    def secret_changed(self) -> bool:
        """Whether the secret is another one than at the last request."""
        return self._used != self._digest(self.secret())

    def ask(self, form: Mapping[str, str], limit: float) -> TokenGrant:
        """Send *form* with the credentials and read the token.

        Some servers take the Basic header raw only. If the encoding makes a difference and the client is refused, the
        other form is tried once, and kept if it is accepted. A secret that changed meanwhile is tried once, too.

        Raises:
            TokenError: There is no token; `never_left()` tells whether the request can have arrived.
        """
        deadline = SYSTEM_CLOCK.monotonic() + limit
        secret = self.secret()
        try:
            return self._try(form, secret, deadline)
        except InvalidClientError as error:
            if error.code == "invalid_grant" or not self.rotates:
                raise
            newer = self.secret()
            if hmac.compare_digest(newer.reveal().encode(), secret.reveal().encode()):
                raise
        return self._try(form, newer, deadline)

    def revoke(self, token: Secret) -> None:
        """End *token*, in the way the platform's one client that did it had: JSON, with the token itself as bearer.

        Raises:
            TokenError: The endpoint could not be told. That it is not there (404, 405) is none.
        """
        content = json.dumps({"token": token.reveal()}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token.reveal()}"}
        deadline = SYSTEM_CLOCK.monotonic() + _CONNECT_LIMIT + _READ_LIMIT
        response = self._send(self._revocation_url, headers, content, deadline)
        if response.status_code >= 400 and response.status_code not in {401, 404, 405}:
            raise TokenUnavailableError(f"POST {self._revocation_url} answered {response.status_code}: not revoked")

    def _try(self, form: Mapping[str, str], secret: Secret, deadline: float) -> TokenGrant:
        self._used = self._digest(secret)
        try:
            return self._once(form, secret, deadline, raw=self._raw)
        except InvalidClientError as error:
            plain = f"{self.client_id}{secret.reveal()}"
            if error.code == "invalid_grant" or self.style != "basic" or self._raw or quote_plus(plain) == plain:
                raise
        grant = self._once(form, secret, deadline, raw=True)
        self._raw = True
        return grant

    def _once(self, form: Mapping[str, str], secret: Secret, deadline: float, *, raw: bool) -> TokenGrant:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self.style == "basic":
            pair = ":".join(x if raw else quote_plus(x) for x in (self.client_id, secret.reveal()))
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form = {**form, "client_id": self.client_id, "client_secret": secret.reveal()}
        response = self._send(self.url, headers, urlencode(form).encode(), deadline)
        where = f"POST {self.url}"
        now = self._clock.wall()
        grant = read_answer(response.status_code, response.headers, response.content, where=where, now=now)
        if not grant.stated and not self._life_assumed:
            self._life_assumed = True
            _logger.warning("%s: the answer does not say how long the token lives; %.0f s assumed", where, grant.life)
        return grant

    def _send(self, url: str, headers: Mapping[str, str], content: bytes, deadline: float) -> httpx.Response:
        limit = deadline - SYSTEM_CLOCK.monotonic()
        connect, read = max(0.001, min(_CONNECT_LIMIT, limit)), max(0.001, min(_READ_LIMIT, limit))
        timeout = httpx.Timeout(connect=connect, read=read, write=read, pool=connect)
        request = httpx.Request(
            "POST",
            url,
            headers={"User-Agent": self._user_agent, **headers},
            content=content,
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            return self._route.send(request, deadline)
        except httpx.HTTPError as exc:
            failed, transient = bare(exc), not is_certificate_error(exc)
        # Outside the handler: what was caught there leads to frames that hold the secret.
        advice = "check that the server runs and that base_url is right" if transient else "check its certificate"
        raise TokenUnavailableError(f"POST {url}: no answer ({type(failed).__name__}); {advice}", transient) from failed

    def _digest(self, secret: Secret) -> bytes:
        return hmac.digest(_DIGEST_KEY, secret.reveal().encode(), hashlib.sha256)


def demand_utf8(**arguments: object) -> None:
    """Check that those of *arguments* that are texts can be sent.

    Python reads bytes that are not UTF-8, from the environment for one, into texts that cannot (lone surrogates).

    Raises:
        ConfigurationError: One of them cannot; named, and not shown.
    """
    wrong = ", ".join(name for name, value in arguments.items() if not _is_utf8(value))
    if wrong:
        raise ConfigurationError(f"{wrong}: not valid UTF-8; check where it is read from")


def _is_utf8(value: object) -> bool:
    text = value.reveal() if isinstance(value, Secret) else value
    return not isinstance(text, str) or re.search("[\ud800-\udfff]", text) is None


def never_left(error: TokenError) -> bool:
    """Whether the request that failed with *error* cannot have been acted on."""
    if isinstance(error, TokenEndpointMovedError | ConfigurationError):
        return True
    return isinstance(error.__cause__, _NEVER_LEFT)
