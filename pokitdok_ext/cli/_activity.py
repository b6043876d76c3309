"""`pokitdok activity watch`: follows long-running work to its end."""

import time
from typing import Any

import click

from pokitdok_api._operations import GET_ACTIVITY
from pokitdok_api._requests import path_segment

from . import _exits
from ._session import Session, pass_session, printable

GOOD_ENDS = frozenset({"completed"})
BAD_ENDS = frozenset({"failed", "rejected", "rejected_reviewed", "canceled"})
_SLOWER, _SLOWEST = 1.5, 15.0


@click.group()
def activity() -> None:
    """Follow long-running work, such as a claim."""


@activity.command()
@click.argument("activity_id")
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between the first looks; later ones are further apart, 15 s at most.",
)
@click.option(
    "--for",
    "patience",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to watch.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the last answer as JSON, instead of a line for each state."
)
@pass_session
def watch(session: Session, activity_id: str, every: float, patience: float, as_json: bool) -> int:
    """Print each state of an activity as it comes, until its end.

    Exit code 0: completed. 1: failed, rejected or canceled. 4: time is over; the same command goes on watching.

    \b
    Examples:
      pokitdok activity watch 5317f51527a27620f2ec7533
      pokitdok activity watch 5317f51527a27620f2ec7533 --for 3600 --json > end.json
    """
    path = GET_ACTIVITY.path.replace("{activity_id}", path_segment("ACTIVITY_ID", activity_id))
    deadline = time.monotonic() + patience
    shown = 0
    while True:
        answer = session.ask(GET_ACTIVITY, path)
        data = answer.get("data") if isinstance(answer, dict) else None
        steps = _steps(data)
        if not as_json:
            for moment, name, title in steps[shown:]:
                session.out.print(printable(f"{moment:<19}  {name:<13} {title}").rstrip(), soft_wrap=True)
        shown = len(steps)
        name, _ = state_of(data)
        ended = name in GOOD_ENDS | BAD_ENDS
        if ended or time.monotonic() + every > deadline:
            break
        time.sleep(every)
        every = min(every * _SLOWER, max(every, _SLOWEST))
    if as_json:
        session.show_json(answer)
    if not ended:
        session.note(f"still {name} after {patience:.0f} s; the same command goes on watching")
        return _exits.LATER
    return _exits.DONE if name in GOOD_ENDS else _exits.NO


def state_of(data: Any) -> tuple[str, str]:
    """Name and title of the state in the data of an activity."""
    state = data.get("state") if isinstance(data, dict) else None
    if isinstance(state, dict):
        return str(state.get("name") or "unknown"), str(state.get("title") or "")
    return str(state or "unknown"), ""


def _steps(data: Any) -> list[tuple[str, str, str]]:
    """Time, name and title of every state so far. The history of a finished activity may lack the last one."""
    history = data.get("history") if isinstance(data, dict) else None
    entries = [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    steps = [
        (str(entry.get("record_dt") or "")[:19], str(entry.get("name")), str(entry.get("title") or ""))
        for entry in entries
    ]
    name, title = state_of(data)
    if not steps or steps[-1][1] != name:
        moment = data.get("last_updated_date") if isinstance(data, dict) else None
        steps.append((str(moment or "")[:19], name, title))
    return steps
