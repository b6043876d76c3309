"""Practice systems, kinds of visits and patients of a practice. The samples are in data/scheduling.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.providers import provider_by
from pokitdok_sandbox.samples import sample

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENT = "schedule patient"


def list_schedulers(_call: Call) -> Answer:
    """Answer all practice systems, unpaged as recorded."""
    return Answer(sample("scheduling")["schedulers"])


def get_scheduler(call: Call) -> Answer:
    """Answer a list of one, as recorded and documented."""
    uuid = call.path["scheduler_uuid"]
    call.record["parameters"] = {"scheduler_uuid": uuid}
    found = [entry for entry in sample("scheduling")["schedulers"] if entry["scheduler_uuid"] == uuid]
    if not found:
        raise RefusalError(404, {"query": "No scheduler has this uuid."})
    return Answer(found)


def list_appointment_types(_call: Call) -> Answer:
    """Answer all kinds of visits, unpaged as recorded."""
    return Answer([_shown(entry) for entry in sample("scheduling")["appointment_types"]])


def get_appointment_type(call: Call) -> Answer:
    """Answer one kind of visit; documented so since 2017-11, a list of one before and in the recording of 2015."""
    uuid = call.path["appointment_type_uuid"]
    call.record["parameters"] = {"appointment_type_uuid": uuid}
    for entry in sample("scheduling")["appointment_types"]:
        if entry["appointment_type_uuid"] == uuid:
            return Answer(_shown(entry))
    raise RefusalError(404, {"query": "No appointment type has this uuid."})


def register_schedule_patient(call: Call) -> Answer:
    """Make a user of the platform a patient of a practice and answer who that is.

    Raises:
        RefusalError: There is no such user or provider; 422, naming it. What the platform answered is not known.
    """
    body: dict[str, Any] = call.body
    users: list[dict[str, Any]] = sample("scheduling")["users"]
    user = next((entry for entry in users if entry["uuid"] == body["pd_patient_uuid"]), None)
    wrong = {}
    if user is None:
        wrong["pd_patient_uuid"] = ["No user has this uuid."]
    if provider_by("uuid", body["pd_provider_uuid"]) is None:
        wrong["pd_provider_uuid"] = ["No provider has this uuid."]
    if len(body["location"]) != 2:
        wrong["location"] = ["Not latitude and longitude."]
    if user is None or wrong:
        raise invalid(wrong)
    call.world.store.put_document(PATIENT, user["uuid"], user, owner=call.client_id)
    return Answer(user)


def registered_patient(call: Call, uuid: str) -> Mapping[str, Any]:
    """Return what is known of a patient whom this application registered; empty when it did not."""
    return call.world.store.document(PATIENT, uuid, owner=call.client_id) or {}


def _shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "scheduler_uuid": sample("scheduling")["schedulers"][0]["scheduler_uuid"]}


HANDLERS = {
    "list_schedulers": Handler(list_schedulers, activity="schedule", billed=True),
    "get_scheduler": Handler(get_scheduler, activity="schedule", billed=True),
    "list_appointment_types": Handler(list_appointment_types, activity="schedule_appointment_types", billed=True),
    "get_appointment_type": Handler(get_appointment_type, activity="schedule_appointment_types", billed=True),
    "register_schedule_patient": Handler(register_schedule_patient, activity="schedule", billed=True),
}
