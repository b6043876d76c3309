"""What the sandbox knows of access tokens, refresh tokens and authorization codes. How one is got is in grants."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pokitdok_sandbox.world import World

CODE_LIFE = 60
"""Seconds between consent and the use of its code; RFC 6749 section 4.1.2 allows ten minutes at most."""
REFRESH_LIFE = 30 * 24 * 3600
"""Seconds that a refresh token lives. Not known of the platform."""

Kind = Literal["access", "refresh", "code"]


@dataclass(frozen=True)
class Holder:
    """Who holds a token: the application, and the scopes that were granted."""

    client_id: str
    scopes: frozenset[str]


NOBODY = Holder("", frozenset())
"""Who calls an operation that needs no token."""


def issue(world: World, kind: Kind, now: float, *, client_id: str, scopes: list[str], **more: Any) -> str:
    """Make a token or a code and remember it by its digest alone.

    ``more`` may hold ``family``: the consent that it rests on, so that all of one family can be withdrawn together.
    """
    life = {"access": world.settings.token_life, "refresh": REFRESH_LIFE, "code": CODE_LIFE}[kind]
    text = world.new_token()
    world.store.put_token(
        digest(text),
        {"kind": kind, "client_id": client_id, "issued": now, "expires": now + life, "scopes": scopes, **more},
    )
    return text


def find(world: World, text: str, kind: Kind, now: float) -> dict[str, Any] | None:
    """Return what is known about a token or a code that has not ended; None for any other text."""
    known = world.store.token(digest(text))
    # a file of an older version has no kind
    if known is None or now >= known["expires"] or known.get("kind", "access") != kind:
        return None
    return known


def holder_of(world: World, authorization: str, now: float) -> Holder | None:
    """Return who is behind an Authorization header, or None when its token is missing, wrong or ended."""
    known = find(world, bearer_of(authorization), "access", now)
    if known is None:
        return None
    return Holder(known["client_id"], frozenset(known.get("scopes", [])))


def bearer_of(authorization: str) -> str:
    """Return the token in an Authorization header; empty when it has none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def digest(text: str) -> str:
    """Return the name under which a token is kept."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
