"""Enrollments, and the snapshots of membership that they and uploads bring about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/enrollment/"
SNAPSHOTS = "/api/v4/enrollment/snapshot"
FILE = (Path(__file__).parent / "x12" / "enrollment.834").read_bytes()


@pytest.fixture
def enrollment() -> dict[str, Any]:
    """An enrollment of one invented member."""
    return {
        "trading_partner_id": "MOCKPAYER",
        "purpose": "Original",
        "action": "Change",
        "payer": {"tax_id": "000000003"},
        "sponsor": {"tax_id": "000000002"},
        "reference_number": "17",
        "client_id": "sent by the caller",
        "correlation_id": "sent by the caller",
        "subscriber": {
            "first_name": "Perdita",
            "last_name": "Moss",
            "member_id": "W555000111",
            "birth_date": "Sat Apr 30 00:00:00 1966",
            "maintenance_type": "Addition",
            "benefits": [{"maintenance_type": "Addition", "benefit_type": "Health"}],
        },
        "dependents": [],
    }


async def upload(api: httpx.AsyncClient, content: bytes = FILE, partner: str = "MOCKPAYER") -> httpx.Response:
    file = {"file": ("group.834", content)}
    return await api.post(SNAPSHOTS, files=file, data={"trading_partner_id": partner})


async def members(api: httpx.AsyncClient) -> list[list[str]]:
    """Return the last names in each snapshot, newest snapshot first."""
    found = []
    for snapshot in (await api.get(SNAPSHOTS)).json()["data"]:
        records = (await api.get(f"{SNAPSHOTS}/{snapshot['snapshot_id']}/data")).json()["data"]
        found.append([record["subscriber"]["last_name"] for record in records])
    return found


async def test_an_enrollment_is_echoed_with_ids_and_a_version_of_the_platform(
    api: httpx.AsyncClient, enrollment: dict[str, Any]
) -> None:
    activity = (await api.post(URL, json=enrollment)).json()["data"]

    echo = activity["parameters"]
    assert (activity["state"]["name"], activity["units_of_work"]) == ("scheduled", 1)
    assert (echo["version"], echo["major_version"]) == ("4.0.0", "4")
    assert echo["client_id"] == "sandbox-client-id"
    assert echo["correlation_id"] != "sent by the caller"
    assert echo["subscriber"] == enrollment["subscriber"]


async def test_a_rejected_enrollment_changes_nothing(
    api: httpx.AsyncClient, enrollment: dict[str, Any], clock: Any
) -> None:
    enrollment["subscriber"]["member_id"] = "W500000001"
    activity = (await api.post(URL, json=enrollment)).json()["data"]
    clock.now += 420

    seen = (await api.get(f"/api/v4/activities/{activity['id']}")).json()["data"]
    assert seen["state"]["name"] == "rejected"
    assert await members(api) == []


async def test_a_partner_that_takes_no_enrollments_is_an_error_of_the_query(
    api: httpx.AsyncClient, enrollment: dict[str, Any]
) -> None:
    response = await api.post(URL, json=enrollment | {"trading_partner_id": "aetna"})

    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, ["query"])


async def test_an_upload_becomes_a_snapshot_when_its_activity_is_completed(api: httpx.AsyncClient, clock: Any) -> None:
    activity = (await upload(api)).json()["data"]
    assert activity["transition_path"] == ["schedule", "wait", "receive", "notify", "complete"]
    assert activity["parameters"] == {"trading_partner_id": "MOCKPAYER"}
    clock.now += 19
    assert await members(api) == []
    clock.now += 1

    (snapshot,) = (await api.get(SNAPSHOTS)).json()["data"]
    assert (await api.get(f"{SNAPSHOTS}/{snapshot['snapshot_id']}")).json()["data"] == snapshot
    assert snapshot["trading_partner_id"] == "MOCKPAYER"
    records = (await api.get(f"{SNAPSHOTS}/{snapshot['snapshot_id']}/data")).json()["data"]
    assert [(one["subscriber"]["last_name"], len(one["dependents"])) for one in records] == [("QUILL", 1)]


async def test_enrollments_make_further_snapshots_and_an_upload_starts_over(
    api: httpx.AsyncClient, enrollment: dict[str, Any], clock: Any
) -> None:
    await upload(api)
    clock.now += 20
    await api.post(URL, json=enrollment)
    clock.now += 420
    enrollment["subscriber"]["maintenance_type"] = "Cancellation or Termination"
    await api.post(URL, json=enrollment)
    clock.now += 420
    await upload(api)
    clock.now += 20

    assert await members(api) == [["QUILL"], ["QUILL"], ["QUILL", "Moss"], ["QUILL"]]


async def test_a_canceled_enrollment_makes_no_snapshot(
    api: httpx.AsyncClient, enrollment: dict[str, Any], clock: Any
) -> None:
    activity = (await api.post(URL, json=enrollment)).json()["data"]["id"]
    await api.put(f"/api/v4/activities/{activity}", json={"transition": "cancel"})
    clock.now += 420

    assert await members(api) == []


@pytest.mark.parametrize(
    ("content", "partner", "errors"),
    [
        (b"no x12", "MOCKPAYER", "validation"),
        (FILE.replace(b"SE*26*", b"SE*25*"), "MOCKPAYER", "parsing"),
        (FILE.replace(b"INS*Y*18*021", b"INS*Y*18*"), "MOCKPAYER", "parsing"),
        (FILE, "nobody", "query"),
        (FILE, "aetna", "query"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused(
    api: httpx.AsyncClient, content: bytes, partner: str, errors: str
) -> None:
    response = await upload(api, content, partner)

    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, [errors])


@pytest.mark.parametrize("path", ["", "/data"])
async def test_an_unknown_snapshot_answers_404(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(f"{SNAPSHOTS}/{'0' * 24}{path}")).status_code == 404
