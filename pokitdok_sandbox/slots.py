"""The calendar: which slots there are at a moment. Sample slots follow the clock; others are kept. Who books is apart.

A slot is open until it is booked, whoever made it; a booking belongs to the application that made it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pokitdok_sandbox.world import World

KIND = "slot"
NAMESPACE = UUID("3f0d2c1e-5b7a-4e57-8d0b-6a1f0e9c7b44")
SATURDAY = 5

Slot = dict[str, Any]


def slots(world: World, now: float) -> list[Slot]:
    """Return all slots and bookings, earliest first; removed ones are left out."""
    kept = {slot["id"]: slot for slot in world.store.documents(KIND)}
    current = {slot["id"]: slot for slot in _samples(world, now)} | kept
    return sorted(
        (slot for slot in current.values() if slot["status"] != "removed"),
        key=lambda slot: (slot["start_date"], slot["id"]),
    )


def slot(world: World, now: float, uuid: str) -> Slot | None:
    """Return one slot or booking, or None."""
    kept = world.store.document(KIND, uuid)
    found = kept or next((entry for entry in _samples(world, now) if entry["id"] == uuid), None)
    return None if found is None or found["status"] == "removed" else found


def keep(world: World, changed: Slot) -> None:
    """Store a slot that is no longer, or never was, a sample slot as it was."""
    world.store.put_document(KIND, changed["id"], changed)


def open_slot(uuid: str, practice: Mapping[str, Any], appointment_type: str, start: float, end: float) -> Slot:
    """Return a slot that nobody has booked."""
    return {
        "id": uuid,
        "pd_provider_uuid": practice["pd_provider_uuid"],
        "location": practice["location"],
        "provider_scheduler_uuid": practice["provider_scheduler_uuid"],
        "appointment_id": _letters(uuid),
        "appointment_type": appointment_type,
        "start_date": wire_time(start),
        "end_date": wire_time(end),
        "status": "open",
    }


def practice_of(pd_provider_uuid: str, location: list[float]) -> dict[str, Any]:
    """Return the practice of a provider, or one at the given place when the samples have none."""
    practices: list[dict[str, Any]] = sample("scheduling")["practices"]
    known = next((entry for entry in practices if entry["pd_provider_uuid"] == pd_provider_uuid), None)
    system = known["provider_scheduler_uuid"] if known else str(uuid5(NAMESPACE, pd_provider_uuid))
    return {"pd_provider_uuid": pd_provider_uuid, "location": location, "provider_scheduler_uuid": system}


def _samples(world: World, now: float) -> Iterator[Slot]:
    """Yield the open slots of the next days, which depend on the clock alone."""
    if world.settings.empty:
        return
    calendar = sample("scheduling")
    minutes = {entry["type"]: entry["duration"] for entry in calendar["appointment_types"]}
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today + timedelta(days=number) for number in range(1, calendar["days"] + 1)]
    workdays = [day for day in days if day.weekday() < SATURDAY]
    for practice in calendar["practices"]:
        for day in workdays:
            for hour, kind in practice["hours"].items():
                start = (day + timedelta(hours=hour)).timestamp()
                uuid = str(uuid5(NAMESPACE, f"{practice['pd_provider_uuid']} {wire_time(start)}"))
                yield open_slot(uuid, practice, kind, start, start + 60 * minutes[kind])
    known, practice = calendar["well_known"], calendar["practices"][0]
    start = (workdays[0] + timedelta(hours=known["hour"])).timestamp()
    kind = known["appointment_type"]
    yield open_slot(known["pd_appointment_uuid"], practice, kind, start, start + 60 * minutes[kind])


def _letters(uuid: str) -> str:
    """Return twelve capital letters, the form of a recorded id in a practice system."""
    return "".join(chr(ord("A") + byte % 26) for byte in uuid5(NAMESPACE, uuid).bytes[:12])
