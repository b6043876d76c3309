"""What a person can choose about a sandbox. Nothing is opened or started here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pokitdok_sandbox.applications import MODES, Application, Mode, require_redirect_uris

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8400
DEFAULT_CLIENT_ID = "sandbox-client-id"
DEFAULT_CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - public on purpose: it opens nothing but this sandbox
WELL_KNOWN_ACTIVITY = "5317f51527a27620f2ec7533"
"""The activity that the platform's own documentation reads; it exists from the start."""


Consent = Literal["ask", "allow", "deny"]
CONSENTS: tuple[Consent, ...] = ("ask", "allow", "deny")

Advance = Literal["clock", "polls", "at once"]
ADVANCES: tuple[Advance, ...] = ("clock", "polls", "at once")


@dataclass(frozen=True)
class Pace:
    """What makes activities advance; see Settings."""

    advance: Advance = "clock"
    speed: float = 1.0


@dataclass(frozen=True)
class Settings:
    """Choices for one sandbox.

    Attributes:
        client_id: The id that the token endpoint accepts.
        client_secret: Its secret; never shown in a repr.
        speed: How fast activities advance, relative to the documented pace; 1 keeps a MOCKPAYER claim scheduled for
            about five minutes, 60 for five seconds, ``float("inf")`` ends it before the next read.
        advance: What makes activities advance: "clock" the time that passes, "polls" each read of one activity moves it
            a step, "at once" ends it before the next read.
        db: SQLite file that keeps tokens and activities over a restart; None keeps them in memory.
        strict: Refuse undocumented request fields and codes with 422 instead of warning.
        empty: Begin without sample records: no activity, person, open slot or payment that nobody made. Directories
            (trading partners, providers, plans, prices, codes) stay.
        seed: Makes ids, tokens and codes the same at every start and reset, for the same calls at the same times; so
            they can be foreseen, too. None leaves them to the operating system's randomness.
        applications: Further applications, each with credentials of its own.
        redirect_uris: Where the consent page may send users of an application that names none itself. None at all:
            anywhere on this machine.
        consent: What the consent page does: "ask" a person, or "allow" or "deny" at once, for scripts.
        token_life: Seconds that an access token lives; 3600 in every recording.
        application_mode: Mode of applications that name none.
        credits: Credits at the start of applications that name none; "production" is refused with 402 at zero.
        rate_limit: Calls per minute and application, refused with 403 above it. None enforces nothing.
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
    applications: tuple[Application, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    consent: Consent = "ask"
    token_life: int = 3600
    application_mode: Mode = "test"
    credits: int = 10_000
    rate_limit: int | None = None
    advance: Advance = "clock"
    empty: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed is {self.speed}; give a number above 0, 1 for the documented pace")
        if self.advance not in ADVANCES:
            raise ValueError(f"advance is {self.advance!r}; give one of: {', '.join(ADVANCES)}")
        if not self.token_life > 0:
            raise ValueError(f"token life is {self.token_life}; give a number of seconds above 0")
        if self.rate_limit is not None and self.rate_limit < 1:
            raise ValueError(f"rate limit is {self.rate_limit}; give a number of calls per minute above 0")
        if self.consent not in CONSENTS:
            raise ValueError(f"consent is one of {', '.join(CONSENTS)}")
        if self.application_mode not in MODES:
            raise ValueError(f"application mode is one of {', '.join(MODES)}")
        require_redirect_uris(self.redirect_uris)
        ids = [application.client_id for application in self.registered]
        if len(set(ids)) < len(ids):
            raise ValueError("two applications have the same client id; each needs one of its own")

    @cached_property
    def registered(self) -> tuple[Application, ...]:
        """All applications, the one of ``client_id`` first."""
        return (Application(self.client_id, self.client_secret, "Sandbox application"), *self.applications)

    def mode_of(self, client_id: str) -> Mode:
        """Return the mode of an application."""
        application = self.application(client_id)
        return (application and application.mode) or self.application_mode

    def credits_of(self, client_id: str) -> int:
        """Return with how many credits an application started."""
        application = self.application(client_id)
        return self.credits if application is None or application.credits is None else application.credits

    def name_of(self, client_id: str) -> str:
        """Return the name of an application; its id when it has none."""
        application = self.application(client_id)
        return (application and application.name) or client_id

    def application(self, client_id: str) -> Application | None:
        """Return the application with this id, or None."""
        return next((known for known in self.registered if known.client_id == client_id), None)

    @property
    def pace(self) -> Pace:
        """How activities advance."""
        return Pace(self.advance, self.speed)
