"""`client.tokens`: what the owner of a client can see and do about its token."""

from typing import TYPE_CHECKING

from pokitdok_api.errors import ClientClosedError

from ._clock import SYSTEM_CLOCK, Clock
from ._manager import TokenManager
from ._token_reports import TokenListener, TokenState

if TYPE_CHECKING:
    from pokitdok_api import Client


class ClientTokens:
    """One client's hold on its tokens (`client.tokens`).

    A manager may serve several clients with the same credentials; closing one client leaves it to the others.
    """

    def __init__(self, manager: TokenManager, on_event: TokenListener | None = None) -> None:
        self._manager: TokenManager | None = manager
        self._clock = manager.clock
        self._last_state = manager.state()
        manager.listen(self, on_event)

    @property
    def clock(self) -> Clock:
        """What the client goes by, in waiting as in the age of its token."""
        return self._clock

    @property
    def manager(self) -> TokenManager:
        """What the requests of this client get their tokens from.

        Raises:
            ClientClosedError: The client was closed.
        """
        manager = self._manager
        if manager is None:
            raise ClientClosedError("this client was closed; make a new one with connect()")
        return manager

    def warm(self) -> None:
        """Fetch a token now, so that wrong credentials show at start-up.

        Raises:
            TokenError: No token can be had.
        """
        self.manager.get()

    async def awarm(self) -> None:
        """`warm()` for asyncio."""
        await self.manager.aget()

    def invalidate(self) -> None:
        """Forget the token and the last error; the next request fetches."""
        self.manager.invalidate()

    def revoke(self) -> None:
        """Forget the token, here and in the store, and have the platform end it, in the form its one client had.

        Processes that share the token lose it too. A static token, and one of a provider, is only forgotten.

        Raises:
            TokenError: The token is forgotten, but the endpoint could not be told.
        """
        self.manager.revoke()

    async def arevoke(self) -> None:
        """`revoke()` for asyncio."""
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        await asyncio.to_thread(self.manager.revoke)

    def state(self) -> TokenState:
        """Phase, seconds left, fingerprint, last error and counters; after closing, as they were then."""
        manager = self._manager
        if manager is not None:
            self._last_state = manager.state()
        return self._last_state

    def close(self) -> None:
        """Let go of the token. A fetch under way ends by itself; later requests raise `ClientClosedError`.

        The token is not revoked: other clients and processes may share it.
        """
        self.state()
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.listen(self, None)


def clock_of(client: "Client") -> Clock:
    """What *client* goes by: the machine's clock, unless `connect()` gave it another."""
    tokens = getattr(client, "tokens", None)
    return tokens.clock if isinstance(tokens, ClientTokens) else SYSTEM_CLOCK
