"""The token of one compat client as a dictionary: what it starts with, what is fetched, who is told.

When to fetch is up to the token manager of the client, which asks `TokenBook.provide()`.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from pokitdok_ext._errors import ConfigurationError, PermanentTokenError
from pokitdok_ext._sources import FETCH_LIMIT, ClientCredentials, TokenRequest
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route
from pokitdok_ext._tokens import Secret

_logger = logging.getLogger(__name__)

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
        token_url: Set by the client, as is *transport*.
    """

    def __init__(
        self,
        client_id: str | None,
        client_secret: str | None,
        *,
        renews: bool,
        callback: Callable[[dict[str, Any]], object] | None,
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
        self.token_url = ""
        self.transport: httpx.BaseTransport | None = None
        self._lock = threading.Lock()
        self._saved: dict[str, Any] | None = None
        self._may_fetch: bool = True
        self.start_with(token)

    def start_with(self, token: Mapping[str, Any] | None) -> None:
        """Take *token* for the next one instead of fetching; None goes back to fetching.

        Raises:
            ConfigurationError: It is no token dictionary.
        """
        saved = None if token is None else _checked(token)
        with self._lock:
            self._saved = saved
            self._may_fetch = token is None

    def forget(self) -> None:
        """Fetch next time, whatever *renews* says."""
        self.start_with(None)

    def provide(self) -> Mapping[str, Any]:
        """The next token; what the manager of the client calls.

        Raises:
            TokenError: None can be had.
        """
        now = time.time()
        with self._lock:
            saved, self._saved = self._saved, None
            may_fetch = self._may_fetch or self.renews
            self._may_fetch = False
        left = None if saved is None else seconds_left(saved, now)
        if saved is not None and (left is None or left > 0):
            self.latest = saved
            return {"access_token": saved["access_token"], **({} if left is None else {"expires_in": left})}
        if not may_fetch:
            raise TokenExpiredError(_ENDED)
        self.latest = token = self._fetched(now)
        if self.callback is not None:
            try:
                self.callback(dict(token))
            except Exception as error:  # noqa: BLE001 - a token that is there is not lost because telling of it failed
                _logger.warning("token_refresh_callback raised %s", type(error).__name__)
        return token

    def _fetched(self, now: float) -> dict[str, Any]:
        root = self.token_url.removesuffix("/oauth2/token")
        endpoint = TokenEndpoint(root, self.client_id, self.client_secret, route=Route(transport=self.transport))
        grant = ClientCredentials(endpoint).fetch(TokenRequest(FETCH_LIMIT))
        return {
            "access_token": grant.value.reveal(),
            "token_type": "Bearer",
            "expires_in": int(grant.life),
            "expires_at": now + grant.life,
        }


def _checked(token: object) -> dict[str, Any]:
    if not isinstance(token, Mapping) or not isinstance(token.get("access_token"), str):
        raise ConfigurationError("token is no token dictionary: pass what client.token gave, with its access_token")
    return dict(token)


def seconds_left(token: Mapping[str, Any], now: float) -> float | None:
    """Until *token* ends, by `expires_at` or the platform's `expires` (Unix time); None if neither is there.

    `expires_in` counts from a moment that a saved dictionary does not tell.
    """
    for name in ("expires_at", "expires"):
        try:
            return float(token[name]) - now
        except (KeyError, TypeError, ValueError):
            continue
    return None
