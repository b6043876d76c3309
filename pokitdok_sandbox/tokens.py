"""The token endpoint (RFC 6749 sections 2.3.1, 4.4 and 5) and the check of a bearer token. Secrets are never shown."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from pokitdok_sandbox.calls import Answer, Call, Handler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pokitdok_sandbox.world import World

LIFETIME = 3600
"""Seconds that a token lives, in every recording."""


@dataclass(frozen=True)
class Holder:
    """Who holds a token: the application, and the scopes that it asked for."""

    client_id: str
    scopes: frozenset[str]


NOBODY = Holder("", frozenset())
"""Who calls an operation that needs no token."""


def create_token(call: Call) -> Answer:
    """Issue a token for client credentials; each call another one, and earlier ones stay valid.

    It has whatever scopes were asked for (RFC 6749 section 3.3); nothing is known of how the platform granted them.
    """
    form: dict[str, str] = call.body
    settings = call.world.settings
    offered = [*basic_credentials(call.authorization)] or [(form.get("client_id", ""), form.get("client_secret", ""))]
    if not any(_same(pair, (settings.client_id, settings.client_secret)) for pair in offered):
        return Answer({"error": "invalid_client"}, status=400)
    if "grant_type" not in form:
        return Answer({"error": "invalid_request"}, status=400)
    if form["grant_type"] != "client_credentials":
        return Answer({"error": "unsupported_grant_type"}, status=400)
    token = call.world.new_token()
    expires = call.now + LIFETIME
    scopes = form.get("scope", "").split()
    call.world.store.put_token(
        _digest(token), {"client_id": settings.client_id, "issued": call.now, "expires": expires, "scopes": scopes}
    )
    issued = {"access_token": token, "token_type": "bearer", "expires": int(expires), "expires_in": LIFETIME}
    return Answer(issued | ({"scope": " ".join(scopes)} if scopes else {}))


def holder_of(world: World, authorization: str, now: float) -> Holder | None:
    """Return who is behind an Authorization header, or None when its token is missing, wrong or expired."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    known = world.store.token(_digest(token.strip()))
    if known is None or now >= known["expires"]:
        return None
    return Holder(known["client_id"], frozenset(known.get("scopes", [])))  # a file of an older version has no scopes


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


def _same(offered: tuple[str, str], expected: tuple[str, str]) -> bool:
    # & instead of `and`: the time taken must not tell which of the two was wrong
    return compare_digest(offered[0].encode(), expected[0].encode()) & compare_digest(
        offered[1].encode(), expected[1].encode()
    )


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


HANDLERS = {"create_token": Handler(create_token, activity=None)}
