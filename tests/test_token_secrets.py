"""Secrets planted in credentials and tokens are searched for in everything that people or programs may see."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from pokitdok_api._operations import GET_ACTIVITY
from pokitdok_ext import PokitDokError, connect
from pokitdok_ext._auth import TokenAuth
from pokitdok_ext._client_tokens import ClientTokens
from pokitdok_ext._clock import Clock
from pokitdok_ext._errors import TokenError
from pokitdok_ext._grants import ClientCredentials
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._sources import CallableSource, StaticToken
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route
from pokitdok_ext._tokens import Secret

SECRET = "canary-s3cr3t-pa55"
TOKEN = "canary-t0ken-abcdef"
BASE = "https://api.pokitdok.test"
BASIC = base64.b64encode(f"id:{SECRET}".encode()).decode()
PLANTED = (SECRET, TOKEN, BASIC)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any logger says, at DEBUG."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def assert_clean(text: str) -> None:
    found = [name for name, value in zip(("secret", "token", "Basic pair"), PLANTED, strict=True) if value in text]
    assert found == [], "a planted value is shown"


def shown(value: object, depth: int = 5) -> str:
    """What repr, str, format and vars show of a value and of what hangs on it."""
    parts = [repr(value), str(value), f"{value}"]
    if depth and hasattr(value, "__dict__") and type(value).__module__.startswith(("pokitdok", "weakref")):
        parts += [shown(item, depth - 1) for item in vars(value).values()]
    return "\n".join(parts)


def chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += [current.__cause__, current.__context__]


def told(error: BaseException) -> str:
    """All that an error tells: texts, attributes, requests, and a traceback with the locals of our frames."""
    parts: list[str] = []
    for one in chain(error):
        parts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        request = getattr(one, "_request", None)
        if request is not None:
            parts += [str(dict(request.headers)), repr(request.content)]
        stack = traceback.TracebackException.from_exception(one, capture_locals=True)
        for frame in stack.stack:
            if "pokitdok_ext" in frame.filename:
                parts.append(repr(frame.locals))
    return "\n".join(parts)


def answer(status: int, body: object) -> Callable[[httpx.Request], httpx.Response]:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return lambda _: httpx.Response(status, content=raw)


def echo(request: httpx.Request) -> httpx.Response:
    """A server that sends back all it got."""
    everything = {**request.headers, "body": request.content.decode()}
    return httpx.Response(400, json={"error": f"{SECRET}", "error_description": everything})


def broken(kind: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def fail(request: httpx.Request) -> httpx.Response:
        raise kind(f"Illegal header value b'Basic {BASIC}'", request=request) from OSError(f"'{SECRET}'")

    return fail


GIVEN = {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}


@pytest.mark.parametrize("style", ["basic", "body"])
@pytest.mark.parametrize(
    "server",
    [
        pytest.param(echo, id="400 that echoes the request"),
        pytest.param(answer(400, {"error": "invalid_client", "error_description": SECRET}), id="invalid_client"),
        pytest.param(answer(401, SECRET), id="401"),
        pytest.param(answer(403, SECRET), id="403"),
        pytest.param(answer(429, SECRET), id="429"),
        pytest.param(answer(500, f"<p>{SECRET} {TOKEN}</p>"), id="500 with HTML"),
        pytest.param(answer(302, SECRET), id="redirect"),
        pytest.param(answer(200, f'{{"access_token": "{TOKEN}", "expi'), id="truncated JSON"),
        pytest.param(answer(200, {**GIVEN, "token_type": SECRET}), id="not a bearer token"),
        pytest.param(answer(200, {**GIVEN, "access_token": f"{TOKEN}\n"}), id="control characters"),
        pytest.param(answer(200, {**GIVEN, "error": SECRET}), id="200 with error"),
        pytest.param(broken(httpx.ConnectError), id="connection refused"),
        pytest.param(broken(httpx.ReadTimeout), id="timeout"),
        pytest.param(broken(httpx.LocalProtocolError), id="protocol error that quotes the header"),
    ],
)
def test_failed_fetch_shows_no_secret(
    server: Callable[[httpx.Request], httpx.Response], style: Any, log: io.StringIO
) -> None:
    route = Route(httpx.MockTransport(server))
    source = ClientCredentials(TokenEndpoint(BASE, "id", Secret(SECRET), style=style, route=route))
    manager = TokenManager(source, clock=Clock(sleep=lambda _: None))
    with pytest.raises(TokenError) as caught:
        manager.get()
    assert_clean(told(caught.value))
    assert_clean(shown(manager))
    assert_clean(log.getvalue())
    with pytest.raises(TokenError) as again:
        manager.get()
    assert_clean(told(again.value))
    assert_clean(pickle.dumps(again.value).decode("latin-1"))


def platform(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/oauth2/token":
        return httpx.Response(200, json=GIVEN)
    return httpx.Response(401 if request.url.path == "/refused" else 200, json={})


def test_working_client_shows_no_secret(log: io.StringIO) -> None:
    transport = httpx.MockTransport(platform)
    source = ClientCredentials(TokenEndpoint(BASE, "id", Secret(SECRET), route=Route(transport)))
    tokens = ClientTokens(TokenManager(source))
    auth = TokenAuth(tokens, [BASE])
    with httpx.Client(base_url=BASE, auth=auth, transport=transport) as client:
        response = client.get("/fine")
        with pytest.raises(PokitDokError) as caught:
            client.get("/refused", extensions={"pokitdok.operation": GET_ACTIVITY})
    assert "HTTP Request: POST https://api.pokitdok.test/oauth2/token" in log.getvalue(), "nothing was logged at all"
    assert_clean(log.getvalue())
    assert_clean(str(caught.value) + repr(vars(caught.value)))
    assert_clean(str(dict(response.request.headers)))
    for thing in (source, tokens, tokens.manager, tokens.state(), tokens.manager.get(), auth):
        assert_clean(shown(thing))
    with pytest.raises(TypeError, match="not pickled"):
        asdict(tokens.manager.get())


def test_connected_client_shows_no_secret(log: io.StringIO) -> None:
    transport = httpx.MockTransport(platform)
    with connect("id", SECRET, base_url=BASE, transport=transport) as client:
        client.tokens.warm()
        assert_clean(shown(client))
        assert_clean(shown(client.tokens.state()))
    assert_clean(log.getvalue())


@pytest.mark.parametrize("source", [StaticToken(TOKEN), CallableSource(lambda: TOKEN)], ids=["static", "provider"])
def test_given_token_is_not_shown(source: Any) -> None:
    manager = TokenManager(source)
    assert manager.get().value.reveal() == TOKEN
    assert_clean(shown(source) + shown(manager) + shown(manager.get()))


@pytest.mark.parametrize(
    "show", [repr, str, format, "{:>40}".format, "%s".__mod__, lambda s: json.dumps(s, default=str)]
)
def test_secret_never_appears_in_a_text(show: Callable[[Secret], str]) -> None:
    try:
        text = show(Secret(SECRET))
    except TypeError as error:
        text = str(error)
    assert_clean(text)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secret_is_not_pickled_or_copied(take: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        take(Secret(SECRET))


def test_secret_has_no_vars() -> None:
    with pytest.raises(TypeError):
        vars(Secret(SECRET))


def test_failed_revocation_shows_no_token(log: io.StringIO) -> None:
    """It is raised to the caller, so a traceback with locals may show the frames it came through."""

    def refusing(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, text=TOKEN) if request.url.path == "/oauth2/revoke" else platform(request)

    with connect("id", SECRET, base_url=BASE, transport=httpx.MockTransport(refusing)) as client:
        client.tokens.warm()
        with pytest.raises(TokenError, match="not revoked") as caught:
            client.tokens.revoke()
    assert_clean(told(caught.value))
    assert_clean(log.getvalue())
