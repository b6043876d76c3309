"""Appointments: find, book, change, cancel; open and remove slots. Which slots there are is in slots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import require_scopes
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.places import Point, pair
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.schedulers import registered_patient
from pokitdok_sandbox.slots import Slot, keep, open_slot, practice_of, slot, slots
from pokitdok_sandbox.validation import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable

USER = frozenset({"user_schedule"})
BUSINESS = frozenset({"business_schedule"})
SHOWN = ("provider_scheduler_uuid", "appointment_id", "appointment_type", "start_date", "end_date")
PATIENT_MEMBERS = {"uuid", "_uuid", "first_name", "last_name", "birth_date", "email", "phone", "member_id"}
FALSE = {"", "0", "false", "no"}


def list_appointments(call: Call) -> Answer:
    """Answer the bookings of a patient, or else open slots; the provider's side sees its bookings among them, too.

    A booking is seen by the application that made it alone, which is our reading. So is that patient_uuid takes the
    scope user_schedule: the documentation pairs the two without saying what else happens.
    """
    query = call.query
    if "patient_uuid" in query:
        require_scopes(call.scopes, (USER,))
    near = pair("location", query["location"]) if "location" in query else None
    earliest = _moment("start_date", query["start_date"]) if "start_date" in query else None
    latest = _moment("end_date", query["end_date"]) if "end_date" in query else None

    def fits(one: Slot) -> bool:
        mine = one.get("client_id") == call.client_id
        if "patient_uuid" in query:
            seen = mine and one["patient"].get("_uuid") == query["patient_uuid"]
        else:
            seen = one["status"] == "open" or (mine and call.scopes >= BUSINESS)
        return (
            seen
            and query.get("pd_provider_uuid", one["pd_provider_uuid"]) == one["pd_provider_uuid"]
            and query.get("appointment_type", one["appointment_type"]) == one["appointment_type"]
            and (earliest is None or earliest <= _moment("start_date", one["start_date"]))
            and (latest is None or _moment("end_date", one["end_date"]) <= latest)
            and (near is None or near.miles_to(Point(*one["location"])) <= sample("scheduling")["near"])
        )

    return page(call, [_listed(one) for one in slots(call.world, call.now) if fits(one)])


def get_appointment(call: Call) -> Answer:
    """Answer a list of one, as documented; its id stands under both names that the documentation uses."""
    found = _slot(call, lambda one: one["status"] == "open" or one["client_id"] == call.client_id)
    return Answer([_listed(found) | {"client_appointment_uuid": found["id"]}])


def book_appointment(call: Call) -> Answer:
    """Book an open slot for a patient; without one change the note, or mark a booking as completed.

    As recorded, the answer leaves out the platform's own id.
    """
    found = _slot(call, lambda one: one["status"] == "open" or one["client_id"] == call.client_id, taken=True)
    body: dict[str, Any] = call.body
    changed = dict(found)
    if "patient" in body:
        if found["status"] != "open":
            raise invalid({"pd_appointment_uuid": ["This slot is booked."]})
        changed |= {"status": "booked", "client_id": call.client_id, "patient": _patient(call, body["patient"])}
    if "description" in body:
        changed["description"] = body["description"]
    if body.get("mark_completed", "").strip().casefold() not in FALSE:
        if changed["status"] != "booked":
            raise invalid({"mark_completed": ["Only a booking can be completed."]})
        changed["status"] = "completed"
    keep(call.world, changed)
    return Answer(_shown(changed))


def cancel_appointment(call: Call) -> Answer:
    """Give a booking back: the slot is open again."""
    found = _slot(call, lambda one: one["status"] == "booked" and one["client_id"] == call.client_id)
    keep(
        call.world,
        {name: value for name, value in found.items() if name not in {"client_id", "patient", "description"}}
        | {"status": "open"},
    )
    return Answer(None, status=204)


def create_slot(call: Call) -> Answer:
    """Open a slot for a provider; any application can then book it."""
    body: dict[str, Any] = call.body
    start, end = (_moment(name, body[name]) for name in ("start_date", "end_date"))
    if end < start:
        raise invalid({"end_date": ["Before start_date."]})
    pair("location", ",".join(str(number) for number in body["location"]))
    practice = practice_of(body["pd_provider_uuid"], body["location"])
    made = open_slot(call.world.new_uuid(), practice, body["appointment_type"], start, end)
    made |= {"made_by": call.client_id}
    if "appointment_id" in body:
        made["appointment_id"] = body["appointment_id"]
    keep(call.world, made)
    return Answer(_listed(made))


def delete_slot(call: Call) -> Answer:
    """Remove an open slot: a sample, or one that the same application opened."""
    found = _slot(call, lambda one: one.get("made_by", call.client_id) == call.client_id)
    if found["status"] != "open":
        raise invalid({"pd_appointment_uuid": ["This slot is booked."]})
    keep(call.world, found | {"status": "removed"})
    return Answer(None, status=204)


def _slot(call: Call, permitted: Callable[[Slot], bool], *, taken: bool = False) -> Slot:
    """Return the slot in the path.

    Raises:
        RefusalError: There is none that the application may see, 404; with ``taken`` one that somebody else has
            booked is refused with 422 instead.
    """
    uuid = call.path["pd_appointment_uuid"]
    call.record["parameters"] = {"pd_appointment_uuid": uuid}
    found = slot(call.world, call.now, uuid)
    if found is not None and permitted(found):
        return found
    if found is not None and taken:
        raise invalid({"pd_appointment_uuid": ["This slot is booked."]})
    raise RefusalError(404, {"query": "No appointment has this uuid."})


def _patient(call: Call, sent: Any) -> dict[str, Any]:
    """Return the patient as appointments show one: the id is _uuid, whichever name it was sent under.

    Raises:
        RefusalError: It is no patient; 422. To the contract it may be the body of a later change, where it is anything.
    """
    if not isinstance(sent, dict):
        raise invalid({"patient": [MESSAGES["type"]]})
    odd = {name: [MESSAGES["type"]] for name in PATIENT_MEMBERS & sent.keys() if not isinstance(sent[name], str)}
    if odd:
        raise invalid({"patient": odd})
    patient = {name: value for name, value in sent.items() if name not in {"uuid", "_uuid"}}
    uuid = sent.get("_uuid", sent.get("uuid"))
    if uuid is None:
        return patient
    known = {name: value for name, value in registered_patient(call, uuid).items() if name != "uuid"}
    return {"_uuid": uuid, **known, **patient}


def _listed(one: Slot) -> dict[str, Any]:
    return {"pd_appointment_uuid": one["id"], **_shown(one)}


def _shown(one: Slot) -> dict[str, Any]:
    """Return a slot with both words for its stage: booked as recorded, status as documented later."""
    shown = {name: one[name] for name in SHOWN}
    shown |= {"status": one["status"], "booked": one["status"] != "open"}
    return shown | {name: one[name] for name in ("patient", "description") if name in one}


def _moment(name: str, text: str) -> float:
    """Return a date-time as Unix time; without a zone it is UTC.

    Raises:
        RefusalError: It is none; 422, naming it.
    """
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise invalid({name: ["Not a date-time of ISO 8601."]}) from None


HANDLERS = {
    "list_appointments": Handler(list_appointments, activity="schedule", billed=True),
    "get_appointment": Handler(get_appointment, activity="schedule", billed=True),
    "book_appointment": Handler(book_appointment, activity="schedule", billed=True),
    "cancel_appointment": Handler(cancel_appointment, activity="schedule", billed=True),
    "create_slot": Handler(create_slot, activity="schedule", billed=True),
    "delete_slot": Handler(delete_slot, activity="schedule", billed=True),
}
