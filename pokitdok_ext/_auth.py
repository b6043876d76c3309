"""Puts the token on each request, and answers a 401: one renewal, joined by all, and one replay.

The token request never passes through here, and nothing is held across a `yield`: another task may close the flow.
"""

import re
from collections.abc import AsyncGenerator, Generator, Iterable

import httpx

from pokitdok_api._operations import Operation

from ._client_tokens import ClientTokens
from ._errors import ConfigurationError, TokenRefusedError
from ._manager import TokenManager
from ._tokens import DEFAULT_POLICY, AccessToken, TokenPolicy

_NOT_ABOUT_THE_TOKEN = re.compile(r'\berror\s*=\s*"?(insufficient_scope|invalid_request)\b', re.IGNORECASE)


Origin = tuple[bytes, bytes, int | None]
"""Scheme, host and port: where a token may go. A default port is None, as httpx has it."""


def origin(url: httpx.URL) -> Origin:
    """The origin of *url*."""
    return url.raw_scheme, url.raw_host, url.port


class TokenAuth(httpx.Auth):
    """Signs requests to the origins on its list.

    A request to another origin, or one that brings its own `Authorization`, passes untouched. A 401 renews the token
    it refused and sends the request once more, since it was refused before it was acted on, if its body is still there.
    The header comes off when the flow ends: the request can be sent again, and an error that carries it shows no token.

    Args:
        tokens: Where the tokens come from.
        origins: URLs of the hosts to which they may go.
        policy: What counts as a refusal, and what is sent again after one.
    """

    def __init__(self, tokens: ClientTokens, origins: Iterable[str], policy: TokenPolicy = DEFAULT_POLICY) -> None:
        self._tokens = tokens
        self._origins = frozenset(origin(httpx.URL(each)) for each in origins)
        self._https_only = all(scheme == b"https" for scheme, _, _ in self._origins)
        self._policy = policy

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The flow for `httpx.Client`."""
        if not self._signs(request):
            yield request
            return
        try:
            manager = self._tokens.manager
            token = manager.fresh() or manager.get()
            response = yield _signed(request, token)
            if response.status_code < 400:
                return
            if self._looks_into(response):
                response.read()
            if self._replays(request, response, token, manager):
                response = yield _signed(request, manager.get())
                if self._looks_into(response):
                    response.read()
                self._replayed(request, response, manager)
        finally:
            _unsign(request)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The flow for `httpx.AsyncClient`."""
        if not self._signs(request):
            yield request
            return
        try:
            manager = self._tokens.manager
            token = manager.fresh() or await manager.aget()
            response = yield _signed(request, token)
            if response.status_code < 400:
                return
            if self._looks_into(response):
                await response.aread()
            if self._replays(request, response, token, manager):
                response = yield _signed(request, await manager.aget())
                if self._looks_into(response):
                    await response.aread()
                self._replayed(request, response, manager)
        finally:
            _unsign(request)

    def _signs(self, request: httpx.Request) -> bool:
        if origin(request.url) in self._origins:
            # Every text decodes by it. Left to find an encoding out, httpx tries all headers: half the cost of a flow.
            request.headers.encoding = "iso-8859-1"
            return "Authorization" not in request.headers
        if request.url.raw_scheme == b"http" and self._https_only:
            raise ConfigurationError("refused to send a request over plain http from a client whose base_url is https")
        return False

    def _looks_into(self, response: httpx.Response) -> bool:
        """Whether the user's own rule for a refusal is to see this answer."""
        return self._policy.is_refused is not None and 400 <= response.status_code < 500

    def _replays(
        self, request: httpx.Request, response: httpx.Response, token: AccessToken, manager: TokenManager
    ) -> bool:
        """Whether to send the request again with a new token. If it is refused for good, the error says why."""
        if not self._refused(response):
            return False
        verdict = manager.reject(token)
        if verdict != "renew":
            self._explain(request, response, manager, _STATIC if verdict == "fixed" else _BRAND_NEW)
        elif not isinstance(request.stream, httpx.ByteStream):
            self._explain(request, response, manager, _STREAMED)
        elif not self._policy.replay_unsafe and not _is_safe(request):
            self._explain(request, response, manager, _UNSAFE)
        else:
            return True
        return False

    def _replayed(self, request: httpx.Request, response: httpx.Response, manager: TokenManager) -> None:
        manager.count_replay()
        if self._refused(response):
            self._explain(request, response, manager, _BRAND_NEW)

    def _refused(self, response: httpx.Response) -> bool:
        if origin(response.request.url) not in self._origins:
            return False
        if self._looks_into(response) and self._policy.is_refused is not None:
            return self._policy.is_refused(response)
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status_code == 401 and _NOT_ABOUT_THE_TOKEN.search(challenge) is None

    def _explain(self, request: httpx.Request, response: httpx.Response, manager: TokenManager, why: str) -> None:
        """Raise the refusal with its reason. A request made by hand is of no operation; its caller gets the answer."""
        operation = request.extensions.get("pokitdok.operation")
        if isinstance(operation, Operation):
            answered = f"{operation.id}: {operation.method} {operation.path} was answered {response.status_code}"
            raise TokenRefusedError(
                f"{answered}: {why}{manager.hints()}" + ("; .content holds the answer" if response.content else ""),
                operation=operation,
                headers=response.headers,
                content=response.content,
            )


_STATIC = "the token you passed was refused; it is never renewed: pass a new one, or client_id and client_secret"
_BRAND_NEW = (
    "a brand-new token was refused; check that the application is active, that base_url is where its credentials "
    "belong, and this machine's clock"
)
_STREAMED = "the token was refused, and the body is a stream that cannot be sent twice; call again with a new one"
_UNSAFE = "the token was refused and is renewed; token_policy.replay_unsafe is off, so call again to send the request"


def _is_safe(request: httpx.Request) -> bool:
    operation = request.extensions.get("pokitdok.operation")
    return operation.retry == "safe" if isinstance(operation, Operation) else request.method in {"GET", "HEAD"}


def _signed(request: httpx.Request, token: AccessToken) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.value.reveal()}"
    return request


def _unsign(request: httpx.Request) -> None:
    try:  # noqa: SIM105 - suppress() would cost each request more than what it guards
        del request.headers["Authorization"]
    except KeyError:  # there was no token, or a hook of the user's took it off
        pass
