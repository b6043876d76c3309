"""One piece of work, joined by any number of threads and event loops. What the work is, others know.

Nothing here is bound to an event loop: a flight is a thread-safe future that is running before anyone sees it, so that
no waiter can cancel it. A cancelled task or a closed loop leaves it to the others.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class AbandonedError(Exception):
    """Whoever led the work is gone before its end; another may lead. Never seen by callers."""


class Flight(Generic[T]):
    """Work under way. It lands exactly once.

    Attributes:
        loop: The event loop that it needs to get on, if any: blocking that one would block the flight.
    """

    def __init__(self, loop: "asyncio.AbstractEventLoop | None" = None) -> None:
        self.loop = loop
        self._future: Future[T] = Future()
        self._future.set_running_or_notify_cancel()

    def land(self, outcome: T) -> None:
        """Give all waiters *outcome*."""
        self._future.set_result(outcome)

    def wait(self, limit: float) -> T:
        """The outcome.

        Raises:
            TimeoutError: None within *limit* seconds.
        """
        return self._future.result(limit)

    async def wait_async(self, limit: float) -> T:
        """`wait()` for a task of asyncio or trio. Cancelling the task ends the waiting only."""
        loop = running_loop()
        if loop is None:
            import anyio.to_thread  # noqa: PLC0415 - for trio; httpx brings it

            return await anyio.to_thread.run_sync(self.wait, limit, abandon_on_cancel=True)
        import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

        return await asyncio.wait_for(asyncio.wrap_future(self._future, loop=loop), limit)


def running_loop() -> "asyncio.AbstractEventLoop | None":
    """The asyncio loop that runs on this thread."""
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def run_apart(work: Callable[[], None]) -> None:
    """Run *work* on a short-lived thread; at once where none can start: at interpreter shutdown, or without threads."""
    thread = threading.Thread(target=work, name="pokitdok-token", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        work()
