"""Runs a batch: which row is asked next, what becomes of it, when to stop. The file is `_journal.py`.

A row ends with an answer or a refusal, which is written once. A row whose answer does not come (network, platform, rate
limit) is put back and asked again after the others; after some rounds it is left for another run.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import httpx

from pokitdok_api.errors import APIError, PokitDokError

from . import _exits
from ._journal import Journal
from ._members import Row

ROUNDS = 3
"""How often a row without an answer is asked, by one run."""

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
    ask: Callable[[dict[str, Any]], Any],
    *,
    in_flight: int,
    stop: threading.Event,
    progress: Callable[[int], None],
) -> Result:
    """Ask what is not yet in the journal.

    Args:
        rows: All rows.
        journal: Rows that are in it are not asked.
        ask: Sends one question, returns the answer; called on several threads.
        in_flight: Questions under way at most.
        stop: Once set, nothing new is asked; what is under way is waited for and kept.
        progress: Told of the number of rows just finished.
    """
    result = Result()
    waiting = deque((row, 1) for row in rows if row.number not in journal.done)
    failures_in_a_row = 0
    under_way: dict[Future[Any], tuple[Row, int]] = {}
    with ThreadPoolExecutor(in_flight, thread_name_prefix="pokitdok-batch") as pool:
        while under_way or (waiting and not stop.is_set()):
            while waiting and len(under_way) < in_flight and not stop.is_set():
                row, attempt = waiting.popleft()
                under_way[pool.submit(ask, row.question)] = row, attempt
            records: list[dict[str, Any]] = []
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                row, attempt = under_way.pop(future)
                error = future.exception()
                if error is None:
                    record = {"outcome": outcome_of(future.result()), "answer": future.result()}
                elif isinstance(error, APIError) and _exits.code_for(error) == _exits.NO:
                    record = {"outcome": "refused", "error": described(error)}
                elif isinstance(error, PokitDokError | httpx.TransportError):
                    failures_in_a_row += 1
                    hopeless = _exits.code_for(error) != _exits.LATER or failures_in_a_row >= PATIENCE
                    if attempt < ROUNDS or hopeless:
                        waiting.append((row, attempt + 1))
                    else:
                        result.left += 1
                    if hopeless:
                        result.error = result.error or error
                        stop.set()
                    continue
                else:
                    stop.set()
                    raise error
                failures_in_a_row = 0
                reference = {} if row.reference is None else {"reference": row.reference}
                records.append({"row": row.number, **reference, "check": row.check, **record})
            if records:
                journal.append(records)
                result.counts.update(record["outcome"] for record in records)
                progress(len(records))
    result.left += len(waiting)
    return result


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
    body = None if error.body is None else error.body.to_dict()
    return {
        "kind": type(error).__name__,
        "status": error.status_code,
        "activity_id": error.activity_id,
        "answer": body,
    }
