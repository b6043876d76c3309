"""Time, waiting and chance as one value, so that tests can hold them still."""

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def sleep_on_the_loop(seconds: float) -> None:
    """`asyncio.sleep`, imported when it is needed."""
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Clock:
    """What a client goes by; the defaults are the machine's own. Seconds throughout.

    Attributes:
        wall: Unix time.
        monotonic: A reading that never goes back.
        sleep: Waits, on a thread.
        chance: A number from 0 to 1.
        async_sleep: Waits, in a task.
    """

    wall: "Callable[[], float]" = time.time
    monotonic: "Callable[[], float]" = time.monotonic
    sleep: "Callable[[float], None]" = time.sleep
    chance: "Callable[[], float]" = random.random
    async_sleep: "Callable[[float], Awaitable[None]]" = sleep_on_the_loop


SYSTEM_CLOCK = Clock()
