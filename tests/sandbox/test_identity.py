"""Identities: stored, found, changed, remembered, and kept from other applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.applications import Starlette

    from tests.sandbox.conftest import Clock

URL = "/api/v4/identity/"
SAMPLE = "881bc095-2068-43cb-9783-cce630364122"


@pytest.fixture
def person() -> dict[str, Any]:
    return {
        "prefix": "Ms",
        "first_name": "Perdita",
        "last_name": "Moss",
        "birth_date": "1966-04-30",
        "gender": "female",
        "email": "perdita@moss.example.org",
        "address": {"address_lines": ["9 Tidewater Avenue"], "city": "Alder Bay", "state": "OR", "zipcode": "97001"},
        "identifiers": [
            {
                "value": "SBX-7",
                "system_uuid": "967d207f-b024-41cc-8cac-89575a1f6fef",
                "provider_uuid": "b691b7f9-bfa8-486d-a689-214ae47ea6f8",
                "location": [-79.93, 32.78],
            }
        ],
    }


async def test_a_new_person_gets_an_id_times_and_an_owner(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    data = (await api.post(URL, json=person)).json()["data"]

    assert data.items() >= {name: value for name, value in person.items() if name != "identifiers"}.items()
    assert data["insert_datetime"] == data["update_datetime"] == "2023-11-14T22:13:20.250000"
    assert data["identifiers"][0]["insert_datetime"] == data["insert_datetime"]
    assert (data["client_id"], data["app_name"]) == ("sandbox-client-id", "Sandbox application")
    assert "app_id" not in data


async def test_a_read_answers_a_list_of_one_and_calls_the_owner_app_id(
    api: httpx.AsyncClient, person: dict[str, Any]
) -> None:
    uuid = (await api.post(URL, json=person)).json()["data"]["uuid"]
    (read,) = (await api.get(f"{URL}{uuid}")).json()["data"]

    assert read["app_id"] == "sandbox-client-id"
    assert "client_id" not in read
    assert (await api.get(f"{URL}00000000-0000-0000-0000-000000000000")).json()["data"] == []


async def test_an_update_replaces_the_person_and_the_history_keeps_what_was(
    api: httpx.AsyncClient, clock: Clock, person: dict[str, Any]
) -> None:
    created = (await api.post(URL, json=person)).json()["data"]
    url = f"{URL}{created['uuid']}"
    assert (await api.get(f"{url}/history")).json()["data"] == []
    clock.now += 60
    changed = (await api.put(url, json={"last_name": "Fern", "identifiers": person["identifiers"]})).json()["data"]

    assert changed["last_name"] == "Fern"
    assert "first_name" not in changed
    assert changed["insert_datetime"] == created["insert_datetime"] < changed["update_datetime"]
    assert changed["identifiers"][0]["insert_datetime"] == created["insert_datetime"]
    assert (await api.get(f"{url}/history")).json()["data"] == [
        {"version": 0, "insert_datetime": created["update_datetime"]}
    ]
    (before,) = (await api.get(f"{url}/history/0")).json()["data"]
    assert before["last_name"] == "Moss"
    assert (await api.get(f"{url}/history/1")).json()["data"] == []
    assert (await api.get(f"{url}/history/x")).json()["data"] == []


async def test_changing_an_unknown_person_answers_404(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    response = await api.put(f"{URL}00000000-0000-0000-0000-000000000000", json=person)

    assert response.status_code == 404
    assert list(response.json()["data"]["errors"]) == ["query"]


async def test_a_birth_date_that_is_none_is_refused(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    response = await api.post(URL, json=person | {"birth_date": "30 April"})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["birth_date"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"last_name": "Mosses"}, True),
        ({"last_name": "mosss", "first_name": "perditta"}, True),
        ({"last_name": "Fern"}, False),
        ({"address": "9 Tidewater Avenu"}, True),
        ({"city": "Alder Bey", "state": "OR"}, True),
        ({"state": "WA"}, False),
        ({"zipcode": "97001", "gender": "female", "birth_date": "1966-04-30"}, True),
        ({"birth_date": "1966-04-29"}, False),
        ({"email": "perdita@moss.example.or"}, False),
        ({"id": "SBX-7", "last_name": "Somebody Else"}, True),
        ({"id": "SBX-8", "last_name": "Moss"}, False),
    ],
)
async def test_names_and_places_forgive_two_slips_and_the_rest_none(
    api: httpx.AsyncClient, person: dict[str, Any], query: dict[str, str], found: bool
) -> None:
    uuid = (await api.post(URL, json=person)).json()["data"]["uuid"]
    answered = [one["uuid"] for one in (await api.get(URL, params=query)).json()["data"]]

    assert (uuid in answered) is found


async def test_a_search_comes_in_pages_without_a_count(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    for _ in range(3):
        await api.post(URL, json=person)
    first = (await api.get(URL, params={"last_name": "Moss", "limit": 2})).json()
    second = (await api.get(first["meta"]["next"])).json()

    assert (len(first["data"]), len(second["data"])) == (2, 1)
    assert "result_count" not in first["meta"]
    assert "next" not in second["meta"]


async def test_a_sample_person_is_there_from_the_start_and_can_be_changed(api: httpx.AsyncClient) -> None:
    (before,) = (await api.get(f"{URL}{SAMPLE}")).json()["data"]
    await api.put(f"{URL}{SAMPLE}", json={"first_name": "Jorah", "last_name": "Quill"})
    (after,) = (await api.get(f"{URL}{SAMPLE}")).json()["data"]
    everybody = (await api.get(URL)).json()["data"]

    assert (before["last_name"], after["last_name"]) == ("Penhallow", "Quill")
    assert [one["uuid"] for one in everybody].count(SAMPLE) == 1
    await api.post("/_sandbox/reset")


async def test_what_one_application_stores_is_not_seen_by_another(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient], person: dict[str, Any]
) -> None:
    one, other = two_applications
    uuid = (await one.post(URL, json=person)).json()["data"]["uuid"]
    await one.put(f"{URL}{SAMPLE}", json={"last_name": "Changed"})

    assert (await other.get(f"{URL}{uuid}")).json()["data"] == []
    assert (await other.get(URL, params={"last_name": "Moss"})).json()["data"] == []
    assert (await other.put(f"{URL}{uuid}", json=person)).status_code == 404
    (sample,) = (await other.get(f"{URL}{SAMPLE}")).json()["data"]
    assert sample["last_name"] == "Penhallow"
    assert len((await one.get(URL, params={"last_name": "Moss"})).json()["data"]) == 1


async def test_persons_outlive_a_restart_and_not_a_reset(
    make_app: Callable[..., Starlette], sign_in: Callable[..., Any], person: dict[str, Any], tmp_path: Any
) -> None:
    file = str(tmp_path / "state.sqlite")
    first = make_app(db=file)
    async with sign_in(first) as api:
        uuid = (await api.post(URL, json=person)).json()["data"]["uuid"]
    first.state.world.store.close()
    async with sign_in(make_app(db=file)) as api:
        assert len((await api.get(f"{URL}{uuid}")).json()["data"]) == 1
        await api.post("/_sandbox/reset")
    async with sign_in(make_app(db=file)) as api:
        assert (await api.get(f"{URL}{uuid}")).json()["data"] == []
