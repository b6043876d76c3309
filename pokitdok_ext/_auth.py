"""Puts the token on each request, and answers a 401: one renewal, joined by all, and one replay.

The token request never passes through here, and nothing is held across a `yield`: another task may close the flow.
"""

import re
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import httpx

from pokitdok_api._operations import Operation

from ._errors import ConfigurationError, TokenRefusedError
from ._tokens import AccessToken, ClientTokens

_NOT_ABOUT_THE_TOKEN = re.compile(r'\berror\s*=\s*"?(insufficient_scope|invalid_request)\b', re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: where a token may go. A default port is None, as httpx has it."""

    scheme: bytes
    host: bytes
    port: int | None

    @classmethod
    def of(cls, url: httpx.URL) -> "Origin":
        """The origin of *url*."""
        return cls(url.raw_scheme, url.raw_host, url.port)


class TokenAuth(httpx.Auth):
    """Signs requests to one origin.

    A request to another origin, or one that brings its own `Authorization`, passes untouched. A 401 renews the token
    it refused and sends the request once more, since it was refused before it was acted on, if its body is still there.
    The header comes off when the flow ends: the request can be sent again, and an error that carries it shows no token.

    Args:
        tokens: Where the tokens come from.
        origin: Where they may go.
    """

    def __init__(self, tokens: ClientTokens, origin: Origin) -> None:
        self._tokens = tokens
        self._origin = origin

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The flow for `httpx.Client`."""
        if not self._signs(request):
            yield request
            return
        try:
            token = self._tokens.manager.get()
            response = yield _signed(request, token)
            if self._replays(request, response, token):
                response = yield _signed(request, self._tokens.manager.get())
                self._replayed(request, response)
        finally:
            request.headers.pop("Authorization", None)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The flow for `httpx.AsyncClient`."""
        if not self._signs(request):
            yield request
            return
        try:
            token = await self._tokens.manager.aget()
            response = yield _signed(request, token)
            if self._replays(request, response, token):
                response = yield _signed(request, await self._tokens.manager.aget())
                self._replayed(request, response)
        finally:
            request.headers.pop("Authorization", None)

    def _signs(self, request: httpx.Request) -> bool:
        if Origin.of(request.url) == self._origin:
            return "Authorization" not in request.headers
        if request.url.raw_scheme == b"http" and self._origin.scheme == b"https":
            raise ConfigurationError("refused to send a request over plain http from a client whose base_url is https")
        return False

    def _replays(self, request: httpx.Request, response: httpx.Response, token: AccessToken) -> bool:
        """Whether to send the request again with a new token. If it is refused for good, the error says why."""
        if not self._refused(response):
            return False
        verdict = self._tokens.manager.reject(token)
        if verdict != "renew":
            _explain(request, response, _STATIC if verdict == "fixed" else _BRAND_NEW)
        elif not isinstance(request.stream, httpx.ByteStream):
            _explain(request, response, _STREAMED)
        else:
            return True
        return False

    def _replayed(self, request: httpx.Request, response: httpx.Response) -> None:
        self._tokens.manager.count_replay()
        if self._refused(response):
            _explain(request, response, _BRAND_NEW)

    def _refused(self, response: httpx.Response) -> bool:
        return (
            response.status_code == 401
            and _NOT_ABOUT_THE_TOKEN.search(response.headers.get("WWW-Authenticate", "")) is None
            and Origin.of(response.request.url) == self._origin
        )


_STATIC = "the token you passed was refused; it is never renewed: pass a new one, or client_id and client_secret"
_BRAND_NEW = (
    "a brand-new token was refused; check that the application is active, that base_url is where its credentials "
    "belong, and this machine's clock"
)
_STREAMED = "the token was refused, and the body is a stream that cannot be sent twice; call again with a new one"


def _signed(request: httpx.Request, token: AccessToken) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.value.reveal()}"
    return request


def _explain(request: httpx.Request, response: httpx.Response, why: str) -> None:
    """Raise the 401 with its reason. A request made by hand is of no operation; its caller gets the answer itself."""
    operation = request.extensions.get("pokitdok.operation")
    if isinstance(operation, Operation):
        text = f"{operation.id}: {operation.method} {operation.path} was answered 401: {why}"
        raise TokenRefusedError(text, operation=operation, headers=response.headers)
