"""Time, waiting and chance as one value, so that tests can hold them still. No other module reads the time.

freezegun and time-machine move the wall clock of a client and never its monotonic clock: tokens age by what they say,
and the time limits of input and output stay real.
"""

import datetime
import random
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def sleep_on_the_loop(seconds: float) -> None:
    """`asyncio.sleep`, imported when it is needed."""
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    await asyncio.sleep(seconds)


def loop_time() -> float:
    """The time of the running event loop, by which `asyncio.timeout` ends."""
    import asyncio  # noqa: PLC0415 - programs without a loop do not pay for it

    return asyncio.get_running_loop().time()


def _wall() -> float:
    """Unix time. Not by `time.time`, which freezegun freezes on some threads only."""
    return datetime.datetime.now(datetime.UTC).timestamp()


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

    wall: "Callable[[], float]" = _wall
    monotonic: "Callable[[], float]" = (  # where it can be, by a name that freezegun does not replace
        time.monotonic if sys.platform == "win32" else partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    )
    sleep: "Callable[[float], None]" = time.sleep
    chance: "Callable[[], float]" = random.random
    async_sleep: "Callable[[float], Awaitable[None]]" = sleep_on_the_loop


SYSTEM_CLOCK = Clock()
"""The machine's own. Its `monotonic` also bounds real input and output, whatever clock a client was given."""
