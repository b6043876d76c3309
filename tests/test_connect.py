"""`connect()`: what it accepts, what it refuses and how it says so, and one token for everybody."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import threading
import warnings
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

import pokitdok_ext
from pokitdok_api.api.activities import list_activities
from pokitdok_ext import (
    ClientClosedError,
    ConfigurationError,
    FileStore,
    InvalidClientError,
    TokenRefusedError,
    TokenUnavailableError,
    connect,
)
from pokitdok_ext.settings import _shared_context

BASE = "https://api.pokitdok.test"
SECRET = "sup3r-s3cret-value"


class Platform(httpx.MockTransport):
    """A token endpoint and one listing behind it; counts and remembers what it is asked."""

    def __init__(self, *, secret: str = SECRET) -> None:
        self.counts: Counter[str] = Counter()
        self.requests: list[httpx.Request] = []
        self._secret = secret
        self._lock = threading.Lock()
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.counts[request.url.path] += 1
            self.requests.append(request)
        if request.url.path == "/oauth2/token":
            header = "Basic " + base64.b64encode(f"id:{self._secret}".encode()).decode()
            if (
                request.headers.get("authorization") != header
                and f"client_secret={self._secret}" not in request.content.decode()
            ):
                return httpx.Response(400, json={"error": "invalid_client"})
            token = f"token-{self.counts['/oauth2/token']}"
            return httpx.Response(200, json={"access_token": token, "token_type": "bearer", "expires_in": 3600})
        if request.headers.get("authorization") not in {"Bearer token-1", "Bearer mine"}:
            return httpx.Response(401, json={"message": "Unauthorized"})
        return httpx.Response(200, json={"meta": {"processing_time": 1}, "data": []})

    @property
    def token_requests(self) -> int:
        return self.counts["/oauth2/token"]


@pytest.fixture
def platform() -> Platform:
    return Platform()


def through(platform: Platform) -> dict[str, Any]:
    return {"base_url": BASE, "transport": platform, "async_transport": platform}


# --- one token ------------------------------------------------------------------------------------


def test_one_token_serves_sync_and_async_calls(platform: Platform) -> None:
    async def call() -> None:
        await list_activities.asyncio(client=client)

    with connect("id", SECRET, **through(platform)) as client:
        list_activities.sync(client=client)
        asyncio.run(call())
        asyncio.run(call())
        state = client.tokens.state()
    assert (platform.token_requests, platform.counts["/api/v4/activities/"]) == (1, 3)
    assert (state.phase, state.fetches, state.failures) == ("fresh", 1, 0)


def test_hundred_cold_threads_make_one_token_request(platform: Platform) -> None:
    barrier = threading.Barrier(100)
    failures: list[BaseException] = []

    def call() -> None:
        barrier.wait(30)
        try:
            list_activities.sync(client=client)
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    with connect("id", SECRET, **through(platform)) as client:
        threads = [threading.Thread(target=call) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert failures == []
    assert (platform.token_requests, platform.counts["/api/v4/activities/"]) == (1, 100)


async def test_hundred_cold_tasks_make_one_token_request(platform: Platform) -> None:
    async with connect("id", SECRET, **through(platform)) as client:
        await asyncio.gather(*(list_activities.asyncio(client=client) for _ in range(100)))
    assert (platform.token_requests, platform.counts["/api/v4/activities/"]) == (1, 100)


def test_clients_with_the_same_credentials_share_the_token(platform: Platform) -> None:
    with connect("id", SECRET, **through(platform)) as one, connect("id", SECRET, **through(platform)) as other:
        list_activities.sync(client=one)
        list_activities.sync(client=other)
        one.close()
        list_activities.sync(client=other)
    assert platform.token_requests == 1


def test_client_with_another_secret_cannot_ride_on_the_token(platform: Platform) -> None:
    with connect("id", SECRET, **through(platform)) as right, connect("id", "wrong", **through(platform)) as wrong:
        list_activities.sync(client=right)
        with pytest.raises(InvalidClientError, match="check client_id and client_secret") as caught:
            list_activities.sync(client=wrong)
    assert "wrong" not in str(caught.value)


def test_clients_with_different_static_tokens_stay_apart(platform: Platform) -> None:
    with (
        connect(token="mine", **through(platform)) as good,
        connect(token="theirs", **through(platform)) as bad,
    ):
        list_activities.sync(client=good)
        with pytest.raises(TokenRefusedError, match="the token you passed was refused"):
            list_activities.sync(client=bad)
        list_activities.sync(client=good)
    assert platform.token_requests == 0


def test_provider_is_called_once(platform: Platform) -> None:
    calls: list[str] = []

    def provider() -> str:
        calls.append("called")
        return "mine"

    with connect(token_provider=provider, **through(platform)) as client:
        list_activities.sync(client=client)
        list_activities.sync(client=client)
    assert calls == ["called"]


def test_warm_shows_wrong_credentials_at_start_up(platform: Platform) -> None:
    with connect("id", "wrong", **through(platform)) as client, pytest.raises(InvalidClientError):
        client.tokens.warm()
    assert platform.counts == {"/oauth2/token": 1}


async def test_closed_client_says_so(platform: Platform) -> None:
    client = connect("id", SECRET, **through(platform))
    client.close()
    with pytest.raises(ClientClosedError, match=r"connect\(\)"):
        client.tokens.warm()
    assert platform.token_requests == 0


# --- what is sent ---------------------------------------------------------------------------------


def test_requests_say_who_asks_and_nothing_about_the_machine(platform: Platform) -> None:
    with connect("id", SECRET, **through(platform)) as client:
        list_activities.sync(client=client)
    agents = {request.headers["user-agent"] for request in platform.requests}
    (agent,) = agents
    names = [part.partition("/")[0] for part in agent.split()]
    assert names == ["pokitdok-client", "python", "httpx"]
    assert pokitdok_ext.__version__ in agent


def test_credentials_can_go_in_the_body(platform: Platform) -> None:
    with connect("id", SECRET, client_auth="body", **through(platform)) as client:
        list_activities.sync(client=client)
    assert "authorization" not in platform.requests[0].headers
    assert platform.token_requests == 1


def test_async_only_transport_serves_tokens_too() -> None:
    platform = Platform()

    class AsyncOnly(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return await platform.handle_async_request(request)

    async def call() -> None:
        async with connect("id", SECRET, base_url=BASE, async_transport=AsyncOnly()) as client:
            await list_activities.asyncio(client=client)

    asyncio.run(call())
    assert platform.token_requests == 1


# --- where credentials come from ------------------------------------------------------------------


def test_environment_gives_credentials_and_base_url(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKITDOK_CLIENT_ID", "id")
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("POKITDOK_BASE_URL", BASE + "/")
    with connect(transport=platform) as client:
        list_activities.sync(client=client)
    assert platform.requests[0].url == f"{BASE}/oauth2/token"


def test_arguments_beat_the_environment(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKITDOK_CLIENT_ID", "other")
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", "other")
    monkeypatch.setenv("POKITDOK_BASE_URL", "https://other.example")
    with connect("id", SECRET, **through(platform)) as client:
        list_activities.sync(client=client)
    with connect(token="mine", **through(platform)) as client:
        list_activities.sync(client=client)
    assert {request.url.host for request in platform.requests} == {"api.pokitdok.test"}
    assert platform.token_requests == 1


def provider() -> str:
    return "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param({}, "no credentials", id="nothing"),
        pytest.param({"client_id": "id"}, "no client_secret", id="id without secret"),
        pytest.param({"client_secret": SECRET}, "no client_id", id="secret without id"),
        pytest.param({"client_id": "id", "client_secret": ""}, "no client_secret", id="empty secret"),
        pytest.param({"token": "mine", "client_id": "id"}, "more than one kind", id="token and id"),
        pytest.param({"token": "mine", "client_secret": SECRET}, "more than one kind", id="token and secret"),
        pytest.param({"token": "mine", "token_provider": provider}, "more than one kind", id="token and provider"),
        pytest.param(
            {"client_id": "id", "client_secret": SECRET, "token_provider": provider}, "more than one kind", id="both"
        ),
        pytest.param({"token": ""}, "token is empty", id="empty token"),
        pytest.param({"token": "mine", "httpx_args": {"auth": ("a", "b")}}, "auth", id="auth among httpx_args"),
        pytest.param({"token": "mine", "httpx_args": {"follow_redirects": True}}, "follow_redirects", id="redirects"),
    ],
)
def test_wrong_arguments_are_named_with_the_remedy(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        connect(**arguments, base_url=BASE)
    assert SECRET not in str(caught.value)
    assert "mine" not in str(caught.value)


def test_credential_errors_show_every_kind() -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(base_url=BASE)
    for way in ("connect(client_id, client_secret)", "POKITDOK_CLIENT_SECRET", "token=", "token_provider="):
        assert way in str(caught.value)


def test_what_does_not_go_together_is_named() -> None:
    """Each with the arguments that are at odds."""
    for arguments, says in [
        ({"token": "t", "scope": "user_schedule"}, "scope"),
        ({"token": "t", "store": FileStore.__new__(FileStore)}, "store"),
        ({"token_provider": str, "store": FileStore.__new__(FileStore)}, "account"),
        ({"client_id": "i", "client_secret": "s", "redirect_uri": "https://a.test"}, "redirect_uri"),
        ({"client_id": "i", "client_secret": "s", "httpx_args": {"verify": False}}, "unverified_token_endpoint"),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            connect(base_url=BASE, **arguments)


def test_store_is_asked_for_an_account_where_the_application_does_not_tell_whose_token_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="account"):
        connect("id", "secret", code="c", base_url=BASE, store=FileStore(tmp_path / "tokens"))


# --- TLS ------------------------------------------------------------------------------------------


def test_tls_is_1_2_or_newer_whatever_the_machine_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    lax = ssl.create_default_context()
    lax.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: lax)
    made: list[Any] = []
    network = httpx.MockTransport(lambda _request: httpx.Response(200, json={"meta": {}, "data": []}))
    monkeypatch.setattr(httpx, "HTTPTransport", lambda **options: made.append(options["verify"]) or network)
    _shared_context.cache_clear()
    try:
        list_activities.sync(client=connect(token="t", base_url=BASE))
    finally:
        _shared_context.cache_clear()
    assert [context.minimum_version for context in made] == [ssl.TLSVersion.TLSv1_2]


def test_client_of_this_machine_reads_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http needs none, and to read them takes as long as importing httpx. A proxy reached by TLS needs them."""
    monkeypatch.setattr(ssl, "create_default_context", None)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    made: list[Any] = []
    network = httpx.MockTransport(lambda _request: httpx.Response(200, json={"meta": {}, "data": []}))
    monkeypatch.setattr(httpx, "HTTPTransport", lambda **options: made.append(options["verify"]) or network)
    list_activities.sync(client=connect(token="t", base_url="http://127.0.0.1:1"))
    assert [(each.verify_mode, each.get_ca_certs()) for each in made] == [(ssl.CERT_REQUIRED, [])]
    _shared_context.cache_clear()
    with pytest.raises(TypeError, match="not callable"):
        connect("id", "other", base_url="http://127.0.0.1:1", httpx_args={"proxy": "https://localhost:1"})


def test_clients_with_the_same_authorities_read_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    original = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda **options: made.append(1) or original(**options))
    _shared_context.cache_clear()
    for _ in range(3):
        connect("id", "secret", base_url=BASE)
    assert len(made) == 1


# --- where requests may go ------------------------------------------------------------------------


def test_missing_base_url_shows_the_sandbox_command() -> None:
    with pytest.raises(ConfigurationError, match="python -m pokitdok_sandbox") as caught:
        connect("id", SECRET)
    assert "POKITDOK_BASE_URL" in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:8400",
        "http://127.0.0.1:8400",
        "http://127.0.0.1:8400/",
        "http://[::1]:8400",
        "http://localhost",
        "https://api.pokitdok.test",
        "https://api.pokitdok.test:8443/",
        "https://API.pokitdok.test",
    ],
)
def test_hosts_that_are_allowed(base_url: str) -> None:
    with connect(token="mine", base_url=base_url) as client:
        assert str(client.base_url).rstrip("/") == base_url.rstrip("/").lower().replace("api.P", "api.p")


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("http://api.pokitdok.test", "use https"),
        ("http://localhost.evil.example", "use https"),
        ("http://127.0.0.1.evil.example", "use https"),
        ("http://localhost@evil.example", "leave out"),
        ("http://evil.example#localhost", "leave out"),
        ("http://localhost.", "address of a host"),
        ("https://api.pokitdok.test.", "address of a host"),
        ("http://LOCALHOST:8400", "written like that"),
        ("http://127.1", "use https"),
        ("http://127.0.0.2", "use https"),
        ("http://0.0.0.0:8400", "use https"),
        ("http://[::ffff:127.0.0.1]", "use https"),
        ("https://api.pokitdok.test/api/v4", "leave out path"),
        ("https://api.pokitdok.test?x=1", "leave out path"),
        ("https://user:pass@api.pokitdok.test", "leave out path"),
        ("api.pokitdok.test", "https://"),
        ("ftp://api.pokitdok.test", "https://"),
        ("https://", "https://"),
        ("https://api.pokitdok.test:port", "https://"),
        ("https://api.pokit\ndok.test", "https://"),
    ],
)
def test_hosts_that_are_refused(base_url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        connect("id", SECRET, base_url=base_url)
    assert "pass@" not in str(caught.value)


def test_connect_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("connect() used the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with connect("id", SECRET, base_url=BASE) as client:
        assert client.tokens.state().fetches == 0


def test_unreachable_server_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with connect("id", SECRET, base_url=url) as client, pytest.raises(TokenUnavailableError) as caught:
            list_activities.sync(client=client)
    assert str(caught.value).startswith(f"POST {url}/oauth2/token: no answer (ConnectError)")
    assert "check that the server runs" in str(caught.value)


# --- forks ----------------------------------------------------------------------------------------


class Counting(BaseHTTPRequestHandler):
    """Keeps connections open, and says by which one a request came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"meta": {"processing_time": self.client_address[1]}, "data": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def test_child_of_a_fork_has_connections_of_its_own() -> None:
    """Two processes on one connection would read each other's answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def connection_used() -> int:
        return list_activities.sync(client=client).meta.processing_time or 0

    try:
        with connect(token="t", base_url=f"http://127.0.0.1:{server.server_port}") as client:
            before = connection_used()
            reader, writer = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of threads
                child = os.fork()
            if child == 0:
                try:
                    os.write(writer, str(connection_used()).encode())
                finally:
                    os._exit(0)
            os.close(writer)
            with os.fdopen(reader) as pipe:
                in_the_child = int(pipe.read())
            os.waitpid(child, 0)
            assert in_the_child not in {0, before}
            assert connection_used() == before, "the child did not close it"
    finally:
        server.shutdown()
        server.server_close()
