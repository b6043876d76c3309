"""The provider directory: who is found by name, place, distance and specialty, in which order, in what pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.checks import is_npi
from pokitdok_sandbox.providers import directory

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/providers/"
CHARLESTON = "32.7795,-79.9371"


async def found(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    response = await api.get(URL, params=query)
    assert response.status_code == 200, response.text
    entries: list[dict[str, Any]] = response.json()["data"]
    return entries


def cities(entries: list[dict[str, Any]]) -> set[str]:
    return {entry["provider"]["locations"][0]["city"] for entry in entries}


def test_the_directory_holds_people_and_organizations_of_several_cities_under_valid_numbers() -> None:
    entries = directory()

    assert len(entries) >= 40
    assert len({location["city"] for entry in entries for location in entry["locations"]}) >= 10
    assert {entry["entity_type"] for entry in entries} == {"individual", "organization"}
    numbers = [entry["npi"] for entry in entries]
    assert all(is_npi(npi) for npi in numbers)
    assert len(set(numbers)) == len({entry["uuid"] for entry in entries}) == len(entries)


async def test_a_search_comes_in_pages_that_hold_everybody_once(api: httpx.AsyncClient) -> None:
    first = (await api.get(URL)).json()
    assert len(first["data"]) == 20
    seen, page = list(first["data"]), first
    while "next" in page["meta"]:
        assert page["meta"]["next"].startswith("http://sandbox.test/api/v4/providers/?offset=")
        page = (await api.get(page["meta"]["next"])).json()
        seen += page["data"]

    assert len(seen) == len({entry["provider"]["npi"] for entry in seen}) == first["meta"]["result_count"]
    assert len(seen) == len(directory())
    assert first["meta"]["credits_billed"] == 1


async def test_a_page_keeps_the_filters_in_its_link(api: httpx.AsyncClient) -> None:
    body = (await api.get(URL, params={"state": "SC", "limit": 3})).json()

    assert len(body["data"]) == 3
    assert body["meta"]["next"] == "http://sandbox.test/api/v4/providers/?state=SC&limit=3&offset=3"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"last_name": "thistlewood"}, 1),
        ({"first_name": "Rowan", "last_name": "Thistlewod"}, 0),
        ({"name": "rowan thistlewod"}, 1),
        ({"name": "rowan nobody"}, 0),
        ({"organization_name": "heron marsh"}, 1),
        ({"npi": "1467560003"}, 1),
        ({"npi": "1234567893"}, 0),
    ],
)
async def test_names_are_matched_exactly_but_the_whole_name_with_slips(
    api: httpx.AsyncClient, query: dict[str, str], number: int
) -> None:
    assert len(await found(api, **query)) == number


async def test_a_specialty_is_found_by_its_beginning(api: httpx.AsyncClient) -> None:
    entries = await found(api, specialty="rheuma")

    assert entries
    assert all("Rheumatology" in entry["provider"]["specialty"] for entry in entries)


async def test_gender_and_entity_types_narrow_a_search(api: httpx.AsyncClient) -> None:
    women = await found(api, gender="f", limit=1000)
    organizations = await found(api, entity_types="organization", limit=1000)
    everybody = await found(api, entity_types="individual,organization", limit=1000)

    assert {entry["provider"]["gender"] for entry in women} == {"Female"}
    assert all("organization_name" in entry["provider"] for entry in organizations)
    assert len(everybody) == len(directory())


async def test_a_place_has_to_fit_without_a_radius(api: httpx.AsyncClient) -> None:
    assert cities(await found(api, city="charleston", state="sc")) == {"Charleston"}
    entries = await found(api, zipcode="29412")
    assert all(any(location["zipcode"] == "29412" for location in entry["provider"]["locations"]) for entry in entries)
    assert entries
    assert await found(api, zipcode="99999") == []


async def test_a_radius_reaches_the_neighbouring_town_and_no_further(api: httpx.AsyncClient) -> None:
    near = await found(api, zipcode="29401", radius="15mi", limit=1000)
    wide = await found(api, zipcode="29401", radius="250mi", state="SC", limit=1000)
    in_kilometres = await found(api, zipcode="29401", radius="24.14km", limit=1000)

    assert cities(near) == {"Charleston", "Mount Pleasant"}
    assert cities(wide) > {"Charleston", "Spartanburg"}
    assert in_kilometres == near


async def test_sorted_by_distance_the_nearest_comes_first_and_says_how_far(api: httpx.AsyncClient) -> None:
    entries = await found(api, lat_lon=CHARLESTON, radius="300mi", sort="distance", limit=1000)
    distances = [entry["distance"] for entry in entries]

    assert distances == sorted(distances)
    assert distances[0] < 2
    assert 150 < distances[-1] < 300
    assert all("distance" not in entry for entry in await found(api, lat_lon=CHARLESTON, radius="300mi"))


@pytest.mark.parametrize("query", [{"radius": "far"}, {"lat_lon": "here"}, {"lat_lon": "91,0"}, {"lat_lon": "nan,0"}])
async def test_a_place_that_cannot_be_read_is_refused_by_name(api: httpx.AsyncClient, query: dict[str, str]) -> None:
    response = await api.get(URL, params=query)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == list(query)


async def test_one_provider_is_read_by_number_and_wrapped(api: httpx.AsyncClient) -> None:
    response = await api.get(f"{URL}1467560003")

    assert response.headers["x-sandbox-answer"] == "rules"
    assert response.headers["x-sandbox-evidence"] == "recorded"
    data = response.json()["data"]
    assert list(data) == ["provider"]
    assert data["provider"]["last_name"] == "Thistlewood"
    assert data["provider"]["specialty"] == ["Family Medicine", "Preventive Medicine"]


async def test_an_unknown_provider_answers_404(api: httpx.AsyncClient) -> None:
    response = await api.get(f"{URL}1234567893")

    assert response.status_code == 404
    assert list(response.json()["data"]["errors"]) == ["query"]
