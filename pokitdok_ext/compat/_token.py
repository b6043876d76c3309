"""The token of one compat client as a dictionary: what it starts with, what is fetched, who is told.

When to fetch is up to the token manager of the client, which asks `TokenBook.provide()`.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx

from pokitdok_ext._authorization import scope_text
from pokitdok_ext._clock import SYSTEM_CLOCK, Clock
from pokitdok_ext._errors import ConfigurationError, PermanentTokenError
from pokitdok_ext._grants import AuthorizationCode, ClientCredentials
from pokitdok_ext._sources import FETCH_LIMIT, TokenRequest, TokenSource
from pokitdok_ext._token_answers import seconds_in
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route
from pokitdok_ext._tokens import Secret
from pokitdok_ext.settings import transport_options

_logger = logging.getLogger("pokitdok.compat")

_NO_CREDENTIALS = (
    "no client_id and client_secret: pass both, or set POKITDOK_CLIENT_ID and POKITDOK_CLIENT_SECRET; "
    "the sandbox prints some that it accepts"
)
_ENDED = "the token has ended, and auto_refresh is off: call fetch_access_token(), or leave auto_refresh on"


class TokenExpiredError(PermanentTokenError):
    """The token has ended, and `auto_refresh=False` forbids to fetch another: call `fetch_access_token()`."""


class TokenBook:
    """Credentials and token dictionaries of one client.

    Attributes:
        renews: Whether a token that has ended is replaced without being asked to.
        callback: Told of each token that is fetched.
        latest: The dictionary last handed to the manager.
    """

    def __init__(
        self,
        client_id: str | None,
        client_secret: str | None,
        *,
        redirect_uri: str | None,
        scope: str | Iterable[str] | None,
        renews: bool,
        callback: Callable[[dict[str, Any]], object] | None,
        code: str | None,
        token: Mapping[str, Any] | None,
    ) -> None:
        client_id = client_id or os.environ.get("POKITDOK_CLIENT_ID")
        client_secret = client_secret or os.environ.get("POKITDOK_CLIENT_SECRET")
        if not client_id or not client_secret:
            raise ConfigurationError(_NO_CREDENTIALS)
        self.client_id = client_id
        self.client_secret = Secret(client_secret)
        self.renews = renews
        self.callback = callback
        self.latest: dict[str, Any] = {}
        self._redirect_uri = redirect_uri
        self._scope = scope_text(scope)
        self._lock = threading.Lock()
        self._saved: dict[str, Any] | None = None
        self._refresh_token: str | None = None
        self._may_fetch: bool = True
        self._endpoint: TokenEndpoint | None = None
        self._clock = SYSTEM_CLOCK
        self._source: TokenSource | None = None
        self._code = code
        self.start_with(token)

    def connect_to(self, root: str, transport: httpx.BaseTransport | None, clock: Clock) -> None:
        """Where tokens come from: the API at *root*, by way of *transport*. They age by *clock*, that of the client."""
        route = Route(transport) if transport else Route(options=transport_options({}, root))
        self._endpoint = TokenEndpoint(root, self.client_id, self.client_secret, route=route, clock=clock)
        self._clock = clock

    def start_with(self, token: Mapping[str, Any] | None) -> None:
        """Take *token* for the next one instead of fetching; None goes back to fetching.

        Raises:
            ConfigurationError: It is no token dictionary.
        """
        saved = None if token is None else _checked(token)
        with self._lock:
            self._saved = saved
            self._may_fetch = token is None
            if saved is not None:
                refresh_token = saved.get("refresh_token")
                self._refresh_token = refresh_token if isinstance(refresh_token, str) else None
                self._source = None

    def fetch_next(self, code: str | None) -> None:
        """Fetch next time, whatever *renews* says; with *code*, for the user who gave it."""
        with self._lock:
            self._saved = None
            self._may_fetch = True
            if code is not None:
                self._code, self._refresh_token, self._source = code, None, None

    def provide(self) -> Mapping[str, Any]:
        """The next token; what the manager of the client calls.

        Raises:
            TokenError: None can be had.
        """
        now = self._clock.wall()
        with self._lock:
            saved, self._saved = self._saved, None
        left = None if saved is None else seconds_left(saved, now)
        if saved is not None and (left is None or left > 0):
            self.latest = saved
            return {"access_token": saved["access_token"], **({} if left is None else {"expires_in": left})}
        if not (self._may_fetch or self.renews):
            raise TokenExpiredError(_ENDED)
        self.latest = token = self._fetched(now)
        self._may_fetch = False
        if self.callback is not None:
            try:
                self.callback(dict(token))
            except Exception as error:  # noqa: BLE001 - a token that is there is not lost because telling of it failed
                _logger.warning("token_refresh_callback raised %s", type(error).__name__)
        return token

    def _fetched(self, now: float) -> dict[str, Any]:
        with self._lock:
            source = self._source = self._source or self._grant()
            refresh = None if self._refresh_token is None else Secret(self._refresh_token)
        grant = source.fetch(TokenRequest(FETCH_LIMIT, refresh=refresh))
        token = {
            "access_token": grant.value.reveal(),
            "token_type": "Bearer",
            "expires_in": int(grant.life),
            "expires_at": now + grant.life,
        }
        if grant.refresh is not None:
            self._refresh_token = grant.refresh.reveal()
        if self._refresh_token is not None:
            token["refresh_token"] = self._refresh_token
        return token

    def _grant(self) -> TokenSource:
        """By the user's consent, if there is any; else the application's own."""
        if self._endpoint is None:
            raise RuntimeError("connect_to() comes first")
        if self._code is None and self._refresh_token is None:
            return ClientCredentials(self._endpoint, self._scope)
        code = None if self._code is None else Secret(self._code)
        return AuthorizationCode(self._endpoint, code=code, redirect_uri=self._redirect_uri, scope=self._scope)


def _checked(token: object) -> dict[str, Any]:
    if not isinstance(token, Mapping) or not isinstance(token.get("access_token"), str):
        raise ConfigurationError("token is no token dictionary: pass what client.token gave, with its access_token")
    return dict(token)


def seconds_left(token: Mapping[str, Any], now: float) -> float | None:
    """Until *token* ends, by `expires_at` or the platform's `expires` (Unix time); None if neither is there.

    `expires_in` counts from a moment that a saved dictionary does not tell.
    """
    ends = (seconds_in(token.get(name)) for name in ("expires_at", "expires"))
    end = next((end for end in ends if end is not None), None)
    return None if end is None else end - now
