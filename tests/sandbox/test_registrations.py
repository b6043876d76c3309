"""Registrations of an application: NPIs with partners, and its own data on providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

APPS, PROVIDERS = "/api/v4/appregistrations", "/api/v4/providers/registration/"
NPI = "1234567893"


@pytest.fixture
def registration() -> dict[str, Any]:
    return {
        "trading_partner_id": "MOCKPAYER",
        "transaction_set_name": "eligibility",
        "npi": NPI,
        "tax_id": ["000000001"],
        "claims_roles": ["billing"],
        "organization_name": "Heron Clinic",
        "address_lines": ["7 Heron Court"],
        "city": "Alder Bay",
        "state": "OR",
        "zipcode": "97001",
    }


async def test_a_registration_is_made_read_replaced_and_listed(
    api: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    made = (await api.post(APPS, json=registration)).json()["data"]
    url = f"{APPS}/{made['_uuid']}"
    changed = (await api.put(url, json=registration | {"city": "Charleston"})).json()["data"]

    assert made.items() >= registration.items()
    assert (made["client_id"], made["app_name"]) == ("sandbox-client-id", "Sandbox application")
    assert changed == made | {"city": "Charleston"}
    assert (await api.get(url)).json()["data"] == changed
    assert (await api.get(APPS)).json()["data"] == [changed]


async def test_deleting_can_be_undone(api: httpx.AsyncClient, registration: dict[str, Any]) -> None:
    made = (await api.post(APPS, json=registration)).json()["data"]
    url = f"{APPS}/{made['_uuid']}"
    assert (await api.delete(url)).status_code == 200
    gone = [await api.get(url), await api.put(url, json=registration), await api.delete(url)]
    assert [response.status_code for response in gone] == [404, 404, 404]
    assert (await api.get(APPS)).json()["data"] == []

    assert (await api.post(f"{url}/undelete", json={})).json()["data"] == made
    assert (await api.get(url)).json()["data"] == made
    assert (await api.post(f"{APPS}/1/undelete", json={})).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"npi": "1234567890"}, "npi"),
        ({"trading_partner_id": "nobody"}, "trading_partner_id"),
        ({"last_name": "Winterbourne"}, "organization_name"),
        ({"tax_id": "000000001"}, "tax_id"),
    ],
)
async def test_what_does_not_fit_is_refused_by_name(
    api: httpx.AsyncClient, registration: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    response = await api.post(APPS, json=registration | change)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [field]


async def test_the_path_is_served_with_and_without_its_final_slash(
    api: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    made = await api.post(f"{APPS}/", json=registration)

    assert made.status_code == 200
    assert (await api.get(f"{APPS}/")).json()["data"] == (await api.get(APPS)).json()["data"] == [made.json()["data"]]


CSV = "npi,trading_partner_id,tax_id,last_name\n1234567893,MOCKPAYER,000000001;000000002,Winterbourne\n"


async def test_a_csv_file_registers_a_row_each(api: httpx.AsyncClient) -> None:
    response = await api.post(f"{APPS}/csv", content=CSV, headers={"content-type": "text/csv"})
    (made,) = response.json()["data"]

    assert response.headers["x-sandbox-answer"] == "rules"
    assert (made["npi"], made["tax_id"], made["last_name"]) == (NPI, ["000000001", "000000002"], "Winterbourne")
    assert (await api.get(APPS)).json()["data"] == [made]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (CSV + "1,MOCKPAYER,,\n", "2"),
        (CSV + ",MOCKPAYER,,\n", "2"),
        ("npi,trading_partner_id\n", "body"),
        ("npi\n" + '"' + "x" * 200_000, "body"),
    ],
)
async def test_a_csv_file_with_a_wrong_row_registers_none(api: httpx.AsyncClient, text: str, place: str) -> None:
    response = await api.post(f"{APPS}/csv", content=text, headers={"content-type": "text/csv"})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [place]
    assert (await api.get(APPS)).json()["data"] == []


async def test_a_provider_is_registered_replaced_and_removed(api: httpx.AsyncClient) -> None:
    url = f"{PROVIDERS}{NPI}"
    assert (await api.get(url)).status_code == 404
    first = (await api.post(PROVIDERS, json={"npi": NPI, "last_name": "Winterbourne"})).json()["data"]
    second = (await api.post(PROVIDERS, json={"npi": NPI, "last_name": "Oakes"})).json()["data"]
    third = (await api.put(url, json={"npi": "1", "first_name": "Orla"})).json()["data"]

    assert first == {"npi": NPI, "last_name": "Winterbourne"}
    assert second == {"npi": NPI, "last_name": "Oakes"}
    assert third == (await api.get(url)).json()["data"] == {"npi": NPI, "first_name": "Orla"}
    assert (await api.delete(url)).status_code == 200
    gone = [await api.get(url), await api.put(url, json={}), await api.delete(url)]
    assert [response.status_code for response in gone] == [404, 404, 404]


@pytest.mark.parametrize("body", [{}, {"npi": "abc"}])
async def test_a_provider_without_a_number_is_refused(api: httpx.AsyncClient, body: dict[str, str]) -> None:
    response = await api.post(PROVIDERS, json=body)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["npi"]


async def test_registrations_of_one_application_are_unknown_to_another(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient], registration: dict[str, Any]
) -> None:
    one, other = two_applications
    uuid = (await one.post(APPS, json=registration)).json()["data"]["_uuid"]
    await one.post(PROVIDERS, json={"npi": NPI})

    assert (await other.get(APPS)).json()["data"] == []
    assert (await other.get(f"{APPS}/{uuid}")).status_code == 404
    assert (await other.get(f"{PROVIDERS}{NPI}")).status_code == 404
