"""How an activity looks at a moment: a pure function of its record, the time and the pace. Nothing is stored here.

States, titles and paths are those of the catalogue (activity_states, activity_state_titles, activity_transition_paths).
Seconds are ours but for the first five minutes of a claim, which are documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pokitdok_sandbox.settings import Pace


@dataclass(frozen=True)
class Stage:
    """One step of a path.

    Attributes:
        transition: Verb that leads here.
        state: Name of the state reached.
        title: Display text of that state.
        after: Seconds since the activity was made, at the documented pace.
    """

    transition: str
    state: str
    title: str
    after: float


TITLES = {
    "init": "Initializing",
    "completed": "Completed",
    "canceled": "Canceled",
    "failed": "Failed",
    "rejected": "Rejected",
}

IN_HOUSE = (
    Stage("process", "processing", "Processing transactions", 0.001),
    Stage("complete", "completed", "Completed", 0.002),
)
REAL_TIME = (
    Stage("generate", "generating", "Generating X12 transactions", 0.001),
    Stage("transmit", "transmitting", "Transmitting transactions to Trading Partner", 0.002),
    Stage("wait", "waiting", "Waiting on Trading Partner Response", 0.003),
    Stage("receive", "receiving", "Receiving transactions from Trading Partner", 0.004),
    Stage("process", "processing", "Processing X12 transactions", 0.005),
    Stage("complete", "completed", "Completed", 0.006),
)
DEFERRED = tuple(
    Stage(stage.transition, stage.state, stage.title, seconds)
    for stage, seconds in zip(REAL_TIME, (0, 0.5, 1, 2, 2.5, 3), strict=True)
)
"""The same path for a caller who does not wait for its end (``async``)."""
QUEUED = (
    Stage("schedule", "scheduled", "Scheduled for next available transmission to Trading Partner", 0),
    Stage("generate", "generating", "Generating X12 transactions", 300),
    Stage("store", "stored", "Batch transactions stored for later processing", 315),
    Stage("transmit", "transmitting", "Transmitting transactions to Trading Partner", 330),
    Stage("wait", "waiting", "Waiting on Trading Partner Response", 345),
    Stage("receive", "receiving", "Receiving transactions from Trading Partner", 390),
    Stage("process", "processing", "Processing X12 transactions", 405),
    Stage("complete", "completed", "Completed", 420),
)
SNAPSHOT = (
    Stage("schedule", "scheduled", "Scheduled for next available transmission to Trading Partner", 0),
    Stage("wait", "waiting", "Waiting on Trading Partner Response", 5),
    Stage("receive", "receiving", "Receiving transactions from Trading Partner", 10),
    Stage("notify", "notifying", "Notifying", 15),
    Stage("complete", "completed", "Completed", 20),
)
BATCH = (
    Stage("store", "stored", "Batch transactions stored for later processing", 0),
    Stage("queue", "queued", "In queue waiting to start", 0),
    Stage("process", "processing", "Processing X12 transactions", 5),
    Stage("complete", "completed", "Completed", 10),
)
ADVANCING = {"queued": QUEUED, "deferred": DEFERRED, "snapshot": SNAPSHOT, "batch": BATCH}
"""Paths that go on after the call has been answered; the others end within it."""
PATHS = {"in_house": IN_HOUSE, "real_time": REAL_TIME, **ADVANCING}

SHOWN = (
    "id",
    "_uuid",
    "_type",
    "name",
    "trading_partner_id",
    "units_of_work",
    "parameters",
    "parent_id",
    "callback_url",
)


def view(record: Mapping[str, Any], now: float, pace: Pace) -> dict[str, Any]:
    """Return the activity as the API shows it at Unix time ``now``."""
    path = PATHS[record["path"]]
    activity = {key: record[key] for key in SHOWN if key in record}
    activity["transition_path"] = [stage.transition for stage in path]
    created: float = record["created"]
    history = [_entry("init", TITLES["init"], created)]
    ended = record.get("ended")

    if ended in {"canceled", "failed"}:
        if ended == "canceled":
            history.append(_entry(path[0].state, path[0].title, created))
            history.append(_entry(ended, TITLES[ended], record["ended_at"]))
        return activity | {"state": {"name": ended, "title": TITLES[ended]}, "history": history}

    moments = reached(record, now, pace)
    stages = path[: len(moments)]
    current = stages[-1]
    history += [_entry(stage.state, stage.title, moment) for stage, moment in zip(stages[:-1], moments, strict=False)]
    activity |= {"state": {"name": current.state, "title": current.title}, "history": history}
    remaining = [stage.transition for stage in path[len(stages) :]]
    if remaining:
        activity["remaining_transitions"] = remaining
    return activity | _findings(record, current, moments)


def reached(record: Mapping[str, Any], now: float, pace: Pace) -> list[float]:
    """Return when each step reached so far was reached, Unix time, at least one.

    Steps are the stages of the path and then the outcomes after the first, which comes with the last stage.
    """
    path = PATHS[record["path"]]
    created: float = record["created"]
    if record["path"] not in ADVANCING:  # these run inside their call: still at work until that has ended
        return [created + stage.after for stage in (path if record.get("ended") else path[:1])]
    later = [outcome["after"] for outcome in record.get("outcomes", [])[1:]]
    seconds = [*(stage.after for stage in path), *later]
    already = sum(after <= 0 for after in seconds)
    if pace.advance == "at once":
        moments = [created] * len(seconds)
    elif pace.advance == "polls":
        moments = [created] * already + record.get("polls", [])
    else:
        moments = [created + after / pace.speed for after in seconds if now - created >= after / pace.speed]
    return moments[: len(seconds)] or [created]


def steps(record: Mapping[str, Any]) -> int:
    """Return how many steps the activity has in all."""
    return len(PATHS[record["path"]]) + len(record.get("outcomes", [])[1:])


def is_over(record: Mapping[str, Any], now: float, pace: Pace) -> bool:
    """Tell whether nothing will change any more."""
    return bool(record.get("ended")) or len(reached(record, now, pace)) == steps(record)


def is_scheduled(record: Mapping[str, Any], now: float, pace: Pace) -> bool:
    """Tell whether the activity still waits for its transmission, which is as long as it can be cancelled."""
    state: str = view(record, now, pace)["state"]["name"]
    return state == "scheduled"


def outcomes(record: Mapping[str, Any], moments: list[float]) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield the outcomes that are known once the steps of ``moments`` are reached, each with its Unix time."""
    last = len(PATHS[record["path"]]) - 1
    yield from zip(moments[last:], record.get("outcomes", []), strict=False)
    for extra in record.get("appended", []):
        yield extra["at"], extra


def _findings(record: Mapping[str, Any], current: Stage, moments: list[float]) -> dict[str, Any]:
    """Return the members that tell what came of the work."""
    known = list(outcomes(record, moments))
    shown: dict[str, Any] = {}
    for _, outcome in known:
        shown |= {key: outcome[key] for key in ("result", "tracking_description", "payment_id") if key in outcome}
        if "state" in outcome:
            shown["state"] = {"name": outcome["state"], "title": TITLES[outcome["state"]]}
    results = [
        {"result": outcome["result"], "record_dt": wire_time(moment)}
        for moment, outcome in known
        if "result" in outcome
    ]
    if len(results) > 1:
        shown["result_history"] = results
    if "tracking_description" in (record.get("outcomes") or [{}])[0] and "tracking_description" not in shown:
        sent = current.transition in {"wait", "receive", "process"}
        shown["tracking_description"] = "waiting" if sent else "submitting"
    return shown


def _entry(name: str, title: str, moment: float) -> dict[str, str]:
    return {"name": name, "title": title, "record_dt": wire_time(moment)}
