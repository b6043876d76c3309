"""What a person can choose about a sandbox. Nothing is opened or started here."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8400
DEFAULT_CLIENT_ID = "sandbox-client-id"
DEFAULT_CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - public on purpose: it opens nothing but this sandbox
WELL_KNOWN_ACTIVITY = "5317f51527a27620f2ec7533"
"""The activity that the platform's own documentation reads; it exists from the start."""


@dataclass(frozen=True)
class Settings:
    """Choices for one sandbox.

    Attributes:
        client_id: The id that the token endpoint accepts.
        client_secret: Its secret; never shown in a repr.
        speed: How fast activities advance, relative to the documented pace; 1 keeps a MOCKPAYER claim scheduled for
            about five minutes, 60 for five seconds, ``float("inf")`` ends it before the next read.
        db: SQLite file that keeps tokens and activities over a restart; None keeps them in memory.
        strict: Refuse undocumented request fields and codes with 422 instead of warning.
        modern: Switch the wire oddities of the recordings off (JSON as text/html, HTML bodies of 301, 404, 405).

    Raises:
        ValueError: A choice makes no sense; the text names it and what would.
    """

    client_id: str = DEFAULT_CLIENT_ID
    client_secret: str = field(default=DEFAULT_CLIENT_SECRET, repr=False)
    speed: float = 1.0
    db: str | None = None
    strict: bool = False
    modern: bool = False

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed is {self.speed}; give a number above 0, 1 for the documented pace")
        if not self.client_id or not self.client_secret:
            raise ValueError("client id and client secret need at least one character each")
        if ":" in self.client_id:
            raise ValueError("the client id holds a colon, which a Basic header cannot carry (RFC 7617 section 2)")
