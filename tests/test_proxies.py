"""Which proxy a request takes: one rule for token and API requests, synchronous and asynchronous, by httpx and aiohttp.

Connections are stopped at the socket, which notes where they would have gone; so the whole way down to it is tested.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from secrets import token_urlsafe
from types import SimpleNamespace
from typing import Any, NoReturn

import httpx
import pytest

from pokitdok_api.api.activities import list_activities
from pokitdok_ext import ConfigurationError, TokenUnavailableError, connect
from pokitdok_ext.compat import PokitDokClient
from pokitdok_ext.fast import FastTransport
from pokitdok_ext.settings import proxy_for, proxy_to, transport_options
from pokitdok_sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "tls-and-proxies.md").read_text(encoding="utf-8")
API = "https://api.example.com"
PROXY = "http://proxy.test:3128"
OTHER = "http://other.test:8080"
PASSWORD = "canary-password-51c2"

# environment, base_url, where the connection goes
TABLE: list[tuple[dict[str, str], str, str]] = [
    # which variable
    ({}, API, "api.example.com:443"),
    ({"https_proxy": PROXY}, API, "proxy.test:3128"),
    ({"HTTPS_PROXY": PROXY}, API, "proxy.test:3128"),
    ({"https_proxy": "proxy.test:3128"}, API, "proxy.test:3128"),
    ({"https_proxy": "http://proxy.test"}, API, "proxy.test:80"),
    ({"https_proxy": f"http://user:{PASSWORD}@proxy.test:3128"}, API, "proxy.test:3128"),
    ({"https_proxy": f"user:{PASSWORD}@proxy.test:3128"}, API, "proxy.test:3128"),
    ({"https_proxy": " http://proxy.test:3128/ "}, API, "proxy.test:3128"),
    ({"https_proxy": "http://[2001:db8::5]:3128"}, API, "2001:db8::5:3128"),
    ({"http_proxy": PROXY}, API, "api.example.com:443"),
    ({"HTTP_PROXY": PROXY}, API, "api.example.com:443"),
    ({"all_proxy": PROXY}, API, "proxy.test:3128"),
    ({"ALL_PROXY": PROXY}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "all_proxy": OTHER}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "http_proxy": OTHER}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "HTTPS_PROXY": OTHER}, API, "proxy.test:3128"),
    ({"https_proxy": "", "HTTPS_PROXY": OTHER}, API, "api.example.com:443"),
    ({"https_proxy": "", "all_proxy": OTHER}, API, "other.test:8080"),
    ({"all_proxy": PROXY, "ALL_PROXY": OTHER}, API, "proxy.test:3128"),
    # this machine
    ({"http_proxy": PROXY}, "http://127.0.0.1:8400", "127.0.0.1:8400"),
    ({"HTTP_PROXY": PROXY}, "http://localhost:8400", "localhost:8400"),
    ({"all_proxy": PROXY}, "http://[::1]:8400", "::1:8400"),
    ({"https_proxy": PROXY}, "https://localhost:8443", "localhost:8443"),
    ({"https_proxy": PROXY}, "https://127.7.7.7:8443", "127.7.7.7:8443"),
    ({"https_proxy": PROXY}, "https://[::ffff:127.0.0.1]:8443", f"{ip_address('::ffff:127.0.0.1')}:8443"),
    ({"https_proxy": PROXY}, "https://sandbox.localhost", "sandbox.localhost:443"),
    ({"https_proxy": PROXY}, "https://localhost.example.com", "proxy.test:3128"),
    # no_proxy: names
    ({"https_proxy": PROXY, "no_proxy": "api.example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": ".example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "*.example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": ".api.example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "API.Example.COM."}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "ample.com"}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "www.api.example.com"}, API, "proxy.test:3128"),
    ({"all_proxy": PROXY, "no_proxy": "example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "NO_PROXY": "example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "other.test", "NO_PROXY": "example.com"}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "", "NO_PROXY": "example.com"}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "*"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "other.test,*"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "bücher.example"}, "https://bücher.example", "xn--bcher-kva.example:443"),
    # no_proxy: lists
    ({"https_proxy": PROXY, "no_proxy": "other.test, example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "other.test example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": " ,, other.test ,"}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "[::1], [fe80::, 10.0.0.0/99, ://, [], :443, ///"}, API, "proxy.test:3128"),
    # no_proxy: ports and schemes
    ({"https_proxy": PROXY, "no_proxy": "example.com:443"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "example.com:8443"}, API, "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "example.com:8443"}, f"{API}:8443", "api.example.com:8443"),
    ({"https_proxy": PROXY, "no_proxy": "https://api.example.com"}, API, "api.example.com:443"),
    ({"https_proxy": PROXY, "no_proxy": "http://api.example.com"}, API, "proxy.test:3128"),
    # no_proxy: addresses and ranges
    ({"https_proxy": PROXY, "no_proxy": "10.1.2.3"}, "https://10.1.2.3", "10.1.2.3:443"),
    ({"https_proxy": PROXY, "no_proxy": "10.1.2.3:443"}, "https://10.1.2.3", "10.1.2.3:443"),
    ({"https_proxy": PROXY, "no_proxy": "10.1.2.3:80"}, "https://10.1.2.3", "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "1.2.3"}, "https://10.1.2.3", "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, "https://10.1.2.3", "10.1.2.3:443"),
    ({"https_proxy": PROXY, "no_proxy": "10.1.2.3/8"}, "https://10.9.9.9", "10.9.9.9:443"),
    ({"https_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, "https://11.1.2.3", "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "2001:db8::7"}, "https://[2001:db8::7]", "2001:db8::7:443"),
    ({"https_proxy": PROXY, "no_proxy": "[2001:db8::7]"}, "https://[2001:db8::7]", "2001:db8::7:443"),
    ({"https_proxy": PROXY, "no_proxy": "[2001:DB8:0::7]:443"}, "https://[2001:db8::7]", "2001:db8::7:443"),
    ({"https_proxy": PROXY, "no_proxy": "[2001:db8::7]:80"}, "https://[2001:db8::7]", "proxy.test:3128"),
    ({"https_proxy": PROXY, "no_proxy": "2001:db8::/32"}, "https://[2001:db8::7]", "2001:db8::7:443"),
    ({"https_proxy": PROXY, "no_proxy": "[2001:db8::]/32"}, "https://[2001:db8::7]", "2001:db8::7:443"),
    ({"https_proxy": PROXY, "no_proxy": "fd00::/8,10.0.0.0/8"}, "https://[2001:db8::7]", "proxy.test:3128"),
]


@pytest.fixture(autouse=True)
def _no_proxies_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            monkeypatch.delenv(name)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where connections would have gone, as host:port; none is made, and none is tried again."""
    tried: list[str] = []
    names: dict[str, str] = {}

    def resolve(host: str | bytes, port: int | str, *_args: Any, **_kwargs: Any) -> list[Any]:
        name = host.decode("ascii") if isinstance(host, bytes) else host
        six = ":" in name
        address = name if six or name.replace(".", "").isdigit() else f"198.18.0.{len(names) + 1}"
        names[address] = name
        return [(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))]

    def stop(_socket: socket.socket, address: tuple[str, int]) -> NoReturn:
        name = names.get(address[0], address[0])
        tried.append(f"{ip_address(name) if ':' in name else name}:{address[1]}")  # IPv6 has several spellings
        raise ssl.SSLCertVerificationError("stopped by the test")  # which nothing tries again

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", stop)
    return tried


@pytest.fixture
def proxy_log() -> Iterator[Callable[[], tuple[str, int]]]:
    """A listening socket in place of a proxy: calling the fixture gives its address and how many connected."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        seen = []

        def log() -> tuple[str, int]:
            with suppress(BlockingIOError):
                while True:
                    seen.append(listening.accept()[0].close())
            return f"http://127.0.0.1:{listening.getsockname()[1]}", len(seen)

        yield log


def token_sync(root: str, **arguments: Any) -> None:
    with connect(token_urlsafe(), "secret", base_url=root, **arguments) as client:  # clients of one id share a token
        client.tokens.warm()


def token_async(root: str, **arguments: Any) -> None:
    async def warm() -> None:
        async with connect(token_urlsafe(), "secret", base_url=root, **arguments) as client:
            await client.tokens.awarm()

    asyncio.run(warm())


def api_sync(root: str, **arguments: Any) -> None:
    with connect(token="t", base_url=root, retry=None, **arguments) as client:
        list_activities.sync(client=client)


def api_async(root: str, **arguments: Any) -> None:
    async def call() -> None:
        async with connect(token="t", base_url=root, retry=None, **arguments) as client:
            await list_activities.asyncio(client=client)

    asyncio.run(call())


def api_aiohttp(root: str, **arguments: Any) -> None:
    api_async(root, async_transport=FastTransport(**arguments.pop("httpx_args", {})), **arguments)


def token_compat(root: str) -> None:
    with PokitDokClient("id", "secret", base=root) as client:
        client.fetch_access_token()


REQUESTS = [token_sync, token_async, api_sync, api_async, api_aiohttp]


def name_of(row: tuple[dict[str, str], str, str]) -> str:
    variables, root, _ = row
    return " ".join([*(f"{name}={value}" for name, value in variables.items()), root.partition("://")[2]])


@pytest.mark.parametrize(("environment", "root", "goes_to"), TABLE, ids=[name_of(row) for row in TABLE])
def test_token_and_api_requests_take_the_same_and_the_right_way(
    environment: dict[str, str], root: str, goes_to: str, connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ways = {}
    for send in (*REQUESTS, token_compat):
        connections.clear()
        with pytest.raises((TokenUnavailableError, httpx.ConnectError)):
            send(root)
        ways[send.__name__] = list(connections)
    assert ways == {send.__name__: [goes_to] for send in (*REQUESTS, token_compat)}


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"http_proxy": PROXY}, "http://api.example.com", PROXY),
        ({"HTTP_PROXY": PROXY}, "http://api.example.com", PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://api.example.com", None),
        ({"http_proxy": PROXY, "HTTP_PROXY": OTHER, "REQUEST_METHOD": "GET"}, "http://api.example.com", PROXY),
        ({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, API, PROXY),
        ({"https_proxy": PROXY}, "http://api.example.com", None),
        ({"http_proxy": PROXY, "no_proxy": "example.com:80"}, "http://api.example.com/x?y=1", None),
        ({"all_proxy": PROXY, "no_proxy": "fe80::/10"}, "https://[fe80::1%25eth0]", None),
    ],
)
def test_proxy_for_an_address(environment: dict[str, str], url: str, proxy: str | None) -> None:
    found = proxy_for(url, environment)
    assert (found and str(found.url)) == proxy


def test_user_and_password_of_an_address_are_decoded_and_masked() -> None:
    proxy = proxy_for(API, {"https_proxy": f"http://us%40er:{PASSWORD}%2F@proxy.test:3128"})
    assert proxy is not None
    assert (str(proxy.url), proxy.auth) == (PROXY, ("us@er", f"{PASSWORD}/"))
    assert PASSWORD not in repr(proxy)


# --- addresses that are none ----------------------------------------------------------------------


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


BAD = [
    f"http://user:{PASSWORD}@",
    f"http://user:{PASSWORD}@proxy.test:port",
    f"http://user:{PASSWORD}@proxy.test:99999",
    f"http://user:{PASSWORD}@proxy.test:0",
    f"http://user:{PASSWORD}#@proxy.test:3128",
    f"http://user:{PASSWORD}/@proxy.test:3128",
    f"http://user:{PASSWORD}@[::1",
    f"http://user:{PASSWORD}@proxy test:3128",
    f"ftp://user:{PASSWORD}@proxy.test",
    f"socks4://user:{PASSWORD}@proxy.test",
    f"user:{PASSWORD}://proxy.test",
    f"://user:{PASSWORD}@proxy.test",
    f"http:///user:{PASSWORD}",
    f"user:{PASSWORD}\x00@proxy.test",
]


@pytest.mark.parametrize("address", BAD)
def test_malformed_address_is_told_with_its_variable_and_without_its_password(
    address: str, connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for environment in ({"https_proxy": address}, {"ALL_PROXY": address}):
        (name,) = environment
        with pytest.raises(ConfigurationError, match=rf"^{name} is not the address of a proxy") as caught:
            proxy_for(API, environment)
        assert PASSWORD not in told(caught.value)
        assert caught.value.__context__ is None, "its text would quote the address"
    if "\x00" not in address:
        monkeypatch.setenv("HTTPS_PROXY", address)
        for send in REQUESTS:
            with pytest.raises(ConfigurationError, match=r"HTTPS_PROXY .*http://proxy\.example:3128"):
                send(API)
    with pytest.raises(ConfigurationError, match="the proxy argument is not") as caught:
        connect(token="t", base_url=API, httpx_args={"proxy": address})
    assert PASSWORD not in told(caught.value)
    with pytest.raises(ConfigurationError, match="the proxy argument is not"):
        FastTransport(proxy=address)
    assert connections == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_without_its_package_is_told_with_variable_and_package(
    scheme: str, connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: dict[str, Any] = {}
    monkeypatch.setattr("importlib.util.find_spec", installed.get)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:{PASSWORD}@proxy.test:1080")
    for send in REQUESTS:
        with pytest.raises(ConfigurationError, match=r"ALL_PROXY .*socksio.*pip install 'httpx\[socks\]'") as caught:
            send(API)
        assert PASSWORD not in told(caught.value)
    assert connections == []

    with connect("id", "secret", base_url="http://127.0.0.1:8400"):
        pass  # no proxy for this machine, so nothing to miss

    installed["socksio"] = SimpleNamespace()
    assert transport_options({}, API)["proxy"].url == f"{scheme}://proxy.test:1080"
    with pytest.raises(ConfigurationError, match="FastTransport cannot use a SOCKS proxy"):
        api_aiohttp(API)


def test_broken_variable_that_no_request_would_use_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "nonsense://")
    answer = httpx.MockTransport(lambda _request: httpx.Response(200, json={"meta": {}, "data": []}))
    with connect(token="t", base_url=API, transport=answer, async_transport=answer) as client:
        assert list_activities.sync(client=client).data == []
    connect(token="t", base_url=API, httpx_args={"trust_env": False}).close()
    monkeypatch.setenv("no_proxy", "api.example.com")
    connect(token="t", base_url=API).close()


# --- the caller's proxy ---------------------------------------------------------------------------


@pytest.mark.parametrize("send", REQUESTS)
@pytest.mark.parametrize("proxy", ["http://mine.test:3128", httpx.Proxy("http://mine.test:3128")])
def test_proxy_argument_beats_the_environment(
    send: Callable[..., None], proxy: Any, connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises((TokenUnavailableError, httpx.ConnectError)):
        send(API, httpx_args={"proxy": proxy})
    assert connections == ["mine.test:3128"]


@pytest.mark.parametrize("send", REQUESTS)
def test_environment_is_left_alone_if_it_is_not_trusted(
    send: Callable[..., None], connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    with pytest.raises((TokenUnavailableError, httpx.ConnectError)):
        send(API, httpx_args={"trust_env": False})
    assert connections == ["api.example.com:443"]


@pytest.mark.parametrize("send", REQUESTS)
def test_plain_http_goes_through_a_proxy_of_this_machine_only(
    send: Callable[..., None], connections: list[str]
) -> None:
    with pytest.raises(ConfigurationError, match="plain http would show id, secret"):
        send("http://127.0.0.1:8400", httpx_args={"proxy": "http://mine.test:3128"})
    assert connections == []
    with pytest.raises((TokenUnavailableError, httpx.ConnectError)):
        send("http://127.0.0.1:8400", httpx_args={"proxy": "http://localhost:8888"})
    assert connections == ["localhost:8888"]


def test_connection_to_a_proxy_by_tls_follows_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx would take certifi and Python's oldest version for it, whatever `verify` says."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    monkeypatch.setenv("https_proxy", f"https://user:{PASSWORD}@proxy.test")
    proxy = transport_options({"verify": context}, API)["proxy"]
    assert (proxy.ssl_context, proxy.auth) == (context, ("user", PASSWORD))
    usual = transport_options({}, API)["proxy"].ssl_context
    assert usual.minimum_version == ssl.TLSVersion.TLSv1_2
    mine = httpx.Proxy("https://mine.test", ssl_context=context)
    assert transport_options({"proxy": mine}, API)["proxy"].ssl_context is context


def test_clients_with_the_same_credentials_share_no_token_request_if_their_ways_differ(
    connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = token_urlsafe()
    with connect(client_id, "secret", base_url=API) as direct:
        monkeypatch.setenv("https_proxy", PROXY)
        with connect(client_id, "secret", base_url=API) as proxied:
            for client in (direct, proxied):
                with pytest.raises(TokenUnavailableError):
                    client.tokens.warm()
    assert connections == ["api.example.com:443", "proxy.test:3128"]


@pytest.mark.parametrize("send", [api_sync, api_async, api_aiohttp])
def test_proxy_gets_its_own_credentials_and_none_of_the_api(send: Callable[..., None]) -> None:
    heard: list[bytes] = []

    def refuse(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            while not b"".join(heard).endswith(b"\r\n\r\n"):
                heard.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=refuse, args=[listening])
        thread.start()
        proxy = f"http://us%3Aer:p%C3%A4ss@127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(httpx.ProxyError):
            send(API, httpx_args={"proxy": proxy})
        thread.join(10)
    request, *lines = b"".join(heard).decode("ascii").rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert request == "CONNECT api.example.com:443 HTTP/1.1"
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode("us:er:päss".encode()).decode()
    assert "authorization" not in headers


# --- the settings of the system -------------------------------------------------------------------


def test_settings_of_the_system_count_where_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows, where urllib reads them."""
    asked: list[str] = []

    def bypass(host: str) -> bool:
        asked.append(host)
        return host == "intranet.example.com"

    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://system.test:3128"})
    monkeypatch.setattr(urllib.request, "proxy_bypass", bypass)
    found = proxy_to(API)
    assert found is not None
    assert found.url == "http://system.test:3128"
    assert proxy_to("https://intranet.example.com") is None
    assert proxy_to("https://localhost") is None
    assert asked == ["api.example.com", "intranet.example.com"]
    monkeypatch.setenv("no_proxy", "nothing.example.com")
    assert proxy_to(API) is None, "as in urllib, any variable hides them all"


# --- programs -------------------------------------------------------------------------------------


COMMAND = ["-m", "pokitdok_ext.cli", "request", "GET", "/activities/"]
DEMO = [str(ROOT / "scripts" / "demonstration.py"), "--json"]


@pytest.mark.parametrize(("arguments", "says"), [(COMMAND, '"data"'), (DEMO, '"completed"')], ids=["command", "demo"])
def test_programs_reach_the_sandbox_of_this_machine_past_every_proxy(
    arguments: list[str], says: str, proxy_log: Callable[[], tuple[str, int]]
) -> None:
    proxy, _ = proxy_log()
    variables = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"), proxy)
    with Sandbox() as sandbox:
        credentials = {"POKITDOK_CLIENT_ID": sandbox.client_id, "POKITDOK_CLIENT_SECRET": sandbox.client_secret}
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **variables, **credentials, "POKITDOK_BASE_URL": sandbox.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout
    assert proxy_log() == (proxy, 0)


# --- the page -------------------------------------------------------------------------------------


def rows_of_the_page() -> list[tuple[str, str, bool]]:
    """Entry, address, and whether it is reached without the proxy."""
    found = []
    table = PAGE.partition("| entry |")[2].partition("\n\n")[0]
    same: list[tuple[str, bool]] = []
    for line in table.splitlines()[2:]:
        entries, without, with_it = (re.findall("`([^`]+)`", cell) for cell in line.strip("|").split("|"))
        addresses = [(each, True) for each in without] + [(each, False) for each in with_it]
        same = addresses or same
        found += [(entry, address, excepted) for entry in entries for address, excepted in same]
    return found


@pytest.mark.parametrize(("entry", "address", "excepted"), rows_of_the_page())
def test_table_of_the_page_is_true(entry: str, address: str, excepted: bool) -> None:
    assert (proxy_for(address, {"https_proxy": PROXY, "no_proxy": entry}) is None) is excepted
