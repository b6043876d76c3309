"""How an activity looks at a moment: a pure function of its record, the time and the speed. Nothing is stored here.

States, titles and paths are those of the catalogue (activity_states, activity_state_titles, activity_transition_paths).
Seconds are ours but for the first five minutes of a claim, which are documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping


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


TITLES = {"init": "Initializing", "canceled": "Canceled", "failed": "Failed", "rejected": "Rejected"}

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
PATHS = {"in_house": IN_HOUSE, "real_time": REAL_TIME, "queued": QUEUED}

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


def view(record: Mapping[str, Any], now: float, speed: float) -> dict[str, Any]:
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

    if record["path"] == "queued":
        reached = [stage for stage in path if now - created >= stage.after / speed]
    else:  # these run inside their call: still at work until the call has ended, then all of it is past
        reached, speed = list(path if ended else path[:1]), 1.0
    reached = reached or list(path[:1])
    current = reached[-1]
    history += [_entry(stage.state, stage.title, created + stage.after / speed) for stage in reached[:-1]]
    activity |= {"state": {"name": current.state, "title": current.title}, "history": history}
    remaining = [stage.transition for stage in path[len(reached) :]]
    if remaining:
        activity["remaining_transitions"] = remaining
    return activity | _outcome(record, current)


def is_scheduled(record: Mapping[str, Any], now: float, speed: float) -> bool:
    """Tell whether the activity still waits for its transmission, which is as long as it can be cancelled."""
    state: str = view(record, now, speed)["state"]["name"]
    return state == "scheduled"


def _outcome(record: Mapping[str, Any], current: Stage) -> dict[str, Any]:
    over = current.transition == "complete"
    outcome: dict[str, Any] = record.get("outcome", {})
    shown: dict[str, Any] = {}
    if over and "result" in outcome:
        shown["result"] = outcome["result"]
    if over and "state" in outcome:
        shown["state"] = {"name": outcome["state"], "title": TITLES[outcome["state"]]}
    if "tracking_description" in outcome:
        sent = current.transition in {"wait", "receive", "process"}
        shown["tracking_description"] = outcome["tracking_description"] if over else "waiting" if sent else "submitting"
    return shown


def _entry(name: str, title: str, moment: float) -> dict[str, str]:
    return {"name": name, "title": title, "record_dt": wire_time(moment)}
