"""Where tokens come from: reading token answers, the two styles of credentials, static tokens, providers."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from pokitdok_ext._errors import (
    ConfigurationError,
    InvalidClientError,
    PermanentTokenError,
    TokenEndpointMovedError,
    TokenError,
    TokenForbiddenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)
from pokitdok_ext._grants import ClientCredentials
from pokitdok_ext._sources import CallableSource, StaticToken, TokenRequest
from pokitdok_ext._token_answers import read_answer, read_grant
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route, route_key
from pokitdok_ext._tokens import Secret, TokenGrant
from pokitdok_ext.testing import HeldClock

ROOT = "https://api.pokitdok.test"
URL = f"{ROOT}/oauth2/token"
NOW = 1_800_000_000.0
DATE = format_datetime(datetime.fromtimestamp(NOW, UTC), usegmt=True)
GOOD = {"access_token": "abc.DEF-123", "token_type": "bearer", "expires_in": 3600, "expires": int(NOW) + 3600}


def read(status: int, body: object, headers: Mapping[str, str] | None = None) -> TokenGrant:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    seen = httpx.Headers({"content-type": "application/json;charset=UTF-8", **(headers or {})})
    return read_answer(status, seen, raw, where=f"POST {URL}", now=NOW)


def answered(**changes: object) -> dict[str, object]:
    """The good answer with changes; None leaves a field out."""
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


def jwt(**claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


# --- reading answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "life"),
    [
        pytest.param(GOOD, {}, 3600, id="as recorded"),
        pytest.param(answered(expires=None), {}, 3600, id="without expires"),
        pytest.param(answered(token_type="BeArEr"), {}, 3600, id="token_type in any case"),
        pytest.param(answered(token_type=None), {}, 3600, id="without token_type"),
        pytest.param(answered(expires_in="900"), {}, 900, id="numeric text"),
        pytest.param(answered(expires_in=0.5), {}, 0.5, id="half a second"),
        pytest.param(answered(expires_in=10**9), {}, 86_400, id="more than a day is capped"),
        pytest.param(answered(expires_in=0), {}, 0, id="zero"),
        pytest.param(answered(expires_in=-1), {}, 0, id="negative"),
        pytest.param(answered(expires_in=None), {"date": DATE}, 3600, id="expires against the server's Date"),
        pytest.param(answered(expires_in=None, expires=int(NOW) - 9), {"date": DATE}, 300, id="expires in the past"),
        pytest.param(answered(expires_in=None), {"date": "yesterday"}, 300, id="a Date that does not parse"),
        pytest.param(answered(expires_in=None, expires=None), {}, 300, id="nothing said"),
        pytest.param(answered(expires_in=True, expires=None), {}, 300, id="a bool is not a number"),
        pytest.param(answered(expires_in="soon", expires=None), {}, 300, id="a text that is no number"),
        pytest.param(answered(expires_in="NaN", expires=None), {}, 300, id="NaN"),
        pytest.param(answered(expires_in=[3600], expires=None), {}, 300, id="a list"),
        pytest.param(answered(expires=int(NOW) + 600), {"date": DATE}, 600, id="they disagree: the earlier"),
        pytest.param(answered(expires=int(NOW) + 9999), {"date": DATE}, 3600, id="they disagree: the earlier again"),
        pytest.param(answered(expires=int(NOW) + 3570), {"date": DATE}, 3600, id="they disagree by half a minute"),
        pytest.param(answered(expires=1), {"date": DATE}, 3600, id="expires long past is ignored"),
        pytest.param(
            answered(access_token=jwt(iat=100, exp=700), expires_in=None, expires=None), {}, 600, id="a JWT's own life"
        ),
        pytest.param(
            answered(access_token=jwt(exp=700), expires_in=None, expires=None), {}, 300, id="a JWT without iat"
        ),
        pytest.param(answered(access_token="a.!!.c", expires_in=None, expires=None), {}, 300, id="no JWT after all"),
    ],
)
def test_life_of_a_token_answer(body: object, headers: dict[str, str], life: float) -> None:
    assert read(200, body, headers).life == life


def test_old_recording_gives_a_whole_life() -> None:
    """`Date` and `expires` are compared with each other, never with now."""
    body = {"access_token": "t", "token_type": "bearer", "expires": 1_393_350_569}
    assert read(200, body, {"date": "Tue, 25 Feb 2014 16:49:29 GMT"}).life == 3600


HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "says"),
    [
        pytest.param(200, b"{", {}, TokenResponseError, "not a JSON object", id="truncated JSON"),
        pytest.param(200, b"[" * 60_000, {}, TokenResponseError, "not a JSON object", id="JSON nested without end"),
        pytest.param(200, [GOOD], {}, TokenResponseError, "not a JSON object", id="a list"),
        pytest.param(200, b"<p>Hi</p>", HTML, TokenResponseError, "text/html", id="HTML"),
        pytest.param(200, {"error": "invalid_client"}, {}, TokenResponseError, "invalid_client", id="200 with error"),
        pytest.param(200, answered(access_token=None), {}, TokenResponseError, "access_token", id="no token"),
        pytest.param(200, answered(access_token=""), {}, TokenResponseError, "access_token", id="empty token"),
        pytest.param(200, answered(access_token=7), {}, TokenResponseError, "access_token", id="token not a text"),
        pytest.param(
            200, answered(access_token="a\r\nb"), {}, TokenResponseError, "access_token", id="control characters"
        ),
        pytest.param(200, answered(access_token="é"), {}, TokenResponseError, "access_token", id="not ASCII"),
        pytest.param(200, answered(token_type="mac"), {}, TokenResponseError, "token_type", id="not a bearer token"),
        pytest.param(200, answered(token_type=1), {}, TokenResponseError, "token_type", id="token_type not a text"),
        pytest.param(302, b"", {"location": "/x"}, TokenEndpointMovedError, "redirect", id="redirect"),
        pytest.param(404, b"", HTML, TokenEndpointMovedError, "base_url", id="no such endpoint"),
        pytest.param(400, {"error": "invalid_client"}, {}, InvalidClientError, "invalid_client", id="400, as recorded"),
        pytest.param(
            401, {"error": "invalid_client"}, {}, InvalidClientError, "client_secret", id="401, as in the RFC"
        ),
        pytest.param(401, b"", {}, InvalidClientError, "401", id="401 bare"),
        pytest.param(400, {"error": "unauthorized_client"}, {}, InvalidClientError, "unauth", id="unauthorized_client"),
        pytest.param(400, {"error": "invalid_scope"}, {}, InvalidClientError, "invalid_scope", id="invalid_scope"),
        pytest.param(400, {"error": {"a": 1}}, {}, InvalidClientError, "unknown error code", id="odd error code"),
        pytest.param(
            400, {"error": "server_error"}, {}, TokenUnavailableError, "server_error", id="server's own fault"
        ),
        pytest.param(400, b"<p>Bad</p>", HTML, TokenUnavailableError, "text/html", id="400 with HTML"),
        pytest.param(400, {"message": "no"}, {}, TokenUnavailableError, "400", id="400 without OAuth error"),
        pytest.param(403, b"", HTML, TokenForbiddenError, "firewall", id="403"),
        pytest.param(408, b"", {}, TokenUnavailableError, "408", id="408"),
        pytest.param(429, b"", {}, TokenThrottledError, "too many", id="429"),
        pytest.param(500, b"<h1>Oops</h1>", HTML, TokenUnavailableError, "500 with text/html", id="500 with HTML"),
        pytest.param(503, {}, {}, TokenUnavailableError, "503", id="503"),
    ],
)
def test_answer_without_a_token_is_an_error_of_its_kind(
    status: int, body: object, headers: dict[str, str], kind: type[TokenError], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        read(status, body, headers)
    assert type(caught.value) is kind
    assert f"POST {URL} answered {status}" in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "120"}, 120, id="seconds"),
        pytest.param({"retry-after": "99999"}, 3600, id="an hour at most"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 08:01:00 GMT"}, 60, id="a date, by our clock"),
        pytest.param(
            {"retry-after": "Tue, 25 Feb 2014 16:51:00 GMT", "date": "Tue, 25 Feb 2014 16:50:00 GMT"},
            60,
            id="a date, by the server's clock",
        ),
        pytest.param({"retry-after": "Tue, 25 Feb 2014 16:51:00 GMT"}, 0, id="a date that has passed"),
        pytest.param({"retry-after": "later"}, None, id="neither"),
        pytest.param({}, None, id="not said"),
    ],
)
def test_retry_after_of_a_throttled_answer(headers: dict[str, str], seconds: float | None) -> None:
    assert datetime.fromtimestamp(NOW, UTC) == datetime(2027, 1, 15, 8, tzinfo=UTC)
    with pytest.raises(TokenThrottledError) as caught:
        read(429, b"", headers)
    assert caught.value.retry_after == seconds


# --- client credentials ---------------------------------------------------------------------------


class TokenServer:
    """Answers token requests and remembers them."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self._answers: Iterator[httpx.Response | Exception] = iter(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = next(self._answers, None) or httpx.Response(200, json=GOOD)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def pairs(self) -> list[str]:
        headers = (request.headers["authorization"] for request in self.requests)
        return [base64.b64decode(header.removeprefix("Basic ")).decode() for header in headers]


def credentials(server: Callable[[httpx.Request], httpx.Response], **options: Any) -> ClientCredentials:
    options = {"client_id": "id", "client_secret": Secret("s3cret"), **options}
    return ClientCredentials(TokenEndpoint(ROOT, route=Route(transport=httpx.MockTransport(server)), **options))


def test_basic_style_sends_a_form_and_the_header() -> None:
    server = TokenServer()
    grant = credentials(server, user_agent="pokitdok-client/9").fetch(TokenRequest(15))
    (request,) = server.requests
    assert (grant.value.reveal(), grant.life) == ("abc.DEF-123", 3600)
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "pokitdok-client/9"
    assert request.content == b"grant_type=client_credentials"
    assert server.pairs == ["id:s3cret"]


def test_body_style_sends_form_fields_and_no_header() -> None:
    server = TokenServer()
    credentials(server, style="body", client_secret=Secret("p&ss=w rd")).fetch(TokenRequest(15))
    (request,) = server.requests
    assert "authorization" not in request.headers
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["id"],
        "client_secret": ["p&ss=w rd"],
    }


def refused() -> httpx.Response:
    return httpx.Response(400, json={"error": "invalid_client"})


def test_header_is_form_encoded_first_and_raw_once_if_refused_then_as_accepted() -> None:
    server = TokenServer(refused())
    source = credentials(server, client_id="i:d", client_secret=Secret("p+s s%"))
    source.fetch(TokenRequest(15))
    source.fetch(TokenRequest(15))
    assert server.pairs == ["i%3Ad:p%2Bs+s%25", "i:d:p+s s%", "i:d:p+s s%"]


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        pytest.param({}, 1, id="plain secret: there is no other form"),
        pytest.param({"client_secret": Secret("a b")}, 2, id="special characters: both forms"),
        pytest.param({"client_secret": Secret("a b"), "style": "body"}, 1, id="in the body: one form"),
    ],
)
def test_wrong_secret_costs_no_more_requests_than_it_has_forms(options: dict[str, Any], requests: int) -> None:
    server = TokenServer(refused(), refused(), refused())
    with pytest.raises(InvalidClientError):
        credentials(server, **options).fetch(TokenRequest(15))
    assert len(server.requests) == requests


def test_redirect_is_not_followed() -> None:
    server = TokenServer(httpx.Response(307, headers={"location": "https://elsewhere.example/token"}))
    with pytest.raises(TokenEndpointMovedError):
        credentials(server).fetch(TokenRequest(15))
    assert len(server.requests) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.PoolTimeout])
def test_transport_error_is_unavailable_with_a_bare_cause(error: type[httpx.TransportError]) -> None:
    with pytest.raises(TokenUnavailableError, match=error.__name__) as caught:
        credentials(TokenServer(error("Illegal header value b'Basic c2Vj'"))).fetch(TokenRequest(15))
    cause = caught.value.__cause__
    assert type(cause) is error
    assert "c2Vj" not in str(cause)
    assert cause.__traceback__ is None
    assert caught.value.__context__ is None or caught.value.__context__ is cause
    assert caught.value.transient


def test_answer_that_is_not_in_its_encoding_is_one_that_was_cut_off() -> None:
    headers = {"Content-Encoding": "gzip"}
    stream = httpx.ByteStream(json.dumps(GOOD).encode())
    with pytest.raises(TokenUnavailableError, match="RemoteProtocolError") as caught:
        credentials(TokenServer(httpx.Response(200, headers=headers, stream=stream))).fetch(TokenRequest(15))
    assert caught.value.transient
    assert caught.value.__cause__.__traceback__ is None


def test_bad_certificate_is_not_tried_again() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("certificate verify failed") from ssl.SSLCertVerificationError()

    with pytest.raises(TokenUnavailableError, match="certificate") as caught:
        credentials(fail).fetch(TokenRequest(15))
    assert not caught.value.transient


def hold_machine(monkeypatch: pytest.MonkeyPatch) -> HeldClock:
    """Hold the machine's own clock, which bounds the requests for tokens."""
    machine = HeldClock()
    for module in ("_token_endpoint", "_token_route"):
        monkeypatch.setattr(f"pokitdok_ext.{module}.SYSTEM_CLOCK", machine.clock())
    return machine


@pytest.mark.parametrize(("limit", "connect", "read"), [(15, 5, 10), (7, 5, 7), (2, 2, 2), (0, 0.001, 0.001)])
def test_limits_shrink_with_the_time_that_is_left(
    limit: float, connect: float, read: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_machine(monkeypatch)
    server = TokenServer()
    credentials(server).fetch(TokenRequest(limit))
    (request,) = server.requests
    assert request.extensions["timeout"] == {"connect": connect, "read": read, "write": read, "pool": connect}


def test_answer_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = hold_machine(monkeypatch)

    def drip() -> Iterator[bytes]:
        while True:
            machine.forward(4)
            yield b" "

    with pytest.raises(TokenUnavailableError, match="ReadTimeout"):
        credentials(TokenServer(httpx.Response(200, content=drip()))).fetch(TokenRequest(15))
    assert machine.monotonic == 516


def test_server_that_accepts_and_stays_silent_is_left_within_the_limit() -> None:
    """Over a real socket, so that the time-out is httpx's own."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = TokenEndpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", "id", Secret("s3cret"))
        with pytest.raises(TokenUnavailableError, match="ReadTimeout"):
            ClientCredentials(endpoint).fetch(TokenRequest(0.2))


def test_endless_answer_is_cut() -> None:
    def flood() -> Iterator[bytes]:
        while True:
            yield b" " * 16_384

    with pytest.raises(TokenUnavailableError, match="ReadError"):
        credentials(TokenServer(httpx.Response(200, content=flood()))).fetch(TokenRequest(15))


def test_unstated_life_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    bare = {"access_token": "abc", "token_type": "bearer"}
    source = credentials(TokenServer(*(httpx.Response(200, json=bare) for _ in range(3))))
    with caplog.at_level(logging.WARNING):
        assert [source.fetch(TokenRequest(15)).life for _ in range(3)] == [300, 300, 300]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


# --- the way to the endpoint ----------------------------------------------------------------------


class AsyncOnly(httpx.AsyncBaseTransport):
    """Has no synchronous side, like `httpx.ASGITransport`."""

    def __init__(self, delay: Callable[[], Any] | None = None) -> None:
        self.requests = 0
        self._delay = delay

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self._delay is not None:
            await self._delay()

        async def body() -> AsyncIterator[bytes]:
            yield json.dumps(GOOD).encode()

        return httpx.Response(200, content=body())


def through(route: Route) -> ClientCredentials:
    return ClientCredentials(TokenEndpoint(ROOT, "id", Secret("s3cret"), route=route))


def test_async_only_transport_is_run_on_a_loop_of_its_own() -> None:
    transport = AsyncOnly()
    assert through(Route(async_transport=transport)).fetch(TokenRequest(15)).value.reveal() == "abc.DEF-123"
    assert transport.requests == 1


def test_async_only_transport_may_compress() -> None:
    class Compressing(AsyncOnly):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            content = gzip.compress(await (await super().handle_async_request(request)).aread())
            return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(content))

    assert through(Route(async_transport=Compressing())).fetch(TokenRequest(15)).life == 3600


async def test_async_only_transport_answers_a_thread_whose_loop_is_blocked() -> None:
    assert through(Route(async_transport=AsyncOnly())).fetch(TokenRequest(15)).life == 3600


def test_async_only_transport_obeys_the_limit() -> None:
    transport = AsyncOnly(delay=lambda: asyncio.get_running_loop().create_future())
    with pytest.raises(TokenUnavailableError, match="ReadTimeout"):
        through(Route(async_transport=transport)).fetch(TokenRequest(0.01))


def test_sync_transport_comes_first_and_is_left_open() -> None:
    server, other = TokenServer(), AsyncOnly()

    class Kept(httpx.MockTransport):
        closed = False

        def close(self) -> None:
            self.closed = True

    transport = Kept(server)
    through(Route(transport=transport, async_transport=other)).fetch(TokenRequest(15))
    assert (len(server.requests), other.requests, transport.closed) == (1, 0, False)


def test_pool_of_the_callers_loop_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection left in it by another loop would break the caller's next request."""
    seen: list[dict[str, Any]] = []

    class Client(httpx.Client):
        def __init__(self, **options: Any) -> None:
            seen.append(options)
            super().__init__(transport=httpx.MockTransport(TokenServer()))

    monkeypatch.setattr("pokitdok_ext._token_route._Client", Client)
    through(Route(async_transport=httpx.AsyncHTTPTransport(), options={"trust_env": False})).fetch(TokenRequest(15))
    assert seen == [{"trust_env": False}]


SHARED_TRANSPORT = httpx.MockTransport(lambda _: httpx.Response(500))


@pytest.mark.parametrize(
    ("change", "equal"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"user_agent": "other"}, True, id="another user agent"),
        pytest.param({"client_id": "other"}, False, id="another client"),
        pytest.param({"client_secret": Secret("other")}, False, id="another secret"),
        pytest.param({"root": "https://other.test"}, False, id="another endpoint"),
        pytest.param({"style": "body"}, False, id="another style"),
        pytest.param({"route": Route(key=route_key(None, None, {"verify": False}))}, False, id="another way to verify"),
        pytest.param({"route": Route(key=route_key(SHARED_TRANSPORT, None, {}))}, False, id="another transport"),
    ],
)
def test_tokens_are_shared_only_if_everything_that_matters_is_the_same(change: dict[str, Any], equal: bool) -> None:
    base: dict[str, Any] = {"root": ROOT, "client_id": "id", "client_secret": Secret("s3cret")}
    base["route"] = Route(key=route_key(None, None, {}))
    one = ClientCredentials(TokenEndpoint(**base))
    other = ClientCredentials(TokenEndpoint(**{**base, **change}))
    assert (one.share_key == other.share_key) is equal
    assert "s3cret" not in repr(one.share_key)


# --- static tokens and providers ------------------------------------------------------------------


def test_static_token_lives_until_refused_and_is_never_shared() -> None:
    source = StaticToken("given")
    assert (source.fetch(TokenRequest(15)).value.reveal(), source.fetch(TokenRequest(15)).life) == ("given", math.inf)
    assert (source.renewable, source.share_key) == (False, None)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "naïve"])
def test_static_token_that_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        StaticToken(token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "value", "life"),
    [
        pytest.param("abc", "abc", math.inf, id="a text: until refused"),
        pytest.param(jwt(iat=0, exp=60), jwt(iat=0, exp=60), 60, id="a JWT: its own life"),
        pytest.param({"access_token": "abc", "expires_in": 60}, "abc", 60, id="a token answer"),
        pytest.param({"access_token": "abc"}, "abc", math.inf, id="a token answer without a life: until refused"),
    ],
)
def test_provider_gives_a_text_or_a_token_answer(answer: Any, value: str, life: float) -> None:
    grant = CallableSource(lambda: answer).fetch(TokenRequest(15))
    assert (grant.value.reveal(), grant.life) == (value, life)


@pytest.mark.parametrize("answer", [None, "", 7, b"abc", "two words", {}, {"access_token": ""}])
def test_provider_that_gives_no_token_is_an_error(answer: Any) -> None:
    with pytest.raises(TokenResponseError):
        CallableSource(lambda: answer).fetch(TokenRequest(15))


def test_provider_that_raises_is_unavailable_and_its_error_is_chained() -> None:
    def provider() -> str:
        raise KeyError("planted-value")

    with pytest.raises(TokenUnavailableError, match="KeyError") as caught:
        CallableSource(provider).fetch(TokenRequest(15))
    assert isinstance(caught.value.__cause__, KeyError)
    assert "planted-value" not in str(caught.value)


def test_provider_can_say_that_asking_again_is_pointless() -> None:
    def provider() -> str:
        raise PermanentTokenError("account closed")

    with pytest.raises(PermanentTokenError, match="account closed"):
        CallableSource(provider).fetch(TokenRequest(15))


async def arrives_later() -> str:
    return "abc"


class AsyncProvider:
    async def __call__(self) -> str:
        return "abc"


@pytest.mark.parametrize("provider", [arrives_later, AsyncProvider(), partial(arrives_later)])
def test_async_provider_runs_on_the_loop_that_needs_the_token(provider: Any) -> None:
    source = CallableSource(provider)

    async def main() -> TokenGrant:
        request = TokenRequest(15, loop=asyncio.get_running_loop())
        return await asyncio.to_thread(source.fetch, request)

    assert source.needs_loop
    assert asyncio.run(main()).value.reveal() == "abc"


def test_coroutine_from_a_plain_provider_is_closed_and_refused() -> None:
    """An unclosed one would warn, and warnings are errors here."""
    with pytest.raises(TypeError, match="async def"):
        CallableSource(lambda: arrives_later()).fetch(TokenRequest(15))  # noqa: PLW0108 - a plain function it is


def test_mapping_of_a_provider_is_read_like_a_token_answer() -> None:
    grant = read_grant({"access_token": "abc"}, served_at=None, where="here", unstated=5.0)
    assert (grant.life, grant.stated) == (5.0, False)
