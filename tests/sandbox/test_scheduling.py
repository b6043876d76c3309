"""Scheduling: practice systems, slots that follow the clock, booking and cancelling, and who may see what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx
    from starlette.applications import Starlette

    from tests.sandbox.conftest import Clock

SCHEDULE = "/api/v4/schedule"
APPOINTMENTS, SLOTS, PATIENTS = f"{SCHEDULE}/appointments/", f"{SCHEDULE}/slots/", f"{SCHEDULE}/patient/"
KNOWN = f"{APPOINTMENTS}ef987691-0a19-447f-814d-f8f3abbf4859"
PROVIDER = "b691b7f9-bfa8-486d-a689-214ae47ea6f8"
USER = "500ef469-2767-4901-b705-425e9b6f7f83"
PATIENT = {"_uuid": USER, "first_name": "Jorah", "last_name": "Penhallow", "birth_date": "1971-11-03"}
SLOT = {
    "pd_provider_uuid": PROVIDER,
    "location": [32.78811, -79.932364],
    "appointment_type": "AT1",
    "start_date": "2023-12-25T15:09:34.197709",
    "end_date": "2023-12-25T16:09:34.197717",
}


@pytest.fixture
async def user(make_app: Callable[..., Starlette], sign_in: Callable[..., Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose token has the scope user_schedule alone."""
    async with sign_in(make_app(), scope="user_schedule") as client:
        yield client


@pytest.fixture
async def practice(make_app: Callable[..., Starlette], sign_in: Callable[..., Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose token has the scope business_schedule alone."""
    async with sign_in(make_app(), scope="business_schedule") as client:
        yield client


async def listed(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    response = await client.get(APPOINTMENTS, params={"limit": 1000, **query})
    assert response.status_code == 200, response.text
    entries: list[dict[str, Any]] = response.json()["data"]
    return entries


async def test_systems_and_kinds_of_visits_are_listed_and_read(api: httpx.AsyncClient) -> None:
    systems = (await api.get(f"{SCHEDULE}/schedulers/")).json()["data"]
    kinds = (await api.get(f"{SCHEDULE}/appointmenttypes/")).json()["data"]
    one = (await api.get(f"{SCHEDULE}/schedulers/{systems[1]['scheduler_uuid']}")).json()["data"]
    kind = (await api.get(f"{SCHEDULE}/appointmenttypes/{kinds[0]['appointment_type_uuid']}")).json()["data"]

    assert one == [systems[1]]  # recorded: a list of one
    assert kind == kinds[0]
    assert [entry["type"] for entry in kinds] == ["OV1", "PC1", "FO1", "RO1", "UA1", "NV1", "CV1", "WC1"]
    assert (await api.get(f"{SCHEDULE}/schedulers/1")).status_code == 404
    assert (await api.get(f"{SCHEDULE}/appointmenttypes/1")).status_code == 404


async def test_open_slots_follow_the_clock_and_leave_weekends_out(
    make_app: Callable[..., Starlette], sign_in: Callable[..., Any], clock: Clock
) -> None:
    app = make_app()
    async with sign_in(app, scope="user_schedule") as user:
        now = await listed(user)
    clock.now += 30 * 86400
    async with sign_in(app, scope="user_schedule") as user:
        later = await listed(user)

    assert all(slot["status"] == "open" and slot["booked"] is False for slot in now)
    assert [slot["start_date"] for slot in now] == sorted(slot["start_date"] for slot in now)
    assert now[0]["start_date"] == "2023-11-15T08:00:00.000000"
    assert now[-1]["start_date"][:10] == "2023-11-28"
    assert not {slot["start_date"][:10] for slot in now} & {"2023-11-18", "2023-11-19"}
    assert later[0]["start_date"][:10] == "2023-12-15"


async def test_slots_are_narrowed_by_provider_place_kind_and_time(user: httpx.AsyncClient) -> None:
    by_provider = await listed(user, pd_provider_uuid=PROVIDER)
    by_place = await listed(user, location="32.78811,-79.932364")
    by_kind = await listed(user, appointment_type="PC1")
    by_time = await listed(user, start_date="2023-11-16T00:00:00", end_date="2023-11-16T12:00:00")

    assert by_provider == by_place == await listed(user, location=["32.78811", "-79.932364"])
    assert 0 < len(by_provider) < len(await listed(user))
    assert {slot["appointment_type"] for slot in by_kind} == {"PC1"}
    assert {slot["start_date"][:13] for slot in by_time} <= {f"2023-11-16T{hour:02d}" for hour in range(12)}
    assert by_time
    assert await listed(user, location="0 0") == []


@pytest.mark.parametrize("name", ["start_date", "end_date", "location"])
async def test_what_cannot_be_read_in_a_search_is_refused_by_name(user: httpx.AsyncClient, name: str) -> None:
    response = await user.get(APPOINTMENTS, params={name: "soon"})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [name]


async def test_slots_come_in_pages(user: httpx.AsyncClient) -> None:
    first = (await user.get(APPOINTMENTS)).json()
    second = (await user.get(first["meta"]["next"])).json()

    assert len(first["data"]) == 20
    assert first["data"][-1]["start_date"] <= second["data"][0]["start_date"]


async def test_a_booking_takes_the_slot_and_answers_without_the_platform_id(user: httpx.AsyncClient) -> None:
    response = await user.put(KNOWN, json={"patient": PATIENT, "description": "Welcome"})
    booked = response.json()["data"]

    assert response.headers["x-sandbox-answer"] == "rules"
    assert (booked["status"], booked["booked"], booked["description"]) == ("booked", True, "Welcome")
    assert booked["patient"] == PATIENT
    assert "pd_appointment_uuid" not in booked
    assert len(booked["appointment_id"]) == 12
    assert response.json()["meta"]["credits_billed"] == 1
    assert KNOWN.endswith((await listed(user, patient_uuid=USER))[0]["pd_appointment_uuid"])
    assert all(slot["status"] == "open" for slot in await listed(user))
    (read,) = (await user.get(KNOWN)).json()["data"]
    assert read["pd_appointment_uuid"] == read["client_appointment_uuid"]
    assert read.items() >= booked.items()


async def test_a_patient_sent_under_the_later_name_is_shown_under_the_earlier(user: httpx.AsyncClient) -> None:
    booked = (await user.put(KNOWN, json={"patient": {"uuid": USER, "last_name": "Penhallow"}})).json()["data"]

    assert booked["patient"] == {"_uuid": USER, "last_name": "Penhallow"}


async def test_a_booked_slot_cannot_be_booked_again(user: httpx.AsyncClient) -> None:
    await user.put(KNOWN, json={"patient": PATIENT})
    response = await user.put(KNOWN, json={"patient": PATIENT})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["pd_appointment_uuid"]


@pytest.mark.parametrize("patient", ["Moss", {"last_name": 5}])
async def test_what_is_no_patient_is_refused_and_the_slot_stays_open(user: httpx.AsyncClient, patient: object) -> None:
    response = await user.put(KNOWN, json={"patient": patient})

    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"].keys() == {"patient"}
    assert (await user.get(KNOWN)).json()["data"][0]["status"] == "open"


async def test_a_note_changes_and_a_booking_is_completed(user: httpx.AsyncClient) -> None:
    early = await user.put(KNOWN, json={"mark_completed": "true"})
    await user.put(KNOWN, json={"patient": PATIENT})
    noted = (await user.put(KNOWN, json={"description": "Bring the card"})).json()["data"]
    done = (await user.put(KNOWN, json={"mark_completed": "true"})).json()["data"]

    assert early.status_code == 422
    assert list(early.json()["data"]["errors"]["validation"]) == ["mark_completed"]
    assert (noted["description"], noted["status"], noted["patient"]) == ("Bring the card", "booked", PATIENT)
    assert (done["status"], done["booked"]) == ("completed", True)
    assert (await user.delete(KNOWN)).status_code == 404


async def test_cancelling_opens_the_slot_again_and_answers_nothing(user: httpx.AsyncClient) -> None:
    await user.put(KNOWN, json={"patient": PATIENT, "description": "Welcome"})
    response = await user.delete(KNOWN)
    (read,) = (await user.get(KNOWN)).json()["data"]

    assert (response.status_code, response.content) == (204, b"")
    assert (response.headers["x-sandbox-answer"], response.headers["x-sandbox-evidence"]) == ("rules", "recorded")
    assert read["status"] == "open"
    assert not read.keys() & {"patient", "description"}
    assert (await user.delete(KNOWN)).status_code == 404
    assert (await user.put(KNOWN, json={"patient": PATIENT})).status_code == 200


async def test_of_many_who_book_at_once_one_gets_the_slot(user: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(user.put(KNOWN, json={"patient": PATIENT}) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200, *[422] * 9]


async def test_a_booking_survives_the_clock(user: httpx.AsyncClient, clock: Clock) -> None:
    await user.put(KNOWN, json={"patient": PATIENT})
    clock.now += 3000
    (read,) = (await user.get(KNOWN)).json()["data"]

    assert read["start_date"] == "2023-11-15T08:00:00.000000"


async def test_a_practice_opens_and_removes_slots(practice: httpx.AsyncClient) -> None:
    made = (await practice.post(SLOTS, json=SLOT)).json()["data"]
    url = f"{SLOTS}{made['pd_appointment_uuid']}"
    after = await listed(practice, appointment_type="AT1")
    removed = await practice.delete(url)

    assert made["status"] == "open"
    assert (made["start_date"], made["end_date"]) == (SLOT["start_date"], SLOT["end_date"])
    assert after == [made]
    assert (removed.status_code, removed.content) == (204, b"")
    assert await listed(practice, appointment_type="AT1") == []
    assert (await practice.delete(url)).status_code == 404


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"end_date": "2023-12-25T15:00:00"}, "end_date"),
        ({"location": [32.0]}, "location"),
        ({"start_date": "Christmas"}, "start_date"),
    ],
)
async def test_a_slot_that_makes_no_sense_is_refused(
    practice: httpx.AsyncClient, change: dict[str, Any], name: str
) -> None:
    response = await practice.post(SLOTS, json=SLOT | change)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [name]


async def test_asking_for_a_patient_takes_the_scope_of_users(practice: httpx.AsyncClient) -> None:
    response = await practice.get(APPOINTMENTS, params={"patient_uuid": USER})

    assert response.status_code == 403
    assert response.json()["data"] == {"errors": {"scope": "'user_schedule' scope required to access this API"}}
    assert "credits_billed" not in response.json()["meta"]


async def test_a_user_becomes_a_patient_whose_bookings_know_them(user: httpx.AsyncClient) -> None:
    body = {"pd_patient_uuid": USER, "pd_provider_uuid": PROVIDER, "location": SLOT["location"]}
    registered = (await user.post(PATIENTS, json=body)).json()["data"]
    booked = (await user.put(KNOWN, json={"patient": {"_uuid": USER, "phone": "843-555-0199"}})).json()["data"]

    assert (registered["uuid"], registered["last_name"]) == (USER, "Penhallow")
    assert (booked["patient"]["last_name"], booked["patient"]["phone"]) == ("Penhallow", "843-555-0199")


async def test_an_unknown_user_or_provider_is_refused_by_name(user: httpx.AsyncClient) -> None:
    body = {"pd_patient_uuid": PROVIDER, "pd_provider_uuid": USER, "location": [1]}
    response = await user.post(PATIENTS, json=body)

    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"].keys() == body.keys()


async def test_a_booking_is_hidden_from_other_applications_and_its_slot_taken(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    one, other = two_applications
    made = (await one.post(SLOTS, json=SLOT)).json()["data"]["pd_appointment_uuid"]
    assert [slot["pd_appointment_uuid"] for slot in await listed(other, appointment_type="AT1")] == [made]
    assert (await other.delete(f"{SLOTS}{made}")).status_code == 404
    await one.put(f"{APPOINTMENTS}{made}", json={"patient": PATIENT})

    assert await listed(other, patient_uuid=USER) == []
    assert await listed(other, appointment_type="AT1") == []
    assert len(await listed(one, appointment_type="AT1")) == 1  # the provider's side sees its bookings
    assert (await other.get(f"{APPOINTMENTS}{made}")).status_code == 404
    assert (await other.delete(f"{APPOINTMENTS}{made}")).status_code == 404
    assert (await other.put(f"{APPOINTMENTS}{made}", json={"patient": PATIENT})).status_code == 422
    assert (await one.delete(f"{SLOTS}{made}")).status_code == 422
