"""Time that stands still until a test moves it, for everything here that takes a `Clock`."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from pokitdok_ext._clock import Clock, sleep_on_the_loop


class HeldClock:
    """Both clocks stand still until a test moves them; sleeping moves them, and is written down.

    Attributes:
        wall: Unix time in seconds.
        monotonic: Seconds, from anywhere.
        chance: What every draw from 0 to 1 gives.
        slept: The seconds of each sleep.
    """

    def __init__(self, wall: float = 1_000_000.0, monotonic: float = 500.0, chance: float = 0.0) -> None:
        self.wall = wall
        self.monotonic = monotonic
        self.chance = chance
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"HeldClock({self.now})"

    @property
    def now(self) -> datetime:
        """The time as a date, in UTC."""
        return datetime.fromtimestamp(self.wall, UTC)

    def forward(self, seconds: float) -> None:
        """Let *seconds* pass on both clocks."""
        with self._lock:
            self.wall += seconds
            self.monotonic += seconds

    def forward_to(self, moment: datetime) -> None:
        """Let the time until *moment* pass.

        Raises:
            ValueError: It is over, or has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone: give one, such as tzinfo=datetime.UTC")
        if moment < self.now:
            raise ValueError(f"{moment} is over, it is {self.now}: time goes forward only")
        self.forward(moment.timestamp() - self.wall)

    def clock(self) -> Clock:
        """The clock to pass on."""
        return Clock(lambda: self.wall, lambda: self.monotonic, self._sleep, lambda: self.chance, self._async_sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.forward(seconds)

    async def _async_sleep(self, seconds: float) -> None:
        self._sleep(seconds)
        await sleep_on_the_loop(0)  # other tasks get their turn
