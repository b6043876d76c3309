"""Runs a batch: which row is asked next, what becomes of it, when to stop. The file is `_journal.py`.

A row ends with an answer or a refusal, which is written once. A row whose answer does not come (network, platform, rate
limit) is asked again after the others; after some rounds it is left for another run.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import httpx

from pokitdok_api import Client
from pokitdok_api.errors import APIError, PokitDokError
from pokitdok_ext import bulk

from . import _exits
from ._documents import decoded, with_numbers
from ._journal import Journal
from ._members import Row

ROUNDS = 3
"""How often a row without an answer is asked, by one run; each time with the retries of the client."""

PATIENCE = 20
"""Rows in a row without an answer after which a run stops: nobody is there."""


@dataclass
class Result:
    """What a run did.

    Attributes:
        counts: Rows of this run by outcome.
        left: Rows that have no answer yet.
        error: What made the run stop before its end.
    """

    counts: Counter[str] = field(default_factory=Counter)
    left: int = 0
    error: Exception | None = None


def run(
    rows: list[Row],
    journal: Journal,
    ask: Callable[[dict[str, Any]], Awaitable[Any]],
    *,
    client: Client | None,
    in_flight: int,
    stop: Event,
    progress: Callable[[int], None],
) -> Result:
    """Ask what is not yet in the journal.

    Args:
        rows: All rows.
        journal: Rows that are in it are not asked.
        ask: Sends one question, returns the answer.
        client: The one that *ask* uses; its connections are closed in the end.
        in_flight: Questions under way at most.
        stop: Once set, nothing new is asked; what is under way is waited for and kept.
        progress: Told of the number of rows just finished.
    """
    result = Result()
    failures_in_a_row = 0

    async def settle(row: Row) -> None:
        nonlocal failures_in_a_row
        try:
            answer = await ask(row.question)
            record = {"outcome": outcome_of(answer), "answer": with_numbers(answer)}
        except (PokitDokError, httpx.HTTPError) as error:
            code = _exits.code_for(error)
            if code != _exits.NO or not isinstance(error, APIError):
                failures_in_a_row += 1
                if code != _exits.LATER or failures_in_a_row >= PATIENCE:
                    result.error = result.error or error
                    stop.set()
                return
            record = {"outcome": "refused", "error": described(error)}
        failures_in_a_row = 0
        reference = {} if row.reference is None else {"reference": row.reference}
        line = {"row": row.number, **reference, "check": row.check, **record}
        await asyncio.to_thread(journal.append, [line])  # the disk takes its time, and others are under way
        result.counts[line["outcome"]] += 1
        progress(1)

    for _ in range(ROUNDS):
        waiting = [row for row in rows if row.number not in journal.done]
        if waiting and not stop.is_set():
            for each in bulk.run(settle, _until(stop, waiting), client=client, in_flight=in_flight, ordered=False):
                each.result()  # a fault of ours
    result.left = len(rows) - len(journal.done)
    return result


def _until(stop: Event, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if stop.is_set():
            return
        yield row


def outcome_of(answer: Any) -> str:
    """`active`, `inactive`, `not found`, or `answered` where none of them can be told."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        return "answered"
    if data.get("valid_request") is False:
        return "not found"
    coverage = data.get("coverage")
    active = coverage.get("active") if isinstance(coverage, dict) else None
    if not isinstance(active, bool):
        return "answered"
    return "active" if active else "inactive"


def described(error: APIError) -> dict[str, Any]:
    """A refusal for the output: kind, status, activity, and the answer itself."""
    try:
        answer = decoded(error.content) if error.content else None
    except (ValueError, RecursionError):
        answer = error.content.decode("utf-8", "backslashreplace")
    return {
        "kind": type(error).__name__,
        "status": error.status_code,
        "activity_id": error.activity_id,
        "answer": answer,
    }
