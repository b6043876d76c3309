"""Where secrets may go: TLS versions, certificates, loopback names and origins, each against real local servers.

Every refusal has its control: a client without our rules that the same server serves, so that the test can fail.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pokitdok_api import Client
from pokitdok_api.api.activities import list_activities
from pokitdok_ext import ConfigurationError, TokenEndpointMovedError, TokenUnavailableError, connect
from pokitdok_ext.fast import FastTransport
from pokitdok_ext.settings import tls_context

SECRET = "canary-secret-0f9b"
TOKEN = "canary-token-77aa"
LISTING = {"meta": {"processing_time": 1}, "data": []}
ISSUED = {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}


class Server(ThreadingHTTPServer):
    """A local server, with TLS if it has a context. It answers a token and a listing, or what ``answers`` says.

    Attributes:
        heard: Path and Authorization header of each request.
        handshakes: How many connections came through.
        clients: The names in the client certificates that came with them.
    """

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context
        self.heard: list[tuple[str, str | None]] = []
        self.handshakes = 0
        self.clients: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], Any]] = {"/oauth2/token": (200, {}, ISSUED)}
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:  # an ssl.SSLError, or the client went away
                return
            self.clients.extend(name for _, name in (request.getpeercert() or {}).get("subjectAltName", ()))
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


# --- a context of the caller's ---------------------------------------------------------------------

Send = Callable[[Server, dict[str, Any]], None]


def token_sync(server: Server, settings: dict[str, Any]) -> None:
    with connect(token_urlsafe(), SECRET, base_url=server.url, httpx_args=settings) as client:
        client.tokens.warm()


def token_async(server: Server, settings: dict[str, Any]) -> None:
    async def warm() -> None:
        async with connect(token_urlsafe(), SECRET, base_url=server.url, httpx_args=settings) as client:
            await client.tokens.awarm()

    asyncio.run(warm())


def api_sync(server: Server, settings: dict[str, Any]) -> None:
    with connect(token=TOKEN, base_url=server.url, retry=None, httpx_args=settings) as client:
        call(client, "sync")


def api_async(server: Server, settings: dict[str, Any], transport: httpx.AsyncBaseTransport | None = None) -> None:
    async def later() -> None:
        arguments: dict[str, Any] = {"async_transport": transport} if transport else {"httpx_args": settings}
        async with connect(token=TOKEN, base_url=server.url, retry=None, **arguments) as client:
            await list_activities.asyncio(client=client)

    asyncio.run(later())


def api_aiohttp(server: Server, settings: dict[str, Any]) -> None:
    api_async(server, settings, FastTransport(**settings))


every_request = pytest.mark.parametrize("send", [token_sync, token_async, api_sync, api_async, api_aiohttp])


def visible(context: ssl.SSLContext) -> list[Any]:
    """What can be read of a context."""
    versions = [context.minimum_version, context.maximum_version, context.options, context.security_level]
    checks = [context.verify_mode, context.verify_flags, context.check_hostname, context.get_ca_certs(binary_form=True)]
    return [*versions, *checks, context.get_ciphers()]


def unset(cafile: Path, *, lax: bool = False) -> ssl.SSLContext:
    """A context as `ssl.create_default_context()` of Debian's Python makes it: without a minimum version."""
    context = ssl.create_default_context(cafile=cafile)
    if lax:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


@every_request
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_context_without_a_minimum_version_is_used_with_its_client_certificate_and_left_as_it_is(
    authority: trustme.CA, tmp_path: Path, trusted: Path, send: Send, version: ssl.TLSVersion
) -> None:
    context = unset(trusted)
    authority.issue_cert("clinic.example.org").configure_cert(context)
    before = visible(context)
    servers = asking_for_certificates(authority)
    servers.minimum_version = servers.maximum_version = version
    with running(servers) as server:
        send(server, {"verify": context})
        assert server.clients == ["clinic.example.org"]
        assert len(server.heard) == 1
    assert visible(context) == before


@needs_old_versions
@every_request
def test_context_without_a_minimum_version_does_not_speak_tls_1_1(
    authority: trustme.CA, trusted: Path, send: Send
) -> None:
    context = unset(trusted, lax=True)
    before = visible(context)
    with running(old(authority)) as server:
        with httpx.Client(verify=context) as control:
            assert control.get(f"{server.url}/healthz").json() == LISTING, "by itself it does"
        server.heard.clear()
        with pytest.raises((TokenUnavailableError, httpx.ConnectError)) as caught:
            send(server, {"verify": context})
        assert server.heard == []
    assert visible(context) == before
    assert any("TLSv1.1" in str(link) for link in chain(caught.value)) or send in {token_sync, token_async}


@needs_old_versions
@pytest.mark.parametrize("attribute", ["minimum_version", "maximum_version"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_context_that_allows_less_is_refused_with_the_remedy(attribute: str, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    setattr(context, attribute, version)
    before = visible(context)
    for make in (
        lambda: connect("id", SECRET, base_url=SOMEWHERE, httpx_args={"verify": context}),
        lambda: FastTransport(verify=context),
    ):
        with pytest.raises(ConfigurationError, match=r"set its minimum_version to ssl\.TLSVersion\.TLSv1_2"):
            make()
    assert visible(context) == before


def test_context_with_a_minimum_version_is_used_as_it_is() -> None:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert tls_context(context) is context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3


# --- certificates at paths ------------------------------------------------------------------------

SOMEWHERE = "https://api.example.com"
PASSWORD = "canary-password-b3e1"


class Files:
    """Certificates and keys of an authority, in files."""

    def __init__(self, folder: Path, authority: trustme.CA, leaf: trustme.LeafCert) -> None:
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self.hashed = folder / "hashed"
        self.hashed.mkdir()
        (self.hashed / f"{hash_of(authority)}.0").write_bytes(authority.cert_pem.bytes())
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        self.key.write_bytes(leaf.private_key_pem.bytes())
        self.both = folder / "both.pem"
        self.both.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
        self.locked = folder / "locked.pem"
        self.locked.write_bytes(
            serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(PASSWORD.encode()),
            )
        )
        self.other_key = folder / "other-key.pem"
        self.other_key.write_bytes(trustme.CA().issue_cert("x.example.org").private_key_pem.bytes())
        self.damaged = folder / "damaged.pem"
        self.damaged.write_text("-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n")
        self.text = folder / "text.pem"
        self.text.write_text("no certificate")
        self.empty = folder / "empty"
        self.empty.mkdir()
        self.missing = folder / "missing.pem"
        self.inside_a_file = self.text / "certificate.pem"
        self.loop = folder / "loop.pem"
        self.loop.symlink_to(self.loop)


def hash_of(authority: trustme.CA) -> str:
    """The name under which OpenSSL looks for a certificate in a directory: a hash of its subject in lower case."""
    subject = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    names = [x509.NameAttribute(each.oid, str(each.value).lower()) for each in subject]
    relative = b"".join(x509.Name([name]).public_bytes()[2:] for name in names)
    return hashlib.sha1(relative, usedforsecurity=False).digest()[3::-1].hex()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Files:
    return Files(tmp_path, authority, authority.issue_cert("clinic.example.org"))


def asking_for_certificates(authority: trustme.CA) -> ssl.SSLContext:
    context = good(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    return context


CERTIFICATES: dict[str, Callable[[Files], Any]] = {
    "a file": lambda files: str(files.both),
    "a Path": lambda files: files.both,
    "two files": lambda files: (str(files.certificate), str(files.key)),
    "a password": lambda files: (str(files.certificate), str(files.locked), PASSWORD),
    "no password": lambda files: (files.certificate, files.key, None),
    "a function for the password": lambda files: (files.certificate, files.locked, lambda: PASSWORD),
}
TRUST: dict[str, Callable[[Files, pytest.MonkeyPatch], Any]] = {
    "file": lambda files, _: {"verify": str(files.authority)},
    "Path": lambda files, _: {"verify": files.authority},
    "directory": lambda files, _: {"verify": str(files.hashed)},
    "SSL_CERT_FILE": lambda files, patch: patch.setenv("SSL_CERT_FILE", str(files.authority)) or {},
    "SSL_CERT_DIR": lambda files, patch: patch.setenv("SSL_CERT_DIR", f"{files.hashed}{os.pathsep}") or {},
}


@every_request
@pytest.mark.parametrize("trust", TRUST)
def test_client_certificate_is_shown_whatever_names_the_authority(
    authority: trustme.CA, files: Files, monkeypatch: pytest.MonkeyPatch, trust: str, send: Send
) -> None:
    """httpx drops it where `verify` is a path."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    settings = TRUST[trust](files, monkeypatch)
    with running(asking_for_certificates(authority)) as server:
        send(server, {**settings, "cert": str(files.both)})
        assert server.clients == ["clinic.example.org"]
        assert len(server.heard) == 1


@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_client_certificate_is_read_in_every_form(authority: trustme.CA, files: Files, certificate: str) -> None:
    with running(asking_for_certificates(authority)) as server:
        api_sync(server, {"verify": str(files.authority), "cert": CERTIFICATES[certificate](files)})
        assert server.clients == ["clinic.example.org"]


# setting, its value (of strings, those that name a file of Files stand for its path), the path that is wrong, the text
WRONG: list[tuple[str, Any, str, str]] = [
    ("verify", "missing", "missing", "No such file"),
    ("verify", "inside_a_file", "inside_a_file", "Not a directory"),
    ("verify", "loop", "loop", "symbolic links"),
    ("verify", "text", "text", "holds no certificate"),
    ("verify", "damaged", "damaged", "cannot be read"),
    ("verify", "empty", "empty", "openssl rehash"),
    ("verify", "a\0b", "", "not a path"),
    ("verify", "", "", "the path of certificates to trust"),
    ("verify", 1.5, "", "the path of certificates to trust"),
    ("SSL_CERT_FILE", "missing", "missing", "No such file"),
    ("SSL_CERT_FILE", "empty", "empty", "Is a directory"),
    ("SSL_CERT_FILE", "text", "text", "holds no certificate"),
    ("SSL_CERT_DIR", "missing", "missing", "No such file"),
    ("SSL_CERT_DIR", "text", "text", "Not a directory"),
    ("SSL_CERT_DIR", "empty", "empty", "openssl rehash"),
    ("cert", "missing", "missing", "No such file"),
    ("cert", "empty", "empty", "Is a directory"),
    ("cert", "certificate", "certificate", "holds no private key"),
    ("cert", ("key", "key"), "key", "holds no certificate"),
    ("cert", ("certificate", "missing"), "missing", "No such file"),
    ("cert", ("damaged", "key"), "damaged", "cannot be read"),
    ("cert", ("certificate", "other_key"), "other_key", "does not belong"),
    ("cert", ("certificate", "locked"), "locked", "is encrypted: pass"),
    ("cert", ("certificate", "locked", f"{PASSWORD}-old"), "locked", "password does not open"),
    ("cert", ("certificate", "locked", PASSWORD * 99), "locked", "password does not open"),
    ("cert", ("certificate", "locked", ""), "locked", "password does not open"),
    ("cert", ("certificate", "locked", 1.5), "locked", "password does not open"),
    ("cert", ("certificate", "locked", PASSWORD, PASSWORD), "", "(certificate, key, password)"),
    ("cert", (None, "locked", PASSWORD), "", "(certificate, key, password)"),
    ("cert", ["certificate", "locked", PASSWORD], "", "(certificate, key, password)"),
]


@pytest.mark.parametrize(("setting", "value", "path", "says"), WRONG)
def test_wrong_path_is_told_by_connect_with_its_setting_and_never_a_password(
    files: Files, monkeypatch: pytest.MonkeyPatch, setting: str, value: Any, path: str, says: str
) -> None:
    def filled(value: Any) -> Any:
        return str(vars(files).get(value, value)) if isinstance(value, str) else value

    value = tuple(map(filled, value)) if isinstance(value, tuple) else filled(value)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    if setting.isupper():
        monkeypatch.setenv(setting, value)
    settings = {} if setting.isupper() else {setting: value}
    for make in (
        lambda: connect("id", SECRET, base_url=SOMEWHERE, httpx_args=settings),
        lambda: FastTransport(**settings),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(says)) as caught:
            make()
        assert str(caught.value).startswith(setting)
        assert filled(path) in str(caught.value)
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_path_that_does_not_count_is_not_looked_at(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(files.missing))
    for settings in ({"trust_env": False}, {"verify": str(files.authority)}, {"verify": ssl.create_default_context()}):
        connect("id", SECRET, base_url=SOMEWHERE, httpx_args=settings).close()
    connect("id", SECRET, base_url="http://127.0.0.1:8400").close()
    monkeypatch.setenv("SSL_CERT_FILE", str(files.authority))
    monkeypatch.setenv("SSL_CERT_DIR", str(files.missing))
    connect("id", SECRET, base_url=SOMEWHERE).close()


def test_client_certificate_beside_a_context_is_refused_and_the_context_left_alone(
    authority: trustme.CA, files: Files
) -> None:
    context = ssl.create_default_context(cafile=files.authority)
    settings = {"verify": context, "cert": str(files.both)}
    with pytest.raises(ConfigurationError, match=r"load_cert_chain\(\)"):
        connect("id", SECRET, base_url=SOMEWHERE, httpx_args=settings)
    with pytest.raises(ConfigurationError, match=r"load_cert_chain\(\)"):
        FastTransport(**settings)
    with running(asking_for_certificates(authority)) as server:
        with pytest.raises(httpx.TransportError), httpx.Client(verify=context) as control:
            control.get(server.url)
        assert server.handshakes == 0, "no certificate was loaded into it"


def test_clients_with_the_same_settings_share_a_context(files: Files) -> None:
    path = str(files.authority)
    assert tls_context(path) is tls_context(path)
    assert tls_context(path) is not tls_context(str(files.hashed))
    assert tls_context(path, http2=True) is not tls_context(path), "it would offer HTTP/2 to clients that cannot"
    assert tls_context(path, str(files.both)) is not tls_context(path)


def test_python_of_the_page_makes_clients(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "tls-and-proxies.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(files.authority.parent)
    Path("password.txt").write_text(f"{PASSWORD}\n")
    names: dict[str, Any] = {}
    for code in blocks:
        exec(compile(code, "tls-and-proxies.md", "exec"), names)  # noqa: S102 - it is our own page
    clients = [value for value in names.values() if isinstance(value, Client)]
    assert len(clients) == 10
    for client in clients:
        client.close()


# --- .netrc ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sync", "async", "aiohttp"])
def test_netrc_gives_no_request_credentials(
    server: Server, other: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("default login mallory password canary-netrc\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments: dict[str, Any] = {"async_transport": FastTransport()} if how == "aiohttp" else {}

    async def later() -> None:
        async with connect("id", SECRET, base_url=server.url, **arguments) as client:
            await list_activities.asyncio(client=client)
            await client.get_async_httpx_client().get(f"{other.url}/there")

    if how == "sync":
        with connect("id", SECRET, base_url=server.url) as client:
            list_activities.sync(client=client)
            client.get_httpx_client().get(f"{other.url}/there")
    else:
        asyncio.run(later())
    basic = "Basic " + base64.b64encode(f"id:{SECRET}".encode()).decode()
    assert server.heard == [("/oauth2/token", basic), ("/api/v4/activities/", f"Bearer {TOKEN}")]
    assert other.heard == [("/there", None)]


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


def test_certificates_of_a_relative_path_are_those_of_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        trustme.CA().cert_pem.write_to_path(tmp_path / name / "ca.pem")
        monkeypatch.chdir(tmp_path / name)
        trusted.append(tls_context("ca.pem").get_ca_certs(binary_form=True))
    assert trusted[0] != trusted[1]


@pytest.mark.parametrize("settings", [{"verify": b"ca.pem"}, {"verify": 3}, {"cert": ()}, {"cert": 0}, {"cert": ""}])
def test_setting_of_another_kind_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        connect("id", SECRET, base_url=SOMEWHERE, httpx_args=settings)
