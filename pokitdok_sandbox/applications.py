"""Applications that may use a sandbox, and how one proves who it is (RFC 6749 section 2.3.1). Tokens are in tokens."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Mode = Literal["test", "production"]
MODES: tuple[Mode, ...] = ("test", "production")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Application:
    """One application. What it leaves out is as the sandbox has it in its Settings.

    Attributes:
        client_id: Its id.
        client_secret: Its secret; never shown in a repr.
        name: What the consent page calls it; the id when empty.
        scopes: The OAuth scopes that it may ask for; None allows any.
        redirect_uris: Where the consent page may send a user back to, each compared character by character.
        mode: "test" never runs out of credits; "production" does.
        credits: Credits at the start.

    Raises:
        ValueError: A value makes no sense; the text names it and what would.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str = ""
    scopes: frozenset[str] | None = None
    redirect_uris: tuple[str, ...] = ()
    mode: Mode | None = None
    credits: int | None = None

    def __post_init__(self) -> None:
        if not self.client_id or not self.client_secret:
            raise ValueError("client id and client secret need at least one character each")
        if ":" in self.client_id:
            raise ValueError("the client id holds a colon, which a Basic header cannot carry (RFC 7617 section 2)")
        if self.mode not in {None, *MODES}:
            raise ValueError(f"the mode of an application is one of {', '.join(MODES)}")
        require_redirect_uris(self.redirect_uris)


def authenticate(
    applications: Iterable[Application], authorization: str, form: Mapping[str, str]
) -> Application | None:
    """Return the application whose credentials are in the Basic header, or else in the form; None if they are wrong."""
    offered = [*basic_credentials(authorization)] or [(form.get("client_id", ""), form.get("client_secret", ""))]
    # all of them, whatever the first says: the time taken must not tell which one it was
    right = [
        application
        for application in applications
        if sum(_same(pair, (application.client_id, application.client_secret)) for pair in offered)
    ]
    return right[0] if right else None


def basic_credentials(authorization: str) -> Iterator[tuple[str, str]]:
    """Yield the readings of a Basic header: as it is, and decoded from the form encoding of RFC 6749 section 2.3.1.

    Either base64 alphabet will do, padded or not, and a line end after the secret is dropped: the platform's own
    documentation makes the value with ``echo``, which puts one there.
    """
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return
    encoded = encoded.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        yield "", ""
        return
    client_id, _, secret = decoded.removesuffix("\n").removesuffix("\r").partition(":")
    yield client_id, secret
    yield unquote_plus(client_id), unquote_plus(secret)


def allows_redirect(registered: Iterable[str], uri: str) -> bool:
    """Tell whether a user may be sent to ``uri``: it is registered, or nothing is and it stays on this machine."""
    registered = tuple(registered)
    if registered:
        return uri in registered
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and host in LOOPBACK and "@" not in parts.netloc and "#" not in uri


def require_redirect_uris(uris: Iterable[str]) -> None:
    """Refuse what cannot be a redirect URI (RFC 6749 section 3.1.2).

    Raises:
        ValueError: One is not absolute or has a fragment; the text quotes it.
    """
    for uri in uris:
        if not urlsplit(uri).scheme or "#" in uri:
            raise ValueError(f"redirect URI {uri!r}: give an absolute one without a fragment (RFC 6749 section 3.1.2)")


def _same(offered: tuple[str, str], expected: tuple[str, str]) -> bool:
    # & instead of `and`: the time taken must not tell which of the two was wrong
    return compare_digest(_bytes(offered[0]), _bytes(expected[0])) & compare_digest(
        _bytes(offered[1]), _bytes(expected[1])
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON may hold half a character
