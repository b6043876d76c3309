"""What `bulk.py` is made of: workers that take items from one source, and the outcomes that nobody has got yet."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import field, frozen

from ._sending import reading_turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator

Item = TypeVar("Item")
T = TypeVar("T")

AHEAD = 10
"""How many times the calls in flight may be ended and wait for one before them, so that memory stays bounded."""


@frozen
class Outcome(Generic[Item, T]):
    """What came of one call."""

    index: int
    """Place of the item among all, from 0."""
    key: Hashable
    """Of the item; its place, if there is no function for it. What is done is told by it."""
    item: Item = field(repr=False)
    """What the call was about."""
    value: T | None = field(repr=False)
    """The answer, None if there is an error."""
    error: Exception | None
    """Why there is none."""

    def result(self) -> T:
        """The answer.

        Raises:
            Exception: The error of the call.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only if that is what the call gives


@frozen
class Progress:
    """How far the work is."""

    done: int
    """Calls ended in this run."""
    failed: int
    """Of these, with an error."""
    skipped: int
    """Items that were done before."""
    in_flight: int
    """Calls under way."""


def _one_a_pass() -> Callable[[], Awaitable[None]]:
    """Lets one pass in each pass of the event loop.

    Answers come in bunches. If all of a bunch were decoded before the first is given on, all would be in memory at a
    time, and the garbage collector would go through them again and again.
    """
    one = asyncio.Lock()

    async def turn() -> None:
        await one.acquire()
        asyncio.get_running_loop().call_soon(one.release)

    return turn


class Work(Generic[Item, T]):
    """The work of one run. For the arguments see `bulk.arun`."""

    def __init__(
        self,
        call: Callable[[Item], Awaitable[T]],
        items: Iterable[Item],
        *,
        in_flight: int,
        key: Callable[[Item], Hashable] | None,
        done: Collection[Hashable],
        ordered: bool,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        if in_flight < 1:
            raise ValueError("in_flight is the number of calls at a time, at least 1")
        self._call, self._key, self._done, self._progress = call, key, done, progress
        self._source = enumerate(items)
        self._in_flight, self._ordered = in_flight, ordered
        self._workers: list[asyncio.Task[None]] = []
        self._ended: dict[int, Outcome[Item, T]] = {}
        self._taken = self._given = self._failed = self._skipped = 0
        self._working = in_flight
        self._failure: BaseException | None = None
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def ready(self) -> list[Outcome[Item, T]]:
        """The next outcomes, at least one; none at the end."""
        if not self._workers:
            self._start()
        while True:
            self._news.clear()
            outcomes = list(self._collect())
            if outcomes:
                self._room.set()
                return outcomes
            if self._failure is not None:
                raise self._failure
            if not self._working:
                return []
            await self._news.wait()

    async def stop(self) -> None:
        """Cancel what is in flight."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def _start(self) -> None:
        context = copy_context()
        context.run(reading_turn.set, _one_a_pass())
        self._workers = context.run(lambda: [asyncio.create_task(self._worker()) for _ in range(self._in_flight)])
        for worker in self._workers:
            worker.add_done_callback(self._has_ended)

    def _has_ended(self, worker: asyncio.Task[None]) -> None:
        self._working -= 1
        if not worker.cancelled() and worker.exception() is not None:
            self._failure = worker.exception()  # that of the source of the items: those of calls are outcomes
        self._news.set()

    def _collect(self) -> Iterator[Outcome[Item, T]]:
        while self._ended:
            place = self._given if self._ordered else next(iter(self._ended))
            if place not in self._ended:
                return
            self._given += 1
            yield self._ended.pop(place)

    async def _worker(self) -> None:
        while True:
            while self._taken - self._given >= self._in_flight * AHEAD:
                self._room.clear()
                await self._room.wait()
            taken = self._take()
            if taken is None:
                return
            place, index, key, item = taken
            value, error = None, None
            try:
                value = await self._call(item)
            except Exception as exc:  # noqa: BLE001 - whatever goes wrong with one item is the outcome of that item
                error = exc
                self._failed += 1
            self._ended[place] = Outcome(index, key, item, value, error)
            if place == self._given or not self._ordered:
                self._news.set()
            if self._progress is not None:
                ended = self._given + len(self._ended)
                self._progress(Progress(ended, self._failed, self._skipped, self._taken - ended))

    def _take(self) -> tuple[int, int, Hashable, Item] | None:
        """The next item that is not done: its place among these, its index among all, its key."""
        for index, item in self._source:
            key = index if self._key is None else self._key(item)
            if key in self._done:
                self._skipped += 1
                continue
            self._taken += 1
            return self._taken - 1, index, key, item
        return None
