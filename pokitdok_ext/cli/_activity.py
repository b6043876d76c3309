"""`pokitdok activity watch`: follows long-running work to its end."""

from typing import Any

import click

from pokitdok_api.models import Activity
from pokitdok_ext.activities import ActivityError, ActivityTimeoutError, wait_for_activity

from . import _exits
from ._documents import within
from ._session import Session, activity_of, pass_session
from ._tables import printable


@click.group()
def activity() -> None:
    """Follow long-running work, such as a claim."""


@activity.command()
@click.argument("activity_id")
@click.option(
    "--for",
    "within",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to watch.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the activity as JSON in the end, not its states.")
@pass_session
def watch(session: Session, activity_id: str, within: float, as_json: bool) -> int:
    """Print each state of an activity as it comes, until its end.

    It looks less and less often, once a minute at last, and waits through outages.
    Exit code 0: completed. 1: failed, rejected or canceled. 4: time is over; the same command goes on watching.

    \b
    Examples:
      pokitdok activity watch 5317f51527a27620f2ec7533
      pokitdok activity watch 5317f51527a27620f2ec7533 --for 3600 --json > end.json
    """
    session.as_json = as_json
    shown = 0

    def show(seen: Activity) -> None:
        nonlocal shown
        steps = _steps(seen)
        for step in steps[shown:]:
            session.out.print(printable("{:<19}  {:<13} {}".format(*step)).rstrip(), soft_wrap=True)
        shown = len(steps)

    last: Activity | None
    try:
        last, code = (
            wait_for_activity(activity_id, client=session.client, within=within, on_change=None if as_json else show),
            _exits.DONE,
        )
    except ActivityError as error:
        last, code = error.activity, _exits.LATER if isinstance(error, ActivityTimeoutError) else _exits.NO
        session.note(f"pokitdok: {error}")
    if as_json and last is not None:
        session.show_json(last.to_dict())
    return code


def show_new(session: Session, answer: Any) -> None:
    """Print the activity that *answer* tells of, with the command that follows it."""
    activity_id = activity_of(answer)
    state = within(answer, "data", "state")
    name = within(state, "name") if isinstance(state, dict) else state
    try:
        session.out.print(printable(f"activity {activity_id}: {name or 'unknown'}"), soft_wrap=True)
    finally:  # also where nobody reads the output
        session.note(f"follow it: pokitdok activity watch {activity_id}")


def _steps(seen: Activity) -> list[tuple[str, str, str]]:
    """Time, name and title of every state so far. The history of a finished activity may lack the last one."""
    steps = [_step(entry.record_dt, entry) for entry in seen.history or ()]
    last = _step(seen.last_updated_date, seen.state)
    return steps if steps and steps[-1][1] == last[1] else [*steps, last]


def _step(moment: Any, state: Any) -> tuple[str, str, str]:
    name, title = getattr(state, "name", None), getattr(state, "title", None)
    return str(moment or "")[:19], str(name or "unknown"), str(title or "")
