"""A token endpoint and an API in this process, for tests of code that connects: no port, no sandbox."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import httpx

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
"""What the server does with a request: answers, breaks the connection, or something of your own."""


class FakeTokenServer(httpx.MockTransport):
    """Hands out `token-1`, `token-2`, ... at `/oauth2/token`, and answers everything else if the token is one of those.

    Use it as the transport of a client::

        server = FakeTokenServer()
        client = connect("id", "secret", base_url="https://api.example.test", transport=server, async_transport=server)

    Threads and event loops may share it.

    Args:
        client_id: The id that is accepted.
        client_secret: Its secret.
        life: `expires_in` of the tokens, seconds.
        api: What answers the other requests; by default an empty envelope.

    Attributes:
        tokens: The tokens that were handed out and not revoked.
        token_requests: The forms that came to the token endpoint, without the secret.
        api_requests: Method and path of the other requests.
    """

    def __init__(
        self,
        client_id: str = "id",
        client_secret: str = "secret",  # noqa: S107 - a stand-in has nothing to hide
        *,
        life: float = 3600,
        api: Callable[[httpx.Request], httpx.Response] | None = None,
    ) -> None:
        super().__init__(self._answer)
        self.client_id = client_id
        self.client_secret = client_secret
        self.life = life
        self.tokens: set[str] = set()
        self.token_requests: list[dict[str, str]] = []
        self.api_requests: list[tuple[str, str]] = []
        self._api = api or (lambda _: httpx.Response(200, json={"meta": {"processing_time": 1}, "data": {}}))
        self._next: list[Answer] = []
        self._lock = threading.Lock()

    def then(self, *answers: Answer) -> None:
        """Answer the next token requests with *answers*, one each; after them it hands out tokens again."""
        with self._lock:
            self._next.extend(answers)

    def revoke(self) -> None:
        """From now on the API refuses the tokens handed out so far."""
        with self._lock:
            self.tokens.clear()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/oauth2/token":
            return self._answer_api(request)
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        with self._lock:
            self.token_requests.append({name: value for name, value in form.items() if name != "client_secret"})
            number = len(self.token_requests)
            scripted = self._next.pop(0) if self._next else None
        if isinstance(scripted, Exception):
            raise scripted
        if isinstance(scripted, httpx.Response):
            return scripted
        if scripted is not None:
            return scripted(request)
        if not self._knows(request.headers, form):
            return httpx.Response(400, json={"error": "invalid_client"})
        token = f"token-{number}"
        with self._lock:
            self.tokens.add(token)
        return httpx.Response(200, json={"access_token": token, "token_type": "bearer", "expires_in": self.life})

    def _answer_api(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.api_requests.append((request.method, request.url.path))
            known = request.headers.get("Authorization", "").removeprefix("Bearer ") in self.tokens
        return self._api(request) if known else httpx.Response(401, json={"message": "Unauthorized"})

    def _knows(self, headers: Mapping[str, str], form: Mapping[str, Any]) -> bool:
        offered = form.get("client_id"), form.get("client_secret")
        scheme, _, pair = headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            offered = unquote_plus(name), unquote_plus(secret)
        return offered == (self.client_id, self.client_secret)
