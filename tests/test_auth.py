"""Signing requests and answering a 401, through real httpx clients on a fake API."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from pokitdok_api._operations import GET_ACTIVITY, SUBMIT_CLAIM
from pokitdok_api.api.claims import convert_claims
from pokitdok_api.errors import AuthenticationError
from pokitdok_api.models import ClaimConvertUpload
from pokitdok_api.types import File
from pokitdok_ext import TokenPolicy, connect
from pokitdok_ext._auth import TokenAuth
from pokitdok_ext._client_tokens import ClientTokens
from pokitdok_ext._clock import Clock
from pokitdok_ext._errors import ConfigurationError, TokenRefusedError, TokenUnavailableError
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._sources import CallableSource, StaticToken, TokenSource
from pokitdok_ext.testing.token_server import FakeTokenServer

BASE = "https://api.pokitdok.test"
OURS = {"pokitdok.operation": GET_ACTIVITY}
"""What the generated functions put on each request."""


class Api:
    """Answers 200 to the tokens it likes and 401 to the others; remembers every request with its body."""

    def __init__(self, likes: Callable[[str], bool] = lambda _: True) -> None:
        self.likes = likes
        self.seen: list[tuple[str, str | None, bytes]] = []
        self.challenge: dict[str, str] = {}

    def handle(self, request: httpx.Request, body: bytes) -> httpx.Response:
        token = request.headers.get("authorization")
        self.seen.append((str(request.url), token, body))
        if token is not None and self.likes(token.removeprefix("Bearer ")):
            return httpx.Response(200, json={"ok": True})
        return httpx.Response(401, json={"message": "Unauthorized"}, headers=self.challenge)

    @property
    def tokens(self) -> list[str | None]:
        return [token for _, token, _ in self.seen]


class Issuer:
    """A provider that counts: token-1, token-2, ..."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, object]:
        self.calls += 1
        return {"access_token": f"token-{self.calls}", "expires_in": 3600}


class Wire(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Takes the body off the stream as a socket does; `httpx.MockTransport` would read it into memory first."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        return self._api.handle(request, b"".join(request.stream))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return self._api.handle(request, b"".join([part async for part in request.stream]))


def tokens_from(source: TokenSource) -> ClientTokens:
    return ClientTokens(TokenManager(source))


def auth_for(tokens: ClientTokens, base: str = BASE) -> TokenAuth:
    return TokenAuth(tokens, [base])


def sync_client(api: Api, tokens: ClientTokens) -> httpx.Client:
    return httpx.Client(base_url=BASE, auth=auth_for(tokens), transport=Wire(api))


def async_client(api: Api, tokens: ClientTokens) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=BASE, auth=auth_for(tokens), transport=Wire(api))


def newer(token: str) -> bool:
    """Only the first token was revoked."""
    return token != "token-1"


def test_request_carries_the_token_and_the_next_reuses_it() -> None:
    api, issuer = Api(), Issuer()
    with sync_client(api, tokens_from(CallableSource(issuer))) as client:
        assert client.get("/a").status_code == 200
        assert client.get("/b").status_code == 200
    assert api.tokens == ["Bearer token-1", "Bearer token-1"]
    assert issuer.calls == 1


# --- where a token may go -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://other.example/x", id="another host"),
        pytest.param("https://api.pokitdok.test.evil.example/x", id="a host that begins like ours"),
        pytest.param("https://sub.api.pokitdok.test/x", id="a subdomain"),
        pytest.param("https://api.pokitdok.test:8443/x", id="another port"),
    ],
)
def test_other_origin_gets_no_token_and_costs_no_fetch(url: str) -> None:
    api, issuer = Api(), Issuer()
    with sync_client(api, tokens_from(CallableSource(issuer))) as client:
        assert client.get(url).status_code == 401
    assert api.seen == [(url, None, b"")]
    assert issuer.calls == 0


@pytest.mark.parametrize("url", ["https://API.pokitdok.test/x", "https://api.pokitdok.test:443/x"])
def test_same_origin_written_otherwise_gets_the_token(url: str) -> None:
    api = Api()
    with sync_client(api, tokens_from(CallableSource(Issuer()))) as client:
        assert client.get(url).status_code == 200


@pytest.mark.parametrize("url", ["http://api.pokitdok.test/x", "http://other.example/x"])
def test_plain_http_from_an_https_client_is_refused_before_it_is_sent(url: str) -> None:
    api = Api()
    with sync_client(api, tokens_from(CallableSource(Issuer()))) as client, pytest.raises(ConfigurationError):
        client.get(url)
    assert api.seen == []


async def test_own_authorization_header_switches_everything_off() -> None:
    api, issuer = Api(likes=lambda _: False), Issuer()
    async with async_client(api, tokens_from(CallableSource(issuer))) as client:
        response = await client.get("/a", headers={"Authorization": "Bearer mine"})
    assert response.status_code == 401
    assert api.tokens == ["Bearer mine"]
    assert issuer.calls == 0


# --- 401 ------------------------------------------------------------------------------------------


def test_401_replays_a_post_once_with_a_new_token() -> None:
    api, tokens = Api(newer), tokens_from(CallableSource(Issuer()))
    with sync_client(api, tokens) as client:
        assert client.post("/a", json={"n": 1}).status_code == 200
    body = json.dumps({"n": 1}, separators=(",", ":")).encode()
    assert api.seen == [(f"{BASE}/a", "Bearer token-1", body), (f"{BASE}/a", "Bearer token-2", body)]
    assert tokens.state().replays == 1


async def test_401_replays_a_post_of_an_async_client() -> None:
    api = Api(newer)
    async with async_client(api, tokens_from(CallableSource(Issuer()))) as client:
        assert (await client.post("/a", content=b"bytes")).status_code == 200
    assert [body for _, _, body in api.seen] == [b"bytes", b"bytes"]


async def test_sixty_tasks_refused_at_once_renew_once_and_all_replay() -> None:
    issuer = Issuer()
    tokens = tokens_from(CallableSource(issuer))
    arrived = 0
    together = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal arrived
        if request.headers["authorization"] == "Bearer token-1":
            arrived += 1
            if arrived == 60:
                together.set()
            await together.wait()
            return httpx.Response(401)
        return httpx.Response(200)

    async with httpx.AsyncClient(base_url=BASE, auth=auth_for(tokens), transport=httpx.MockTransport(answer)) as client:
        statuses = [response.status_code for response in await asyncio.gather(*(client.get("/a") for _ in range(60)))]
    assert statuses == [200] * 60
    assert issuer.calls == 2
    assert tokens.state().replays == 60


def generated() -> Iterator[bytes]:
    yield b"only once"


async def generated_later() -> AsyncIterator[bytes]:
    yield b"only once"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda: {"content": generated()}, id="generator"),
        pytest.param(lambda: {"content": io.BytesIO(b"only once")}, id="file object"),
        pytest.param(lambda: {"files": {"f": io.BytesIO(b"only once")}}, id="multipart"),
    ],
)
def test_streamed_body_is_not_sent_again_and_the_next_call_has_a_new_token(body: Callable[[], Any]) -> None:
    api = Api(newer)
    with sync_client(api, tokens_from(CallableSource(Issuer()))) as client:
        with pytest.raises(TokenRefusedError, match="cannot be sent twice"):
            client.post("/a", extensions=OURS, **body())
        assert len(api.seen) == 1
        assert b"only once" in api.seen[0][2]
        assert client.post("/a", **body()).status_code == 200
    assert api.tokens == ["Bearer token-1", "Bearer token-2"]


async def test_streamed_body_of_an_async_client_is_not_sent_again() -> None:
    api = Api(newer)
    async with async_client(api, tokens_from(CallableSource(Issuer()))) as client:
        with pytest.raises(TokenRefusedError, match="cannot be sent twice"):
            await client.post("/a", content=generated_later(), extensions=OURS)
    assert len(api.seen) == 1


def test_brake_stops_renewals_if_every_token_is_refused() -> None:
    api, issuer = Api(likes=lambda _: False), Issuer()
    tokens = tokens_from(CallableSource(issuer))
    with sync_client(api, tokens) as client:
        for _ in range(100):
            with pytest.raises(TokenRefusedError, match="brand-new token was refused"):
                client.get("/a", extensions=OURS)
    assert issuer.calls == 2
    assert len(api.seen) == 101
    assert tokens.state().brakes == 99


def test_refused_static_token_is_named_and_never_renewed() -> None:
    api = Api(likes=lambda _: False)
    with sync_client(api, tokens_from(StaticToken("mine"))) as client:
        for _ in range(2):
            with pytest.raises(TokenRefusedError, match="the token you passed was refused"):
                client.get("/a", extensions=OURS)
    assert api.tokens == ["Bearer mine", "Bearer mine"]


@pytest.mark.parametrize(
    "challenge",
    ['Bearer error="insufficient_scope"', 'Bearer realm="x", error="invalid_request"', "Bearer error=invalid_request"],
)
def test_401_that_is_not_about_the_token_reaches_the_caller(challenge: str) -> None:
    api, issuer = Api(likes=lambda _: False), Issuer()
    api.challenge = {"WWW-Authenticate": challenge}
    with sync_client(api, tokens_from(CallableSource(issuer))) as client:
        assert client.get("/a").status_code == 401
    assert (len(api.seen), issuer.calls) == (1, 1)


def test_401_with_invalid_token_renews() -> None:
    api, issuer = Api(newer), Issuer()
    api.challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    with sync_client(api, tokens_from(CallableSource(issuer))) as client:
        assert client.get("/a").status_code == 200
    assert issuer.calls == 2


def test_401_from_another_host_after_a_redirect_renews_nothing() -> None:
    issuer = Issuer()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.pokitdok.test":
            return httpx.Response(302, headers={"location": "https://other.example/x"})
        assert "authorization" not in request.headers
        return httpx.Response(401)

    auth = auth_for(tokens_from(CallableSource(issuer)))
    with httpx.Client(base_url=BASE, auth=auth, transport=httpx.MockTransport(answer), follow_redirects=True) as client:
        assert client.get("/a").status_code == 401
    assert issuer.calls == 1


def test_failed_renewal_reaches_the_caller() -> None:
    answers = iter(["token-1"])

    def provider() -> str:
        return next(answers)

    clock = Clock(sleep=lambda _: None)
    tokens = ClientTokens(TokenManager(CallableSource(provider), clock=clock))
    with sync_client(Api(newer), tokens) as client, pytest.raises(TokenUnavailableError, match="StopIteration"):
        client.get("/a")


# --- behaviour inside httpx -----------------------------------------------------------------------


def test_streamed_response_is_not_read_by_the_flow() -> None:
    read: list[bytes] = []

    def slowly() -> Iterator[bytes]:
        for part in (b"a", b"b"):
            read.append(part)
            yield part

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=slowly())

    auth = auth_for(tokens_from(CallableSource(Issuer())))
    with (
        httpx.Client(base_url=BASE, auth=auth, transport=httpx.MockTransport(answer)) as client,
        client.stream("GET", "/a") as response,
    ):
        assert read == []
        assert response.read() == b"ab"


def test_header_comes_off_so_that_a_request_can_be_sent_again() -> None:
    """Left on, it would pass for the caller's own and never be renewed."""
    api, tokens = Api(), tokens_from(CallableSource(Issuer()))
    with sync_client(api, tokens) as client:
        request = client.build_request("GET", "/a")
        assert client.send(request).status_code == 200
        assert "authorization" not in request.headers
        tokens.invalidate()
        assert client.send(request).status_code == 200
    assert api.tokens == ["Bearer token-1", "Bearer token-2"]


def test_error_of_the_transport_passes_through_and_shows_no_token() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    auth = auth_for(tokens_from(CallableSource(Issuer())))
    with (
        httpx.Client(base_url=BASE, auth=auth, transport=httpx.MockTransport(fail)) as client,
        pytest.raises(httpx.ReadTimeout) as caught,
    ):
        client.get("/a")
    assert "token-1" not in str(dict(caught.value.request.headers))


async def test_flow_closed_by_another_task_leaves_later_requests_unharmed() -> None:
    api, tokens = Api(), tokens_from(CallableSource(Issuer()))
    auth = auth_for(tokens)
    flow = auth.async_auth_flow(httpx.Request("GET", f"{BASE}/a"))
    await anext(flow)
    await asyncio.create_task(flow.aclose())
    async with async_client(api, tokens) as client:
        assert (await client.get("/a")).status_code == 200


async def test_cancelled_request_leaves_the_fetch_to_the_next() -> None:
    gate, entered = threading.Event(), threading.Event()
    calls = 0

    def provider() -> str:
        nonlocal calls
        calls += 1
        entered.set()
        assert gate.wait(10)
        return "token-1"

    api = Api()
    async with async_client(api, tokens_from(CallableSource(provider))) as client:
        first = asyncio.create_task(client.get("/a"))
        assert await asyncio.to_thread(entered.wait, 10)
        first.cancel()
        second = asyncio.create_task(client.get("/b"))
        await asyncio.sleep(0)
        gate.set()
        assert (await second).status_code == 200
        with pytest.raises(asyncio.CancelledError):
            await first
    assert calls == 1


def test_error_names_the_operation_and_never_the_real_path() -> None:
    api = Api(likes=lambda _: False)
    with sync_client(api, tokens_from(StaticToken("mine"))) as client, pytest.raises(AuthenticationError) as caught:
        client.get("/api/v4/activities/5f0", extensions=OURS)
    error = caught.value
    assert isinstance(error, TokenRefusedError)
    assert str(error).startswith("get_activity: GET /api/v4/activities/{activity_id} was answered 401: the token you")
    assert "5f0" not in str(error)
    assert (error.status_code, error.operation, error.body) == (401, GET_ACTIVITY, None)
    assert str(copy.copy(error)) == str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_request_made_by_hand_gets_the_401_itself() -> None:
    api = Api(likes=lambda _: False)
    with sync_client(api, tokens_from(StaticToken("mine"))) as client:
        response = client.get("/a")
    assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})


# --- what a policy changes ------------------------------------------------------------------------


def client_with(policy: TokenPolicy, api: Api, issuer: Issuer) -> httpx.Client:
    tokens = ClientTokens(TokenManager(CallableSource(issuer), policy=policy))
    return httpx.Client(base_url=BASE, auth=TokenAuth(tokens, [BASE, *policy.origins], policy), transport=Wire(api))


def test_unsafe_request_is_not_replayed_if_the_policy_says_so() -> None:
    """The token is renewed all the same, and a request that only asks is replayed."""
    api, issuer = Api(newer), Issuer()
    with client_with(TokenPolicy(replay_unsafe=False), api, issuer) as client:
        with pytest.raises(TokenRefusedError, match="replay_unsafe"):
            client.post("/claims/", json={}, extensions={"pokitdok.operation": SUBMIT_CLAIM})
        assert len(api.seen) == 1
        assert client.post("/claims/", json={}, extensions={"pokitdok.operation": SUBMIT_CLAIM}).status_code == 200
    assert issuer.calls == 2

    api, issuer = Api(newer), Issuer()
    with client_with(TokenPolicy(replay_unsafe=False), api, issuer) as client:
        assert client.get("/activities/", extensions=OURS).status_code == 200
    assert len(api.seen) == 2


def test_refusal_can_be_told_by_a_403_and_its_body() -> None:
    class Forbidding(Api):
        def handle(self, request: httpx.Request, body: bytes) -> httpx.Response:
            answer = super().handle(request, body)
            return answer if answer.status_code == 200 else httpx.Response(403, json={"message": "token expired"})

    api, issuer = Forbidding(newer), Issuer()
    policy = TokenPolicy(is_refused=lambda answer: answer.status_code == 403 and "token expired" in answer.text)
    with client_with(policy, api, issuer) as client:
        assert client.post("/a", json={}).status_code == 200
    assert (len(api.seen), issuer.calls) == (2, 2)


async def test_rule_of_the_users_own_sees_the_body_in_an_async_client_too() -> None:
    class Forbidding(Api):
        def handle(self, request: httpx.Request, body: bytes) -> httpx.Response:
            answer = super().handle(request, body)
            return answer if answer.status_code == 200 else httpx.Response(403, content=b"token expired")

    policy = TokenPolicy(is_refused=lambda answer: answer.content == b"token expired")
    api = Forbidding(newer)
    tokens = ClientTokens(TokenManager(CallableSource(Issuer()), policy=policy))
    async with httpx.AsyncClient(base_url=BASE, auth=TokenAuth(tokens, [BASE], policy), transport=Wire(api)) as client:
        assert (await client.get("/a")).status_code == 200


def test_token_goes_to_the_origins_on_the_list_and_nowhere_else() -> None:
    api = Api()
    with client_with(TokenPolicy(origins=("https://files.pokitdok.test",)), api, Issuer()) as client:
        client.get("https://files.pokitdok.test/x")
        client.get("https://files.pokitdok.test:8443/x")
        client.get("https://pokitdok.test/x")
    assert api.tokens == ["Bearer token-1", None, None]


def test_upload_of_a_typed_function_is_replayed_whole() -> None:
    """Its body was read into memory when the request was made, so a file object is sent again from its beginning."""
    server = FakeTokenServer(api=lambda _: httpx.Response(200, json={"meta": {"processing_time": 1}, "data": {}}))
    bodies: list[bytes] = []
    original = server.handle_request

    def remember(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return original(request)

    server.handle_request = remember  # type: ignore[method-assign]
    with connect("id", "secret", base_url=BASE, transport=server) as client:
        client.tokens.warm()
        server.revoke()
        upload = io.BytesIO(b"ISA*00*~IEA*1*000000001~")
        convert_claims.sync_detailed(client=client, body=ClaimConvertUpload(file=File(upload, "claims.837")))
    sent = [body for body in bodies if b"ISA*00*" in body]
    assert len(sent) == 2
    assert sent[0] == sent[1]
