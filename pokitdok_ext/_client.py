"""`connect()`: the generated client with our token handling in it. It assembles, and does nothing else."""

import os
import platform
import re
from collections.abc import Mapping
from typing import Any, Literal

import httpx

from pokitdok_api import Client
from pokitdok_api.types import UNSET, Unset

from . import __version__
from ._auth import Origin, TokenAuth
from ._errors import ConfigurationError
from ._sources import CallableSource, ClientCredentials, Route, StaticToken, TokenProvider, TokenSource
from ._tokens import ClientTokens, Secret, manager_for

_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?/*")
_ROUTE_OPTIONS = ("verify", "cert", "proxy", "trust_env")
_OURS = frozenset({"auth", "base_url", "follow_redirects", "headers", "timeout", "transport"})

_NO_BASE_URL = """\
no base_url: pass base_url=..., or set POKITDOK_BASE_URL.
The platform this client was written for is retired, so there is no default. To start a local one:
    python -m pokitdok_sandbox
It prints its address and credentials."""

_KINDS = """\
    connect(client_id, client_secret)    or set POKITDOK_CLIENT_ID and POKITDOK_CLIENT_SECRET
    connect(token=...)                   a token you already have
    connect(token_provider=...)          a function that returns a token"""

_NO_CREDENTIALS = "no {lacking}: pass one of\n" + _KINDS


def connect(
    client_id: str | None = None,
    client_secret: str | None = None,
    *,
    token: str | None = None,
    token_provider: TokenProvider | None = None,
    base_url: str | None = None,
    client_auth: Literal["basic", "body"] = "basic",
    timeout: float | httpx.Timeout | Unset | None = UNSET,
    transport: httpx.BaseTransport | None = None,
    async_transport: httpx.AsyncBaseTransport | None = None,
    httpx_args: Mapping[str, Any] | None = None,
) -> Client:
    """Make a client that gets, keeps and renews its tokens by itself. Nothing is sent until the first request.

    Use it as a context manager, sync or async; one client serves any number of threads and event loops. Clients with
    the same credentials share one token. Arguments beat the environment.

    Args:
        client_id: Of the application; else `POKITDOK_CLIENT_ID`.
        client_secret: Of the application; else `POKITDOK_CLIENT_SECRET`.
        token: A token to use instead of credentials; never renewed.
        token_provider: A function that returns a token, or a mapping with `access_token` and `expires_in`; called
            again when a token ends or is refused. It may block: it runs on the thread that waits for it, or on one of
            its own. It cannot use this client.
        base_url: Scheme and host of the API, without a path; else `POKITDOK_BASE_URL`. Plain http only for
            `localhost`, `127.0.0.1` and `[::1]`.
        client_auth: How the token endpoint gets the credentials: in the header or in the body (RFC 6749, 2.3.1).
        timeout: Seconds for a request, or an `httpx.Timeout`; the generated client's default if not given.
        transport: For synchronous requests, tokens included.
        async_transport: For asynchronous requests. Tokens use it only if there is no *transport* and it keeps no pool.
        httpx_args: Further arguments for the httpx clients. Of these, `verify`, `cert`, `proxy` and `trust_env` hold
            for the token request too.

    Raises:
        ConfigurationError: The arguments and the environment do not make a client; the text says what to pass.
        TypeError: *token_provider* is async.
    """
    root = _root(base_url or os.environ.get("POKITDOK_BASE_URL"))
    python = ".".join(platform.python_version_tuple()[:2])
    user_agent = f"pokitdok-client/{__version__} python/{python} httpx/{httpx.__version__}"
    options = dict(httpx_args or {})
    ours = sorted(options.keys() & _OURS)
    if ours:
        raise ConfigurationError(f"httpx_args holds what connect() sets itself: {', '.join(ours)}")
    source: TokenSource
    if token is None and token_provider is None:
        client_id = client_id or os.environ.get("POKITDOK_CLIENT_ID")
        client_secret = client_secret or os.environ.get("POKITDOK_CLIENT_SECRET")
        if not client_id or not client_secret:
            lacking = "client_id" if client_secret else "client_secret" if client_id else "credentials"
            raise ConfigurationError(_NO_CREDENTIALS.format(lacking=lacking))
        route = Route(transport, async_transport, {name: options[name] for name in _ROUTE_OPTIONS if name in options})
        source = ClientCredentials(
            f"{root}/oauth2/token", client_id, Secret(client_secret), client_auth, user_agent, route
        )
    elif (client_id, client_secret, token, token_provider).count(None) != 3:
        raise ConfigurationError("more than one kind of credentials: pass only one of\n" + _KINDS)
    elif token_provider is not None:
        source = CallableSource(token_provider)
    else:
        source = StaticToken(token or "")
    tokens = ClientTokens(manager_for(source))
    return Client(
        root,
        auth=TokenAuth(tokens, Origin.of(httpx.URL(root))),
        transport=transport,
        async_transport=async_transport,
        timeout=timeout,
        headers={"User-Agent": user_agent},
        tokens=tokens,
        httpx_args=options,
    )


def _root(base_url: str | None) -> str:
    """*base_url* without a slash at its end, if the client may talk to it."""
    if not base_url:
        raise ConfigurationError(_NO_BASE_URL)
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.host.endswith("."):
        raise ConfigurationError("base_url is not the address of a host; it looks like https://api.example.com")
    if url.userinfo or url.query or url.fragment or url.path.strip("/"):
        raise ConfigurationError(
            "base_url is scheme, host and port; leave out path (/api/v4 is added), query, fragment, user and password"
        )
    if url.scheme == "http" and not _LOOPBACK.fullmatch(base_url):
        raise ConfigurationError(
            "base_url is plain http, which would show tokens and patient data on the way: use https. "
            "Plain http is for localhost, 127.0.0.1 and [::1] only, written like that"
        )
    return str(url.copy_with(raw_path=b"/")).rstrip("/")
