"""A sandbox in this process, without a port: quick to start, each one apart, and gone by the clock of the test."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pokitdok_ext._stand_ins import StandIn, standing_in
from pokitdok_ext.testing.in_process import InProcessTransport
from pokitdok_sandbox import Settings, create_app

if TYPE_CHECKING:
    from pokitdok_ext.testing.clock import HeldClock
    from pokitdok_sandbox.faults import Faults
    from pokitdok_sandbox.world import World

SANDBOX_URL = "https://sandbox.pokitdok.test"
"""Where it seems to be; no real host can have this name (RFC 2606)."""


@dataclass(frozen=True)
class PostedCallback:
    """What the sandbox posts to the address that a request gave as its `callback_url`.

    Attributes:
        url: The address.
        body: JSON, to hand to what receives it in your application.
    """

    url: str
    body: bytes


class InProcessSandbox:
    """A sandbox that clients made by `connect()` reach at `url` while its ``with`` block lasts, on any thread or loop.

    Its time is the given clock, and theirs too: tokens, claims and waits go by it. The same calls at the same times
    get the same ids and tokens.

    Args:
        time: Its clock.
        choices: Any field of `pokitdok_sandbox.Settings`.

    Attributes:
        url: To hand to a client as its base URL.
        time: Its clock.

    Raises:
        TypeError: *choices* has what Settings has not.
        ValueError: A choice makes no sense; the text names it.
    """

    url = SANDBOX_URL

    def __init__(self, time: HeldClock, **choices: Any) -> None:
        self.time = time
        self._settings = Settings(**{"seed": 0, **choices})
        self._posted: list[PostedCallback] = []
        app = create_app(
            self._settings,
            clock=lambda: time.wall,
            sleep=time.clock().async_sleep,
            post=lambda url, body: self._posted.append(PostedCallback(url, body)),
        )
        self._world: World = app.state.world
        self._transport = InProcessTransport(app)
        self._open = ExitStack()

    def __repr__(self) -> str:
        return f"InProcessSandbox({self.url!r})"

    @property
    def client_id(self) -> str:
        """The id that gets tokens here."""
        return self._settings.client_id

    @property
    def client_secret(self) -> str:
        """The secret that goes with it."""
        return self._settings.client_secret

    @property
    def faults(self) -> Faults:
        """The failures that it is to answer with: ``faults.order("timeout_after", operations=["submit_claim"])``."""
        return self._world.faults

    def state(self) -> dict[str, Any]:
        """Return the counters: requests by operation, what was carried out, tokens, faults."""
        return self._world.state()

    def revoke_tokens(self) -> int:
        """Refuse the tokens handed out so far; return how many those were."""
        return self._world.store.delete_tokens()

    def callbacks(self) -> list[PostedCallback]:
        """Return the callbacks that became due since the last call, oldest first."""
        self._world.callbacks.post_due()
        posted = self._posted[:]
        self._posted.clear()
        return posted

    def __enter__(self) -> Self:
        self._open.callback(self._world.store.close)
        self._open.enter_context(self._transport)
        self._open.enter_context(standing_in(self.url, StandIn(self._transport, self._transport, self.time.clock())))
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open.close()
