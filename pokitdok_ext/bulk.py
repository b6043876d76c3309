"""Many calls, bounded in number at a time, in order, each with its own outcome. Sync and async.

    def ask(member: Member) -> Awaitable[EligibilityEnvelope]:
        return check_eligibility.asyncio(client=client, body=question_about(member))

    for outcome in run(ask, members, in_flight=50, key=lambda member: member.id, done=already_asked):
        save(outcome.key, outcome.value if outcome.error is None else outcome.error)

Calls are the async doors in both worlds: one thread with an event loop does more than many threads. Install the extra
`fast` for more than about ten in flight, since httpx's own pool gets slower from there on.

The calls of a run keep to the rate limit that the answers announce, and wait out a refusal by it; while no answer has
announced one, nothing is held. A client with a `pace` keeps to that one instead.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from pokitdok_api.errors import ClientClosedError

from ._workers import Item, Outcome, Progress, T, Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Iterable, Iterator

    from pokitdok_api import Client

__all__ = ["IN_FLIGHT", "Outcome", "Progress", "arun", "run"]

IN_FLIGHT = 10
"""Calls at a time, if not told otherwise: what httpx's own pool bears, and more than the documented limit needs."""


async def arun(
    call: Callable[[Item], Awaitable[T]],
    items: Iterable[Item],
    *,
    in_flight: int = IN_FLIGHT,
    key: Callable[[Item], Hashable] | None = None,
    done: Collection[Hashable] = (),
    ordered: bool = True,
    progress: Callable[[Progress], object] | None = None,
) -> AsyncIterator[Outcome[Item, T]]:
    """Call *call* for each item and give the outcomes as they come.

    Once an answer has announced a rate limit (`meta.rate_limit_cap`), the calls keep to it: they go at once until a
    tenth of the period's requests is left, which is spread over the rest of it. What the limit refuses is sent again
    in the next period. A client made with `connect(pace=...)` keeps to that pace instead.

    Leaving the loop early cancels what is in flight: whether such a call has arrived is then not known.

    Args:
        call: An async function of one item, such as `lambda body: check_eligibility.asyncio(client=client, body=body)`.
        items: What to call it with; taken one by one as there is room, so that it may be a generator over a large file.
        in_flight: Calls at a time at most.
        key: Gives the key of an item; its place among all, if not given.
        done: Keys that need no call any more, such as those of an earlier run; a set, if there are many.
        ordered: Give outcomes in the order of the items; else as soon as they are there.
        progress: Called after each call that ended.

    Yields:
        One outcome for each item that was not done. Errors of the API, of the network and of *call* are in it.

    Raises:
        ValueError: *in_flight* is less than 1.
    """
    work = Work(call, items, in_flight=in_flight, key=key, done=done, ordered=ordered, progress=progress)
    try:
        while ready := await work.ready():
            for outcome in ready:
                yield outcome
    finally:
        await work.stop()


def run(
    call: Callable[[Item], Awaitable[T]],
    items: Iterable[Item],
    *,
    client: Client | None = None,
    in_flight: int = IN_FLIGHT,
    key: Callable[[Item], Hashable] | None = None,
    done: Collection[Hashable] = (),
    ordered: bool = True,
    progress: Callable[[Progress], object] | None = None,
) -> Iterator[Outcome[Item, T]]:
    """As `arun`, for programs without an event loop: it runs one of its own while the next outcome is waited for.

    Nothing is sent or received while the caller is busy with an outcome, so what takes long belongs elsewhere.

    Args:
        call: As for `arun`; an async function here too.
        items: As for `arun`.
        client: The client that *call* uses; its connections to this loop are closed in the end.
        in_flight: As for `arun`.
        key: As for `arun`.
        done: As for `arun`.
        ordered: As for `arun`.
        progress: As for `arun`.
    """
    work = Work(call, items, in_flight=in_flight, key=key, done=done, ordered=ordered, progress=progress)

    async def end() -> None:
        await work.stop()
        if client is not None:
            with suppress(ClientClosedError):
                await client.get_async_httpx_client().aclose()

    with asyncio.Runner() as runner:
        try:
            while ready := runner.run(work.ready()):
                yield from ready
        finally:
            runner.run(end())
