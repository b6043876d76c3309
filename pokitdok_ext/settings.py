"""Base URL, TLS and proxies: one rule each, for the token request and for API requests, synchronous and asynchronous.

httpx, httpcore and aiohttp decide nothing of this themselves: they are given a context and a proxy, and no environment.
"""

import importlib.util
import os
import re
import ssl
import urllib.request
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import httpx

from ._errors import ConfigurationError

Verify: TypeAlias = ssl.SSLContext | str | os.PathLike[str] | bool
Certificate: TypeAlias = str | os.PathLike[str] | tuple[Any, ...]
_Connection = TypeVar("_Connection", ssl.SSLSocket, ssl.SSLObject)

_LOOPBACK_ROOT = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?/*")

_NO_BASE_URL = """\
no base_url: pass base_url=..., or set POKITDOK_BASE_URL.
The platform this client was written for is retired, so there is no default. To start a local one, in a second terminal:
    python -m pokitdok_sandbox
It prints its address and credentials."""

_CERT_FORMS = "cert is the path of a PEM file, (certificate, key) or (certificate, key, password)"


# --- base URL -------------------------------------------------------------------------------------


def api_root(base_url: str | None) -> str:
    """*base_url*, else `POKITDOK_BASE_URL`, without a slash at its end, if the client may talk to it.

    Raises:
        ConfigurationError: It is not the root of a host, or plain http to another machine.
    """
    base_url = base_url or os.environ.get("POKITDOK_BASE_URL")
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
    if url.scheme == "http" and not _LOOPBACK_ROOT.fullmatch(base_url):
        raise ConfigurationError(
            "base_url is plain http, which would show tokens and patient data on the way: use https. "
            "Plain http is for localhost, 127.0.0.1 and [::1] only, written like that"
        )
    return str(url.copy_with(raw_path=b"/")).rstrip("/")


# --- transports -----------------------------------------------------------------------------------

OPTIONS = frozenset({"verify", "cert", "trust_env", "http1", "http2", "limits", "proxy"})
"""What of httpx's client arguments is the transport's business."""


def transport_options(options: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The arguments of an httpx transport to *root*: TLS and proxy as decided here, nothing left to the environment.

    Args:
        options: The caller's arguments for httpx clients; those of `OPTIONS` are used.
        root: As `api_root()` returns it.

    Raises:
        ConfigurationError: A path, a proxy or an `SSLContext` of *options* or of the environment cannot be used.
    """
    chosen = {name: options[name] for name in ("http1", "http2", "limits") if name in options}
    verify, cert, trust_env = options.get("verify", True), options.get("cert"), options.get("trust_env", True)
    proxy = proxy_to(root, options.get("proxy"), trust_env=trust_env)
    encrypted_proxy = proxy is not None and proxy.url.scheme == "https"
    if (
        root.startswith("http:")
        and verify is True
        and cert is None
        and not encrypted_proxy
        and not options.get("mounts")
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used: reading certificates for it would take long
    else:
        context = tls_context(verify, cert, trust_env=trust_env, http2=options.get("http2", False))
    if proxy is not None and encrypted_proxy:  # without a context of its own httpx would take one that ignores verify
        to_proxy = tls_context(proxy.ssl_context or verify, trust_env=trust_env)
        proxy = httpx.Proxy(proxy.url, ssl_context=to_proxy, auth=proxy.auth, headers=proxy.headers)
    return {**chosen, "verify": context, "proxy": proxy, "trust_env": False}


# --- TLS ------------------------------------------------------------------------------------------


def tls_context(
    verify: Verify = True, cert: Certificate | None = None, *, trust_env: bool = True, http2: bool = False
) -> ssl.SSLContext:
    """The TLS settings of all requests: version 1.2 or newer, whatever Python and OpenSSL of this machine allow.

    Without *cert* and HTTP/2, contexts are made once for the same settings and shared; what lies at a path is then read
    once in a process, and otherwise for each client.

    Args:
        verify: The certificates to trust: True for those of `SSL_CERT_FILE` or `SSL_CERT_DIR`, else of certifi; the
            path of a PEM file or of a directory as `openssl rehash` makes it; False for any; or a context of yours.
            Yours is used as it is. If its `minimum_version` is unset, as in Debian's Python, connections below
            TLS 1.2 are refused after the handshake, before anything is sent.
        cert: A client certificate: the path of a PEM file, `(certificate, key)` or `(certificate, key, password)`.
        trust_env: Whether `SSL_CERT_FILE` and `SSL_CERT_DIR` count.
        http2: Whether HTTP/2 is offered; such a context is not shared, since what it offers is a setting of its own.

    Raises:
        ConfigurationError: A path cannot be read or does not hold what it should, *verify* is a context that allows
            less than TLS 1.2, or *cert* is given with a context. The text names path and setting, never a password.
    """
    if isinstance(verify, ssl.SSLContext):
        if cert is not None:
            raise ConfigurationError(
                "cert does not go with an SSLContext, which would be changed: call its load_cert_chain() yourself"
            )
        return _callers_context(verify)
    named = "verify"
    try:
        path = None if isinstance(verify, bool) else os.fspath(verify)
    except TypeError:
        path = ""
    if path == "" or isinstance(path, bytes):
        raise ConfigurationError("verify is True, False, the path of certificates to trust, or an ssl.SSLContext")
    if verify is True and trust_env:
        found = ((name, os.environ.get(name)) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        named, path = next(((name, value) for name, value in found if value), (named, path))
    if cert is None and not http2:
        # By its whole path: the folder that a program works in may change. SSL_CERT_DIR can hold several.
        whole = path if path is None or named == "SSL_CERT_DIR" else str(Path(path).absolute())
        return _shared_context(verify is not False, named, whole)
    context = _new_context(verify is not False, named, path)
    if cert is not None:
        _load_client_certificate(context, cert)
    return context


def _new_context(verified: bool, named: str, path: str | None) -> ssl.SSLContext:
    """A context that trusts the certificates at *path*, else the usual ones; *named* is the setting with the path."""
    if path is None:
        context = httpx.create_ssl_context(verify=verified, trust_env=False)
    elif named == "SSL_CERT_DIR" or (named == "verify" and Path(path).is_dir()):
        for directory in filter(None, path.split(os.pathsep)):
            _check_directory(named, directory)
        context = ssl.create_default_context(capath=path)
    else:
        _check_pem(named, path, "certificate")
        try:
            context = ssl.create_default_context(cafile=path)
        except ssl.SSLError:
            raise ConfigurationError(f"{named}: {path} holds a certificate that cannot be read") from None
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


_shared_context = lru_cache(maxsize=8)(_new_context)


def _check_directory(named: str, path: str) -> None:
    """OpenSSL itself takes a directory that does not exist, and trusts nobody."""
    try:
        names = [entry.name for entry in Path(path).iterdir()]
    except OSError as error:
        raise ConfigurationError(f"{named}: {path}: {error.strerror}") from None
    if not any(re.fullmatch(r"[0-9a-f]{8}\.[0-9]+", name) for name in names):
        raise ConfigurationError(f"{named}: {path} holds no certificate under its hash: run openssl rehash on it")


def _check_pem(named: str, path: str, what: str) -> None:
    """Whether *path* can be read and holds *what*; OpenSSL says neither which file is wrong nor why."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{named}: {path}: {getattr(error, 'strerror', 'not a path')}") from None
    if f"{what.upper()}-----".encode() not in content:
        raise ConfigurationError(f"{named}: {path} holds no {what} in PEM form")


def _load_client_certificate(context: ssl.SSLContext, cert: Certificate) -> None:
    parts = cert if isinstance(cert, tuple) else (cert,)
    certificate, key, password = (*parts, None, None)[:3] if 1 <= len(parts) <= 3 else (None, None, None)
    if not isinstance(certificate, str | os.PathLike) or not isinstance(key, str | os.PathLike | None):
        raise ConfigurationError(_CERT_FORMS)
    certificate, key = os.fspath(certificate), os.fspath(key or certificate)
    _check_pem("cert", certificate, "certificate")
    _check_pem("cert", key, "private key")
    asked = []

    def answer() -> Any:  # without one, OpenSSL would ask on the terminal
        asked.append(True)
        return (password() if callable(password) else password) or ""

    try:
        context.load_cert_chain(certificate, key, answer)
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "reason", None)
    else:
        return
    if asked and password is None:
        raise ConfigurationError(f"cert: {key} is encrypted: pass (certificate, key, password)")
    if asked:
        raise ConfigurationError(f"cert: the password does not open {key}")
    if reason == "KEY_VALUES_MISMATCH":
        raise ConfigurationError(f"cert: the key in {key} does not belong to the certificate in {certificate}")
    raise ConfigurationError(f"cert: {certificate} or {key} holds something that cannot be read")


def _callers_context(context: ssl.SSLContext) -> ssl.SSLContext:
    """*context* as it is if it allows TLS 1.2 and newer only, or behind one that does if it does not say."""
    versions = [version for version in (context.minimum_version, context.maximum_version) if version > 0]
    if any(version < ssl.TLSVersion.TLSv1_2 for version in versions):
        raise ConfigurationError(
            "the SSLContext given as verify allows TLS below 1.2: "
            "set its minimum_version to ssl.TLSVersion.TLSv1_2, and no maximum_version below"
        )
    return _ModernOnly(context) if context.minimum_version == ssl.TLSVersion.MINIMUM_SUPPORTED else context


class _ModernOnly(ssl.SSLContext):
    """Makes connections with a caller's context, and refuses those that turn out to be below TLS 1.2.

    A context cannot be copied (client certificates and callbacks cannot be read back), and the caller's stays as it is.
    """

    def __new__(cls, _callers: ssl.SSLContext) -> "_ModernOnly":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, callers: ssl.SSLContext) -> None:
        self._callers = callers
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self.check_hostname, self.verify_mode = callers.check_hostname, callers.verify_mode

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return _checked(self._callers.wrap_socket(*args, **kwargs))

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return _checked(self._callers.wrap_bio(*args, **kwargs))

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        self._callers.set_alpn_protocols(alpn_protocols)  # httpcore does so with any context


def _checked(connection: _Connection) -> _Connection:
    """*connection*, whose handshake fails if it ends below TLS 1.2."""
    handshake = connection.do_handshake

    def do_handshake(*args: Any) -> None:
        handshake(*args)
        version = connection.version()
        if version not in {"TLSv1.2", "TLSv1.3"}:
            if isinstance(connection, ssl.SSLSocket):
                connection.close()
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"unsupported protocol: {version}, and TLS 1.2 is the oldest allowed")

    vars(connection)["do_handshake"] = do_handshake
    if connection.version() is not None:  # the handshake is over, which another one only looks at
        do_handshake()
    return connection


# --- proxies --------------------------------------------------------------------------------------


def proxy_to(
    url: str | httpx.URL, proxy: str | httpx.URL | httpx.Proxy | None = None, *, trust_env: bool = True
) -> httpx.Proxy | None:
    """The proxy for requests to *url*: the caller's if there is one, else that of the environment; see `proxy_for()`.

    Where no variable ends in `_proxy`, the settings of macOS and Windows count in place of the environment.

    Raises:
        ConfigurationError: The address is none of a proxy, or needs a package; or *url* is plain http and the caller's
            proxy is another machine, which would see id, secret and patient data.
    """
    url = httpx.URL(url)
    if proxy is None:
        return proxy_for(url, _environment(url)) if trust_env else None
    checked = checked_proxy(proxy)
    if url.scheme == "http" and _is_loopback(url.host) and not _is_loopback(checked.url.host):
        raise ConfigurationError(
            "plain http would show id, secret and patient data to a proxy on another machine: leave the proxy out, "
            "or use https"
        )
    return checked


def proxy_for(url: str | httpx.URL, environment: Mapping[str, str]) -> httpx.Proxy | None:
    """The proxy that *environment* has for *url*, as curl and requests understand the variables; None for none.

    `https_proxy` or `http_proxy` by the scheme of *url*, else `all_proxy`. A name in lower case beats that in upper
    case, even if it is empty. `HTTP_PROXY` does not count where `REQUEST_METHOD` is set: there it is a header of a CGI
    request. An address without a scheme is one of an http proxy. A host of this machine never has a proxy, nor has one
    that `no_proxy` holds: names (with their subdomains, with or without a leading dot), addresses and CIDR ranges (IPv6
    with or without brackets), each with or without a port, or `*` for all; separated by commas or blanks.

    Raises:
        ConfigurationError: The address is none of a proxy, or needs a package. The text names the variable only.
    """
    url = httpx.URL(url)
    if _is_loopback(url.host) or _is_excepted(url, _variable("no_proxy", environment)[1]):
        return None
    for name in (f"{url.scheme}_proxy", "all_proxy"):
        found, address = _variable(name, environment)
        if address:
            return checked_proxy(address, found)
    return None


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Name, as it is written, and value; an empty value if there is none."""
    for written in (name, name.upper()):
        if written in environment and not (written == "HTTP_PROXY" and "REQUEST_METHOD" in environment):
            return written, environment[written].strip()
    return name, ""


def _environment(url: httpx.URL) -> Mapping[str, str]:
    """The environment, or the system's settings in its form where it has no variable for proxies (as in urllib)."""
    if any(name.lower().endswith("_proxy") for name in os.environ):
        return os.environ
    if _is_loopback(url.host) or not (system := urllib.request.getproxies()) or urllib.request.proxy_bypass(url.host):
        return {}
    return {f"{scheme}_proxy": address for scheme, address in system.items()}


def _is_excepted(url: httpx.URL, no_proxy: str) -> bool:
    """Whether an entry of *no_proxy* holds the host of *url*. An entry that makes no sense holds none."""
    port = str(url.port or {"http": 80, "https": 443}.get(url.scheme))
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        scheme, _, host = entry.rpartition("://")  # httpx takes all://host, too
        named_port = ""
        if host.startswith("["):
            address, _, rest = host[1:].partition("]")
            prefix, _, named_port = rest.partition(":")
            host = address + prefix
        elif host.count(":") == 1:
            host, _, named_port = host.partition(":")
        if scheme in {"", "all", url.scheme} and named_port in {"", port} and (host == "*" or _holds(host, url)):
            return True
    return False


def _holds(entry: str, url: httpx.URL) -> bool:
    """Whether *entry*, a name, an address or a range, holds the host of *url*."""
    address = _address(url.host)
    if address is not None:
        try:
            return address in ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.removeprefix("*").strip(".")
    hosts = (url.host.lower().rstrip("."), url.raw_host.decode("ascii").lower().rstrip("."))
    return bool(name) and any(host == name or host.endswith(f".{name}") for host in hosts)


def _is_loopback(host: str) -> bool:
    """Whether *host* is this machine, by its name (RFC 6761, 6.3) or address."""
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    return f".{host.lower().rstrip('.')}".endswith(".localhost")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def checked_proxy(given: str | httpx.URL | httpx.Proxy, named: str = "the proxy argument") -> httpx.Proxy:
    """*given* as httpx uses it.

    Raises:
        ConfigurationError: It is not the address of a proxy, or needs a package. The text has *named* and not what it
            holds, which may be a password.
    """
    proxy = given if isinstance(given, httpx.Proxy) else None
    if proxy is None:
        text = str(given)
        try:
            proxy = httpx.Proxy(text if "://" in text else f"http://{text}")
        except (httpx.InvalidURL, ValueError):
            proxy = None
    port = 80 if proxy is None or proxy.url.port is None else proxy.url.port
    if proxy is None or not re.fullmatch(r"[^%\s]+", proxy.url.host) or not 0 < port < 65536:
        raise ConfigurationError(
            f"{named} is not the address of a proxy; it looks like http://proxy.example:3128, https:// or socks5://, "
            "with special characters of user and password percent-encoded"
        )
    if proxy.url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigurationError(
            f"{named} is a SOCKS proxy, which needs the package socksio: pip install 'httpx[socks]'. "
            "To use no proxy, put the host into NO_PROXY"
        )
    return proxy
