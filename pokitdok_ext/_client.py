"""`connect()`: the generated client with our token handling in it. It assembles, and does nothing else."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import httpx

from pokitdok_api import Client
from pokitdok_api.types import UNSET, Unset

from . import __version__
from ._auth import TokenAuth
from ._authorization import scope_text
from ._client_tokens import ClientTokens
from ._clock import Clock
from ._connections import FirstUse, LoopsOwn, client_options
from ._errors import ConfigurationError
from ._grants import AuthorizationCode, ClientCredentials
from ._retries import DEFAULT_RETRY, Retry
from ._sending import Pace, RetryTransport
from ._shared_managers import manager_for
from ._sources import CallableSource, StaticToken, TokenProvider, TokenSource
from ._stand_ins import stand_in_for
from ._token_endpoint import SecretProvider, TokenEndpoint
from ._token_reports import TokenListener
from ._token_route import Route, route_key
from ._tokens import DEFAULT_POLICY, Secret, TokenPolicy
from .settings import api_root, transport_options

if TYPE_CHECKING:
    from ._stores import TokenStore

_ROUTE_OPTIONS = ("verify", "cert", "proxy", "trust_env")
_OURS = frozenset({"auth", "base_url", "follow_redirects", "headers", "timeout", "transport"})

_KINDS = """\
    connect(client_id, client_secret)    or set POKITDOK_CLIENT_ID and POKITDOK_CLIENT_SECRET
    connect(token=...)                   a token you already have
    connect(token_provider=...)          a function that returns a token"""

_NO_CREDENTIALS = "no {lacking}: pass one of\n" + _KINDS


class ConnectedClient(Client):
    """What `connect()` returns: the generated client, with its `tokens` typed."""

    @property
    def tokens(self) -> ClientTokens:
        """What the owner of the client can see and do about its token."""
        return cast(ClientTokens, super().tokens)


def connect(
    client_id: str | None = None,
    client_secret: str | SecretProvider | None = None,
    *,
    token: str | None = None,
    token_provider: TokenProvider | None = None,
    base_url: str | None = None,
    client_auth: Literal["basic", "body"] = "basic",
    scope: str | Iterable[str] | None = None,
    code: str | None = None,
    redirect_uri: str | None = None,
    refresh_token: str | None = None,
    store: "TokenStore | None" = None,
    account: str | None = None,
    token_policy: TokenPolicy = DEFAULT_POLICY,
    on_token_event: TokenListener | None = None,
    timeout: float | httpx.Timeout | Unset | None = UNSET,
    retry: Retry | None = DEFAULT_RETRY,
    pace: Pace | None = None,
    transport: httpx.BaseTransport | None = None,
    async_transport: httpx.AsyncBaseTransport | None = None,
    decode: Callable[[bytes], Any] = json.loads,
    clock: Clock | None = None,
    httpx_args: Mapping[str, Any] | None = None,
) -> ConnectedClient:
    """Make a client that gets, keeps and renews its tokens by itself. Nothing is sent until the first request.

    Use it as a context manager, sync or async; one client serves any number of threads and event loops. Clients with
    the same credentials share one token. Arguments beat the environment.

    Args:
        client_id: Of the application; else `POKITDOK_CLIENT_ID`.
        client_secret: Of the application, or a function that returns it (from a vault, a rotated file), which is asked
            each time a token is fetched; else `POKITDOK_CLIENT_SECRET`.
        token: A token to use instead of credentials; never renewed.
        token_provider: A function that returns a token, or a mapping with `access_token` and `expires_in`; called
            again when a token ends or is refused. A plain one may block: it runs on the thread that waits for it, or on
            one of its own. An async one runs on the loop that waits for it. It cannot use this client.
        base_url: Scheme and host of the API, without a path; else `POKITDOK_BASE_URL`. Plain http only for
            `localhost`, `127.0.0.1` and `[::1]`.
        client_auth: How the token endpoint gets the credentials: in the header or in the body (RFC 6749, 2.3.1).
        scope: Scopes to ask for, as a list or separated by spaces; with credentials only.
        code: An authorization code, to act for the user who gave it; see `authorization_url()`. Used once.
        redirect_uri: The one of the authorization request; with *code*.
        refresh_token: Of an earlier session, in place of *code*.
        store: Shares one token between processes or hosts: `FileStore`, `RedisStore`, or your own `TokenStore`.
        account: Whose tokens they are; a store needs it with *code*, *refresh_token* and *token_provider*.
        token_policy: When tokens are renewed, where they may go, what counts as a refusal.
        on_token_event: Called with a `TokenEvent` for each thing that happens to the token.
        timeout: Seconds for a request, or an `httpx.Timeout`; the generated client's default if not given.
        retry: What is sent again, and how long; None for nothing. Only what is safe to repeat is (`docs/retries.md`).
        pace: Keeps under the rate limit, such as `pokitdok_ext.pacing.Pacer()`. Without one, single calls are never
            held, and those of `pokitdok_ext.bulk` keep to the limit that answers announce.
        transport: For synchronous requests, tokens included.
        async_transport: For asynchronous requests; aiohttp's where the extra `fast` is installed, else httpx's, if not
            given. Tokens use it only if there is no *transport* and it keeps no pool.
        clock: Time, waiting and chance, for tests; the machine's own if not given.
        decode: Decodes the body of an answer, as `json.loads` does; `pokitdok_ext.fast.decode_json` is faster.
        httpx_args: Further arguments for the httpx clients. Of these, `verify` (True, the path of a file or directory
            of certificates, or an `ssl.SSLContext`, which is not changed), `cert` (path, `(certificate, key)` or
            `(certificate, key, password)`), `proxy` and `trust_env` hold for the token request too. TLS is 1.2 or newer
            in any case, and this machine has no proxy of the environment; see `docs/tls-and-proxies.md`.

    Raises:
        ConfigurationError: The arguments and the environment do not make a client; the text says what to pass.
    """
    root = api_root(base_url)
    stand_in = stand_in_for(root)
    transport, async_transport = transport or stand_in.transport, async_transport or stand_in.async_transport
    clock = clock or stand_in.clock
    python = ".".join(platform.python_version_tuple()[:2])
    user_agent = f"pokitdok-client/{__version__} python/{python} httpx/{httpx.__version__}"
    options = dict(httpx_args or {})
    ours = sorted(options.keys() & _OURS)
    if ours:
        raise ConfigurationError(f"httpx_args holds what connect() sets itself: {', '.join(ours)}")
    if options.get("verify") is False and not token_policy.unverified_token_endpoint:
        raise ConfigurationError(_UNVERIFIED)
    told = {name: options[name] for name in _ROUTE_OPTIONS if name in options}
    # With both transports given, nothing here reaches the network.
    chosen = {} if transport and async_transport else transport_options(options, root)

    source: TokenSource
    if token is None and token_provider is None:
        client_id = client_id or os.environ.get("POKITDOK_CLIENT_ID")
        client_secret = client_secret or os.environ.get("POKITDOK_CLIENT_SECRET")
        if not client_id or not client_secret:
            lacking = "client_id" if client_secret else "client_secret" if client_id else "credentials"
            raise ConfigurationError(_NO_CREDENTIALS.format(lacking=lacking))
        proxy = chosen.get("proxy")
        told["proxy"] = proxy and (str(proxy.url), proxy.auth)  # the environment's counts, too
        way_options = {name: chosen[name] for name in chosen.keys() & {"verify", "proxy", "trust_env"}}
        route = Route(transport, async_transport, way_options, route_key(transport, async_transport, told))
        secret = Secret(client_secret) if isinstance(client_secret, str) else client_secret
        endpoint = TokenEndpoint(
            root, client_id, secret, style=client_auth, user_agent=user_agent, route=route, clock=clock
        )
        source = _grant(endpoint, scope_text(scope), code, redirect_uri, refresh_token)
    elif (client_id, client_secret, token, token_provider).count(None) != 3:
        raise ConfigurationError("more than one kind of credentials: pass only one of\n" + _KINDS)
    elif (scope, code, redirect_uri, refresh_token) != (None, None, None, None):
        raise ConfigurationError(
            "scope, code, redirect_uri and refresh_token go with client_id and client_secret: a token that you bring "
            "has its scope already"
        )
    elif token_provider is not None:
        source = CallableSource(token_provider)
    else:
        source = StaticToken(token or "", clock)
    if store is not None:
        source = _shared(source, store, account, clock)
    tokens = ClientTokens(manager_for(source, token_policy, clock), on_token_event)
    down = transport or FirstUse(lambda: httpx.HTTPTransport(**chosen))
    async_down = async_transport or LoopsOwn(lambda: _async_pool(chosen))
    # One for each world: instrumentation wraps both ways through a transport, and would count each request twice.
    paced = partial(RetryTransport, retry=retry, pace=pace, clock=clock, check_open=lambda: tokens.manager)
    sending, async_sending = (paced(down, async_down) for _ in range(2))
    return ConnectedClient(
        root,
        auth=TokenAuth(tokens, [root, *map(api_root, token_policy.origins)], token_policy),
        transport=sending,
        async_transport=async_sending,
        timeout=timeout,
        headers={"User-Agent": user_agent},
        tokens=tokens,
        decode=decode,
        httpx_args=client_options(options, lambda mounted: paced(mounted, mounted)),
    )


async def _async_pool(options: Mapping[str, Any]) -> httpx.AsyncBaseTransport:
    from ._async_connections import async_pool  # noqa: PLC0415 - synchronous programs do not pay for it

    return await async_pool(options)


def _grant(
    endpoint: TokenEndpoint, scope: str, code: str | None, redirect_uri: str | None, refresh_token: str | None
) -> TokenSource:
    """The grant that the arguments ask for."""
    if code is None and refresh_token is None:
        if redirect_uri is not None:
            raise ConfigurationError("redirect_uri goes with code")
        return ClientCredentials(endpoint, scope)
    return AuthorizationCode(
        endpoint,
        code=None if code is None else Secret(code),
        redirect_uri=redirect_uri,
        scope=scope,
        refresh_token=None if refresh_token is None else Secret(refresh_token),
    )


def _shared(source: TokenSource, store: "TokenStore", account: str | None, clock: Clock) -> TokenSource:
    """*source* behind *store*."""
    from ._sharing import SharedSource  # noqa: PLC0415 - only with a store

    if not source.renewable:
        raise ConfigurationError("a store goes with tokens that are fetched; token=... is one you keep yourself")
    if source.share_key is None and not account:
        raise ConfigurationError(
            "a store needs account=... here: a name that tells these tokens from those of other users or providers"
        )
    return SharedSource(source, store, account or "", clock)


_UNVERIFIED = (
    "verify=False would send id and secret to whoever answers: give the CA in its place (verify=ssl_context), or pass "
    "token_policy=TokenPolicy(unverified_token_endpoint=True) where that is meant"
)
