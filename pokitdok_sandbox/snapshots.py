"""Enrollment snapshots: the membership of a group as a carrier has it, uploaded or brought about by enrollments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.acknowledgments import accepted
from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.exchanges import opened, partner_for, require_batch
from pokitdok_sandbox.lifecycle import PATHS, reached
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.world import wire_time
from pokitdok_sandbox.x12_enrollments import enrollments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KIND = "enrollment_snapshot"
RECORD = (
    "reference_number",
    "correlation_id",
    "trading_partner_id",
    "payer",
    "sponsor",
    "subscriber",
    "dependents",
    "purpose",
    "action",
    "master_policy_number",
    "broker",
    "tpa",
)
ENDINGS = {"Cancellation or Termination", "Delete"}


def remember(call: Call, trading_partner_id: str, enrollments: Sequence[Mapping[str, Any]], *, whole: bool) -> None:
    """Keep what the activity of the call will do to the membership once it is completed.

    Args:
        call: The call whose activity that is.
        trading_partner_id: The carrier.
        enrollments: Enrollment requests.
        whole: They are all there is, and not changes to what was there.
    """
    records = [{key: one[key] for key in RECORD if key in one} for one in enrollments]
    change = {
        "id": call.world.new_id(call.now),
        "activity_id": call.record["id"],
        "trading_partner_id": trading_partner_id,
        "whole": whole,
        "records": records,
    }
    call.world.store.put_document(KIND, change["id"], change, owner=call.client_id)


def create_enrollment_snapshot(call: Call) -> Answer:
    """Take an 834 file as the whole membership of a group; it is one once its activity is completed."""
    payer = partner_for(call.body["trading_partner_id"], "834")
    require_batch(payer, "834")
    text: str = call.body["file"]
    if not text.lstrip().startswith("ISA"):
        raise invalid({"file": ["Not X12: an interchange begins with ISA."]})
    found = enrollments(accepted(text, "834").transactions, payer["id"])
    records = [{**one, "correlation_id": call.world.new_uuid()} for one in found]
    parameters = {"trading_partner_id": payer["id"]}
    call.record.update({"path": "snapshot", "trading_partner_id": payer["id"], "parameters": parameters})
    remember(call, payer["id"], records, whole=True)
    return Answer(opened(call))


def list_enrollment_snapshots(call: Call) -> Answer:
    """Answer the snapshots of the application, newest first."""
    return page(call, [_shown(snapshot) for snapshot in reversed(_snapshots(call))])


def get_enrollment_snapshot(call: Call) -> Answer:
    """Answer one snapshot."""
    return Answer(_shown(_found(call)))


def get_enrollment_snapshot_data(call: Call) -> Answer:
    """Answer the enrollments inside a snapshot, one record a subscriber."""
    return page(call, _found(call)["records"])


def _found(call: Call) -> dict[str, Any]:
    snapshot = next((one for one in _snapshots(call) if one["id"] == call.path["id"]), None)
    if snapshot is None:
        raise RefusalError(404, {"query": "No snapshot has this id."})
    return snapshot


def _snapshots(call: Call) -> list[dict[str, Any]]:
    """Return the snapshots that completed activities have made, oldest first, each with all its records."""
    completed = []
    for change in call.world.store.documents(KIND, owner=call.client_id):
        record = call.world.store.activity(change["activity_id"])
        if record is None or record.get("ended") in {"canceled", "failed"}:
            continue
        moments = reached(record, call.now, call.world.settings.pace)
        last = len(PATHS[record["path"]])
        if len(moments) >= last:
            completed.append((moments[last - 1], change))
    members: dict[str, dict[str, Any]] = {}
    snapshots = []
    for moment, change in sorted(completed, key=lambda entry: entry[0]):
        partner_id = change["trading_partner_id"]
        known = members[partner_id] = {} if change["whole"] else dict(members.get(partner_id, {}))
        for one in change["records"]:
            subscriber = one["subscriber"]
            key = _identity(subscriber)
            if subscriber.get("maintenance_type") in ENDINGS:
                known.pop(key, None)
            else:
                known[key] = one
        snapshots.append({**change, "moment": moment, "records": list(known.values())})
    return snapshots


def _identity(member: Mapping[str, Any]) -> str:
    for name in ("member_id", "subscriber_number", "ssn"):
        if member.get(name):
            return f"{name} {member[name]}"
    return " ".join(str(member.get(name, "")) for name in ("first_name", "last_name", "birth_date"))


def _shown(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "snapshot_id": snapshot["id"],
        "snapshot_date": wire_time(snapshot["moment"]),
        "trading_partner_id": snapshot["trading_partner_id"],
    }


HANDLERS = {
    "create_enrollment_snapshot": Handler(
        create_enrollment_snapshot,
        activity="enrollment_snapshot_PostTest",  # the one name that the documentation shows
        billed=True,
        takes=frozenset({"multipart/form-data"}),
    ),
    "list_enrollment_snapshots": Handler(list_enrollment_snapshots, activity="enrollment_snapshot"),
    "get_enrollment_snapshot": Handler(get_enrollment_snapshot, activity="enrollment_snapshot"),
    "get_enrollment_snapshot_data": Handler(
        get_enrollment_snapshot_data, activity="enrollment_snapshot", any_date=True
    ),
}
