"""Waits for work that takes longer than a call: claims, enrollments, files, anything asked with `async`.

    envelope = submit_claim.sync(client=client, body=claim)
    activity = wait_for_activity(envelope.data.id, client=client, within=1800)

An id is all it takes, so that another process can go on waiting after a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from pokitdok_api.api.activities import get_activity
from pokitdok_api.errors import PokitDokError, RateLimitError, ServerError

from ._client_tokens import clock_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pokitdok_api import Client
    from pokitdok_api.models import Activity

    from ._clock import Clock

    _Seen = Activity | Exception | None

FIRST_WAIT = 2.0
"""Seconds between the first two looks; half as much again for each further one."""

LONGEST_WAIT = 60.0
"""Seconds between two looks at most."""

_PASSING = (ServerError, RateLimitError, httpx.TransportError, httpx.DecodingError)


class ActivityError(PokitDokError):
    """An activity did not come to a good end.

    Attributes:
        activity_id: Its id.
        state: The name of its state, None if it was never seen.
        activity: As it was seen last. It can hold patient data.
        reasons: What it says of why, as far as it does: errors, and statuses of an acknowledgment. They can quote
            what was sent.
    """

    _meaning: ClassVar[str] = "ended otherwise"

    def __init__(self, activity_id: str, activity: Activity | None, within: float | None = None) -> None:
        self.activity_id = activity_id
        self.activity = activity
        self.state = None if activity is None else state_of(activity)
        self.reasons = [] if activity is None else reasons_of(activity)
        meaning = self._meaning.format(within=within, state=self.state or "not seen")
        more = f"; .reasons has {len(self.reasons)}" if self.reasons else ""
        super().__init__(f"activity {activity_id} {meaning}{more}")


class ActivityFailedError(ActivityError):
    """It could not be processed; correct what was sent, then send it anew."""

    _meaning = "failed"


class ActivityRejectedError(ActivityError):
    """The trading partner refused it; `reasons` says why."""

    _meaning = "was rejected by the trading partner"


class ActivityCanceledError(ActivityError):
    """Somebody withdrew it."""

    _meaning = "was canceled"


class ActivityTimeoutError(ActivityError):
    """It had not ended within the time. It goes on: wait again by its id."""

    _meaning = "had not ended after {within:g} s (state: {state}); it goes on, wait for it again"


_ENDS: dict[str, type[ActivityError] | None] = {
    "completed": None,
    "failed": ActivityFailedError,
    "rejected": ActivityRejectedError,
    "rejected_reviewed": ActivityRejectedError,
    "canceled": ActivityCanceledError,
}


def wait_for_activity(
    activity_id: str,
    *,
    client: Client,
    within: float = 3600.0,
    on_change: Callable[[Activity], object] | None = None,
    clock: Clock | None = None,
) -> Activity:
    """Look at an activity until it has ended, less and less often. An outage in between is waited out.

    Args:
        activity_id: Of the activity.
        client: Asks the API.
        within: Seconds to wait at most.
        on_change: Called with the activity when its state is another than before.
        clock: Time, waiting, and chance so that many do not look at the same moment; the client's own if not given.

    Returns:
        The completed activity. A claim can get more results after that, such as its payment.

    Raises:
        ActivityFailedError: It failed.
        ActivityRejectedError: The trading partner refused it.
        ActivityCanceledError: It was canceled.
        ActivityTimeoutError: It has not ended in time.
        NotFoundError: There is none of this id.
        APIError: Any other error that does not pass.
    """
    clock = clock or clock_of(client)
    watch = _watch(activity_id, within, on_change, clock)
    try:
        step = next(watch)
        while True:
            if step is not None:
                clock.sleep(step)
                step = watch.send(None)
                continue
            try:
                seen: _Seen = get_activity.sync(activity_id, client=client).data or None
            except _PASSING as error:
                seen = error
            step = watch.send(seen)
    except StopIteration as done:
        result: Activity = done.value
        return result


async def await_activity(
    activity_id: str,
    *,
    client: Client,
    within: float = 3600.0,
    on_change: Callable[[Activity], object] | None = None,
    clock: Clock | None = None,
) -> Activity:
    """As `wait_for_activity`, on the running event loop."""
    clock = clock or clock_of(client)
    watch = _watch(activity_id, within, on_change, clock)
    try:
        step = next(watch)
        while True:
            if step is not None:
                await clock.async_sleep(step)
                step = watch.send(None)
                continue
            try:
                seen: Activity | Exception | None = (
                    await get_activity.asyncio(activity_id, client=client)
                ).data or None
            except _PASSING as error:
                seen = error
            step = watch.send(seen)
    except StopIteration as done:
        result: Activity = done.value
        return result


def state_of(activity: Activity) -> str | None:
    """The name of its state."""
    name = activity.state.name if activity.state else None
    return str(getattr(name, "value", name)) if name else None


def reasons_of(activity: Activity) -> list[str]:
    """What its result says of why: texts under `errors`, and the statuses of acknowledgments."""
    return list(dict.fromkeys(_reasons(activity.to_dict().get("result"), within_errors=False)))


def _reasons(value: Any, *, within_errors: bool) -> Generator[str, None, None]:
    if isinstance(value, dict):
        status = [value[key] for key in ("status_category", "status_code_value", "status_code") if value.get(key)]
        if status:
            yield ": ".join(str(part) for part in status)
        for key, each in value.items():
            yield from _reasons(each, within_errors=within_errors or key == "errors")
    elif isinstance(value, list):
        for each in value:
            yield from _reasons(each, within_errors=within_errors)
    elif within_errors and value is not None:
        yield str(value)


def _watch(
    activity_id: str,
    within: float,
    on_change: Callable[[Activity], object] | None,
    clock: Clock,
) -> Generator[float | None, _Seen, Activity]:
    """Yields None to be sent the activity, or why it was not seen; and seconds to be slept."""
    deadline, wait = clock.monotonic() + within, FIRST_WAIT
    last: Activity | None = None
    trouble: Exception | None = None
    while True:
        seen = yield None
        if isinstance(seen, Exception):
            trouble = seen
        elif seen is not None:
            changed = last is None or state_of(seen) != state_of(last)
            last, trouble = seen, None
            if changed and on_change is not None:
                on_change(seen)
            state = state_of(seen)
            if state in _ENDS:
                ended = _ENDS[state]
                if ended is None:
                    return seen
                raise ended(activity_id, seen)
        left = deadline - clock.monotonic()
        if left <= 0:
            raise ActivityTimeoutError(activity_id, last, within) from trouble
        yield min(wait * (1 - clock.chance() / 4), left)
        wait = min(wait * 1.5, LONGEST_WAIT)
