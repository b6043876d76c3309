"""Identity matching: configurations, documents, the persons they make up, the job of 2016."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.identity_match import of_one_person

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.applications import Starlette

    from tests.sandbox.conftest import Clock

CONFIGS, MATCH = "/api/v4/identity/match_config/", "/api/v4/identity/match"
STRONG = f"{MATCH}/test_name_and_strong_id"


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "first_name": "Sunniva",
        "last_name": "Ashgrove",
        "ssn": "000-45-0007",
        "phone": "",
        "birth_date": {"year": 1988, "month": 5, "day": 13},
        "address": {
            "street1": "765 Marsh Lane",
            "city": "Alder Bay",
            "state_or_province": "OR",
            "postal_code": "97001",
        },
    }


async def data(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def test_three_algorithms_are_configured_from_the_start_and_listed_in_short(api: httpx.AsyncClient) -> None:
    listed = await data(await api.get(CONFIGS))
    one = await data(await api.get(f"{CONFIGS}test_name_and_strong_id"))

    assert [entry["algorithm_id"] for entry in listed] == [
        "test_name_and_birth_year",
        "test_name_and_strong_id",
        "test_name_and_zipcode",
    ]
    assert listed[1] == {
        "algorithm_id": "test_name_and_strong_id",
        "input_topic": "test_name_and_strong_id_source_ids",
    }
    assert one["_type"] == "IdentityMatchConfig"
    assert await data(await api.get(f"{CONFIGS}{one['_uuid']}")) == one


async def test_a_configuration_is_made_replaced_changed_and_deleted(api: httpx.AsyncClient, clock: Clock) -> None:
    made = await data(await api.post(CONFIGS, json={"algorithm_id": "mine", "input_topic": "one"}))
    clock.now += 100
    replaced = await data(await api.post(CONFIGS, json={"algorithm_id": "mine", "input_topic": "two"}))
    changed = await data(
        await api.put(f"{CONFIGS}{made['_uuid']}", json={"algorithm_id": "ours", "input_topic": "three"})
    )

    assert made["insert_dt"] == "Tue Nov 14 22:13:20 2023"
    assert replaced == made | {"input_topic": "two", "update_dt": "Tue Nov 14 22:15:00 2023"}
    assert (changed["_uuid"], changed["algorithm_id"]) == (made["_uuid"], "ours")
    assert (await api.get(f"{CONFIGS}mine")).status_code == 404
    assert await data(await api.delete(f"{CONFIGS}ours")) == {"status": "OK", "count": 1}
    assert (await api.delete(f"{CONFIGS}ours")).status_code == 404
    assert len(await data(await api.get(CONFIGS))) == 3


async def test_an_algorithm_id_is_used_once(api: httpx.AsyncClient) -> None:
    response = await api.put(
        f"{CONFIGS}test_name_and_zipcode", json={"algorithm_id": "test_name_and_strong_id", "input_topic": "t"}
    )

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["algorithm_id"]


async def test_documents_of_one_person_are_merged_and_others_are_not(
    api: httpx.AsyncClient, clock: Clock, document: dict[str, Any]
) -> None:
    first = (await data(await api.post(STRONG, json=document)))["_source_id"]
    clock.now += 60
    again = document | {"last_name": "Ashgrov", "ssn": "000450007", "phone": "843 555 0100"}
    second = (await data(await api.post(STRONG, json=again)))["_source_id"]
    stranger = (await data(await api.post(STRONG, json=document | {"ssn": "000450008"})))["_source_id"]

    (person,) = await data(await api.get(f"{STRONG}/source/{second}/canonical"))
    assert person["sources"] == [first, second]
    assert person["last_updated"] == "2023-11-14T22:14:20Z"
    assert (person["data"]["last_name"], person["data"]["phone"]) == ("Ashgrove", "843 555 0100")
    assert await data(await api.get(f"{STRONG}/{person['record_id']}")) == person
    assert await data(await api.get(f"{STRONG}/source/{first}")) == {"_source_id": first, "data": document}
    sources = await data(await api.get(f"{STRONG}/{person['record_id']}/sources"))
    assert [source["_source_id"] for source in sources] == [first, second]
    (other,) = await data(await api.get(f"{STRONG}/source/{stranger}/canonical"))
    assert other["sources"] == [stranger]


async def test_finding_stores_nothing_and_answers_an_empty_object_for_a_stranger(
    api: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    assert await data(await api.post(f"{STRONG}/find", json=document)) == {}
    await api.post(STRONG, json=document)
    person = await data(await api.post(f"{STRONG}/find", json=document | {"first_name": "Suniva"}))

    assert person["data"]["first_name"] == "Sunniva"
    assert len(person["sources"]) == 1


async def test_algorithms_that_read_one_topic_share_its_documents(
    api: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    for algorithm_id in ("test_name_and_zipcode", "mine"):
        await api.post(CONFIGS, json={"algorithm_id": algorithm_id, "input_topic": "shared"})
    source = (await data(await api.post(f"{MATCH}/mine", json=document)))["_source_id"]

    for algorithm_id in ("test_name_and_zipcode", "mine"):
        assert len(await data(await api.get(f"{MATCH}/{algorithm_id}/source/{source}/canonical"))) == 1
    assert (await api.get(f"{STRONG}/source/{source}")).status_code == 404


@pytest.mark.parametrize("path", ["", "/find"])
async def test_a_birth_date_in_part_is_refused_in_the_documented_form(
    api: httpx.AsyncClient, document: dict[str, Any], path: str
) -> None:
    del document["birth_date"]["month"]
    response = await api.post(f"{STRONG}{path}", json=document)

    assert response.status_code == 422
    assert response.json()["data"] == {"errors": {"validation": {"birth_date": {"month": "Missing field."}}}}


@pytest.mark.parametrize("path", ["/nobody/find", "/nobody"])
async def test_an_unknown_algorithm_answers_404(api: httpx.AsyncClient, document: dict[str, Any], path: str) -> None:
    assert (await api.post(f"{MATCH}{path}", json=document)).status_code == 404
    assert (await api.get(f"{STRONG}/00000000-0000-0000-0000-000000000000")).status_code == 404


@pytest.mark.parametrize(
    ("algorithm_id", "change", "same"),
    [
        ("test_name_and_birth_year", {"birth_date": {"year": 1988, "month": 1, "day": 1}, "ssn": ""}, True),
        ("test_name_and_birth_year", {"birth_date": {"year": 1989, "month": 5, "day": 13}}, False),
        ("test_name_and_zipcode", {"ssn": "1", "birth_date": {}}, True),
        ("test_name_and_zipcode", {"address": {}}, False),
        ("test_name_and_strong_id", {"ssn": "", "birth_date": {}}, False),
        ("any other", {"ssn": "", "address": {}}, True),
        ("any other", {"last_name": ""}, False),
    ],
)
def test_each_algorithm_compares_its_own_members(
    document: dict[str, Any], algorithm_id: str, change: dict[str, Any], same: bool
) -> None:
    assert of_one_person(algorithm_id, document, document | change) is same


async def test_documents_of_one_application_are_not_matched_with_those_of_another(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient], document: dict[str, Any]
) -> None:
    one, other = two_applications
    source = (await data(await one.post(STRONG, json=document)))["_source_id"]

    assert await data(await other.post(f"{STRONG}/find", json=document)) == {}
    assert (await other.get(f"{STRONG}/source/{source}")).status_code == 404


async def test_the_job_of_2016_answers_an_activity_that_ends(api: httpx.AsyncClient) -> None:
    job = {
        "match_configuration": [{"source_field": "last_name", "match_algorithm": "levenshtein", "weight": 100}],
        "threshold": 80,
    }
    activity = await data(await api.post(MATCH, json=job))
    after = await data(await api.get(f"/api/v4/activities/{activity['id']}"))

    assert activity["parameters"] == job
    assert (activity["state"]["name"], after["state"]["name"]) == ("processing", "completed")


async def test_the_job_of_2016_is_called_back_once_though_it_has_no_result(
    make_app: Callable[..., Starlette], sign_in: Callable[..., Any], posts: list[tuple[str, dict[str, Any]]]
) -> None:
    app = make_app()
    job = {"match_configuration": [], "callback_url": "https://app.example.com/done"}
    async with sign_in(app) as api:
        activity = await data(await api.post(MATCH, json=job))
    counts = [app.state.world.callbacks.post_due() for _ in range(3)]

    assert counts == [1, 0, 0]
    ((url, posted),) = posts
    assert (url, posted["id"], posted["state"]["name"]) == (job["callback_url"], activity["id"], "completed")
