"""Where secrets may go: TLS versions, certificates, loopback names and origins, each against real local servers.

Every refusal has its control: a client without our rules that the same server serves, so that the test can fail.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from pokitdok_api import Client
from pokitdok_api.api.activities import list_activities
from pokitdok_ext import ConfigurationError, TokenEndpointMovedError, TokenUnavailableError, connect

SECRET = "canary-secret-0f9b"
TOKEN = "canary-token-77aa"
LISTING = {"meta": {"processing_time": 1}, "data": []}
ISSUED = {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}


class Server(ThreadingHTTPServer):
    """A local server, with TLS if it has a context. It answers a token and a listing, or what ``answers`` says.

    Attributes:
        heard: Path and Authorization header of each request.
        handshakes: How many connections came through.
    """

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context
        self.heard: list[tuple[str, str | None]] = []
        self.handshakes = 0
        self.answers: dict[str, tuple[int, dict[str, str], Any]] = {"/oauth2/token": (200, {}, ISSUED)}
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:  # an ssl.SSLError, or the client went away
                return
        self.handshakes += 1
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers.get("content-length", 0)))
        server.heard.append((self.path, self.headers.get("authorization")))
        status, headers, body = server.answers.get(self.path, (200, {}, LISTING))
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen."""


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def other() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The authority is the one that this process trusts, as with the lines that `--tls` of the sandbox prints."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


def context_for(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def good(authority: trustme.CA) -> ssl.SSLContext:
    return context_for(authority.issue_cert("127.0.0.1"))


def expired(authority: trustme.CA) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return context_for(
        authority.issue_cert("127.0.0.1", not_before=now - timedelta(days=30), not_after=now - timedelta(days=1))
    )


def for_another_host(authority: trustme.CA) -> ssl.SSLContext:
    return context_for(authority.issue_cert("127.0.0.2", "api.example.org"))


def from_a_stranger(_authority: trustme.CA) -> ssl.SSLContext:
    return context_for(trustme.CA().issue_cert("127.0.0.1"))


def old(authority: trustme.CA) -> ssl.SSLContext:
    """TLS 1.0 and 1.1 only. Their signatures are below what OpenSSL's security level 1 takes."""
    context = good(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def permissive(cafile: Path) -> ssl.SSLContext:
    """A client context that takes any version, and any certificate of the authority's for any host and time."""
    context = ssl.create_default_context(cafile=cafile)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def call(client: Client, how: str) -> Any:
    if how == "sync":
        return list_activities.sync(client=client)

    async def later() -> Any:
        return await list_activities.asyncio(client=client)

    return asyncio.run(later())


@contextmanager
def connected(server: Server, first: str) -> Iterator[Client]:
    """A client whose first request goes to the token endpoint, or to the API."""
    credentials: dict[str, Any] = {"client_id": "id", "client_secret": SECRET} if first == "token" else {"token": TOKEN}
    with connect(base_url=server.url, **credentials) as client:
        yield client


# --- TLS ------------------------------------------------------------------------------------------

REFUSED = [expired, for_another_host, from_a_stranger, old]

needs_old_versions = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


@needs_old_versions
@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("first", ["token", "api"])
@pytest.mark.parametrize("make", REFUSED)
def test_a_server_that_does_not_prove_itself_hears_nothing(
    authority: trustme.CA, trusted: Path, make: Callable[[trustme.CA], ssl.SSLContext], first: str, how: str
) -> None:
    error = TokenUnavailableError if first == "token" else httpx.ConnectError
    with running(make(authority)) as server:
        with connected(server, first) as client, pytest.raises(error) as caught:
            call(client, how)
        assert (server.heard, server.handshakes) == ([], 0)

        with httpx.Client(verify=permissive(trusted)) as control:
            assert control.get(f"{server.url}/healthz").json() == LISTING, "the control client is served"
        assert server.handshakes == 1

    text = "".join(str(link) for link in chain(caught.value))
    assert SECRET not in text
    assert TOKEN not in text
    if first == "token":
        assert str(caught.value).startswith(f"POST {server.url}/oauth2/token: no answer")
        assert "check" in str(caught.value)
        if make is not old:
            assert "certificate" in str(caught.value)


@needs_old_versions
def test_the_control_client_speaks_tls_1_1_and_ours_would_be_told_by_its_server(
    authority: trustme.CA, trusted: Path
) -> None:
    with running(old(authority)) as server:
        address = ("127.0.0.1", server.server_address[1])
        with socket.create_connection(address) as plain, permissive(trusted).wrap_socket(plain) as tls:
            assert tls.version() == "TLSv1.1"
        modern = ssl.create_default_context(cafile=trusted)
        modern.minimum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(address) as plain, pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
            modern.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_proves_itself_gets_token_request_and_call(
    authority: trustme.CA, version: ssl.TLSVersion, how: str
) -> None:
    context = good(authority)
    context.minimum_version = context.maximum_version = version
    with running(context) as server:
        with connected(server, "token") as client:
            assert call(client, how).data == []
        assert [path for path, _ in server.heard] == ["/oauth2/token", "/api/v4/activities/"]
        assert server.heard[1][1] == f"Bearer {TOKEN}"


@needs_old_versions
@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("first", ["token", "api"])
def test_tls_1_2_is_our_own_rule_and_not_only_that_of_the_platform(
    authority: trustme.CA, trusted: Path, monkeypatch: pytest.MonkeyPatch, first: str, how: str
) -> None:
    """On a machine where OpenSSL and Python would take TLS 1.1, we still do not."""
    usual = ssl.create_default_context

    def lax(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = usual(*args, **kwargs)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        return context

    monkeypatch.setattr(ssl, "create_default_context", lax)
    with running(old(authority)) as server:
        with httpx.Client() as control:
            assert control.get(f"{server.url}/healthz").json() == LISTING, "such a machine is served"
        server.heard.clear()
        with connected(server, first) as client, pytest.raises((TokenUnavailableError, httpx.ConnectError)):
            call(client, how)
        assert server.heard == []


@needs_old_versions
def test_a_context_that_allows_less_is_refused_with_the_remedy(trusted: Path) -> None:
    with pytest.raises(ConfigurationError, match="minimum_version"):
        connect("id", SECRET, base_url="https://127.0.0.1", httpx_args={"verify": permissive(trusted)})


# --- names that look like loopback ----------------------------------------------------------------


LOOK_ALIKES = [
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "LOCALHOST.",
    "localhost.",
    "127.0.0.1.",
    "127.0.0.1@evil.example",
    "localhost:80@evil.example",
    "[::1].evil.example",
    "[::1]evil.example",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "127.1",
    "0.0.0.0",  # noqa: S104 - a name to refuse
    "[::ffff:127.0.0.1]",
    "[::]",
    "localhost%2eevil.example",
    "localhost%00.evil.example",
    "evil.example#localhost",
    "evil.example?localhost",
    "evil.example/localhost",
    "evil.example\\@localhost",
    "ⓛocalhost",
    "127。0。0。1",
    "localhost\u200b",
]


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_plain_http_to_what_only_looks_like_this_machine_is_refused_before_anything_is_sent(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_leads_to(server, monkeypatch)
    address = f"http://{name}"
    for arguments in ({"base_url": address}, {"base_url": f"{address}:{server.server_address[1]}"}):
        with pytest.raises(ConfigurationError) as caught:
            connect("id", SECRET, **arguments)
        assert SECRET not in str(caught.value)
    monkeypatch.setenv("POKITDOK_BASE_URL", address)
    with pytest.raises(ConfigurationError):
        connect("id", SECRET)

    assert server.heard == []


def test_such_a_name_would_have_led_somewhere(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    everything_leads_to(server, monkeypatch)

    assert httpx.get("http://localhost.evil.example/healthz").json() == LISTING
    assert httpx.get("http://127.0.0.1@evil.example/healthz").json() == LISTING


def everything_leads_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name resolves to the server, whatever port is asked for."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_address[1]))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)


# --- origins --------------------------------------------------------------------------------------


def bearers(server: Server) -> list[str | None]:
    return [authorization for path, authorization in server.heard if path != "/oauth2/token"]


def get(client: Client, how: str, url: str) -> httpx.Response:
    """What a program does that reaches through to httpx: redirects on, any URL."""
    if how == "sync":
        return client.get_httpx_client().get(url, follow_redirects=True)

    async def later() -> httpx.Response:
        async with client:
            return await client.get_async_httpx_client().get(url, follow_redirects=True)

    return asyncio.run(later())


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_redirect_to_another_port_carries_no_bearer(server: Server, other: Server, how: str) -> None:
    server.answers["/moved"] = (302, {"location": f"{other.url}/there"}, {})
    with connected(server, "token") as client:
        assert get(client, how, f"{server.url}/moved").json() == LISTING

    assert bearers(server) == [f"Bearer {TOKEN}"]
    assert other.heard == [("/there", None)]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_redirect_to_the_same_origin_keeps_the_bearer(server: Server, how: str) -> None:
    server.answers["/moved"] = (302, {"location": f"{server.url}/there"}, {})
    with connected(server, "token") as client:
        assert get(client, how, f"{server.url}/moved").json() == LISTING

    assert bearers(server) == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("how", ["sync", "async"])
def test_an_absolute_url_elsewhere_carries_no_bearer_and_costs_no_token(
    server: Server, other: Server, how: str
) -> None:
    alias = server.url.replace("127.0.0.1", "localhost")
    with connected(server, "token") as client:
        get(client, how, f"{other.url}/there")
    with connected(server, "token") as client:
        get(client, how, f"{alias}/there")

    assert other.heard == [("/there", None)]
    assert server.heard == [("/there", None)], "another name of the same host is another origin"


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_link_to_the_next_page_elsewhere_carries_no_bearer(server: Server, other: Server, how: str) -> None:
    page = {"meta": {"processing_time": 1, "next": f"{other.url}/api/v4/activities/?offset=20"}, "data": []}
    server.answers["/api/v4/activities/"] = (200, {}, page)
    with connected(server, "token") as client:
        link = list_activities.sync(client=client).meta.next_
        assert isinstance(link, str)
        get(client, how, link)

    assert bearers(server) == [f"Bearer {TOKEN}"]
    assert other.heard == [("/api/v4/activities/?offset=20", None)]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_redirect_from_https_to_plain_http_carries_no_bearer(authority: trustme.CA, other: Server, how: str) -> None:
    with running(good(authority)) as server:
        server.answers["/moved"] = (302, {"location": f"{other.url}/there"}, {})
        with connected(server, "token") as client:
            get(client, how, f"{server.url}/moved")
        assert bearers(server) == [f"Bearer {TOKEN}"]

    assert other.heard == [("/there", None)]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_request_over_plain_http_is_refused_by_an_https_client(
    authority: trustme.CA, other: Server, how: str
) -> None:
    with (
        running(good(authority)) as server,
        connected(server, "token") as client,
        pytest.raises(ConfigurationError, match="plain http"),
    ):
        get(client, how, f"{other.url}/there")

    assert other.heard == []


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_token_endpoint_that_moved_is_an_error_and_nobody_else_hears_the_secret(
    server: Server, other: Server, status: int, how: str
) -> None:
    server.answers["/oauth2/token"] = (status, {"location": f"{other.url}/oauth2/token"}, {})
    with connected(server, "token") as client, pytest.raises(TokenEndpointMovedError, match="check base_url") as caught:
        call(client, how)

    assert other.heard == []
    assert SECRET not in "".join(str(link) for link in chain(caught.value))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
