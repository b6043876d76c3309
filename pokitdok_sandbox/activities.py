"""Activities: list, read, cancel, and how the one of each call is opened. How they advance is in lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.contract import ACTIVITY_X12_JSON, JSON
from pokitdok_sandbox.lifecycle import is_over, is_scheduled, view
from pokitdok_sandbox.paging import bounds, next_page

if TYPE_CHECKING:
    from pokitdok_sandbox.world import World


def open_record(world: World, name: str, now: float, *, owner: str = "") -> dict[str, Any]:
    """Return the record of a new activity, answered in-house until its handler says otherwise.

    Args:
        world: The sandbox.
        name: Its name, mostly that of its area.
        now: Unix time at which it begins.
        owner: client_id of the application whose activity it is; empty for one that all applications see.
    """
    return {
        "owner": owner,
        "id": world.new_id(now),
        "_uuid": world.new_uuid(),
        "_type": "PlatformActivityModel",
        "name": name,
        "trading_partner_id": "PokitDok",
        "units_of_work": 1,
        "path": "in_house",
        "created": now,
    }


def list_activities(call: Call) -> Answer:
    """Answer one page of the application's activities.

    Oldest first, so that a walk is not shifted by the activities it makes itself.
    """
    limit, offset = bounds(call)
    records, count = call.world.store.activities(
        limit=limit,
        offset=offset,
        parent_id=call.query.get("parent_id"),
        newest_first=call.query.get("dir") == "descending",
        seen_by=call.client_id,
    )
    return Answer(
        [_shown(call, record) for record in records], {"result_count": count, **next_page(call, limit, offset, count)}
    )


def get_activity(call: Call) -> Answer:
    """Answer one activity as it is now; when polls make activities advance, this read is one."""
    call.record["parameters"] = {"id": call.path["activity_id"]}
    record = _found(call)
    pace = call.world.settings.pace
    if pace.advance == "polls" and not is_over(record, call.now, pace):
        record["polls"] = [*record.get("polls", []), call.now]
        call.world.store.put_activity(record)
    shown = _shown(call, record)
    if call.form == ACTIVITY_X12_JSON:
        shown |= {key: record[key] for key in ("x12_request", "x12_response") if key in record}
    return Answer(shown)


def update_activity(call: Call) -> Answer:
    """Cancel an activity that still waits for its transmission."""
    record = _found(call)
    if call.body["transition"] != "cancel":
        raise invalid({"transition": ["The only known transition is cancel."]})
    if not is_scheduled(record, call.now, call.world.settings.pace):
        raise invalid({"transition": ["Only an activity in the state scheduled can be canceled."]})
    record |= {"ended": "canceled", "ended_at": call.now}
    call.world.store.put_activity(record)
    return Answer(_shown(call, record))


def _found(call: Call) -> dict[str, Any]:
    record = call.world.store.activity(call.path["activity_id"], seen_by=call.client_id)
    if record is None:
        raise RefusalError(404, {"query": "No activity has this id."})
    return record


def _shown(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    shown = view(record, call.now, call.world.settings.pace)
    error = call.world.callbacks.error(record["id"]) if "callback_url" in record else None
    return shown if error is None else shown | {"callback_error": error}


HANDLERS = {
    "list_activities": Handler(list_activities, activity="activities"),
    "get_activity": Handler(get_activity, activity="activities", gives=frozenset({"", JSON, ACTIVITY_X12_JSON})),
    "update_activity": Handler(update_activity, activity="activities"),
}
