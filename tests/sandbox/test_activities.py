"""Listing, reading and canceling activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

WELL_KNOWN = "5317f51527a27620f2ec7533"


async def test_the_documented_activity_exists_from_the_start(api: httpx.AsyncClient) -> None:
    body = (await api.get(f"/api/v4/activities/{WELL_KNOWN}")).json()

    assert body["data"]["id"] == WELL_KNOWN
    assert body["data"]["state"]["name"] == "completed"
    assert body["data"]["result"]["patient"]["claim_level_info"]["statuses"][0]["action"] == "accept"
    assert body["meta"]["activity_id"] != WELL_KNOWN


async def test_every_call_makes_an_activity_and_the_list_shows_itself_at_work(api: httpx.AsyncClient) -> None:
    first = (await api.get("/api/v4/tradingpartners/MOCKPAYER")).json()["meta"]["activity_id"]
    body = (await api.get("/api/v4/activities/")).json()

    assert [entry["name"] for entry in body["data"]] == ["claims", "tradingpartners", "activities"]
    assert body["data"][1]["id"] == first
    assert body["data"][1]["parameters"] == {"id": "MOCKPAYER"}
    assert body["data"][1]["state"]["name"] == "completed"
    assert body["data"][2]["id"] == body["meta"]["activity_id"]
    assert body["data"][2]["state"]["name"] == "processing"
    assert body["meta"]["result_count"] == 3
    assert "next" not in body["meta"]


async def test_pages_hold_twenty_and_next_keeps_the_query_and_the_host(api: httpx.AsyncClient) -> None:
    for _ in range(24):
        await api.get("/api/v4/tradingpartners/MOCKPAYER")

    first = (await api.get("/api/v4/activities/", headers={"host": "elsewhere.test:81"})).json()
    assert len(first["data"]) == 20
    assert first["meta"]["result_count"] == 26
    assert first["meta"]["next"] == "http://elsewhere.test:81/api/v4/activities/?offset=20"

    seen: list[str] = []
    url: str | None = "/api/v4/activities/?limit=10&activity_id=x"
    while url is not None:
        body = (await api.get(url)).json()
        seen += [entry["id"] for entry in body["data"]]
        url = body["meta"].get("next")
        assert url is None or ("limit=10&activity_id=x&offset=" in url and url.count("offset=") == 1)
    assert len(seen) == len(set(seen)) == body["meta"]["result_count"] == 29


async def test_a_last_page_that_is_full_has_no_next(api: httpx.AsyncClient) -> None:
    await api.get("/api/v4/tradingpartners/MOCKPAYER")

    body = (await api.get("/api/v4/activities/", params={"limit": 3})).json()

    assert (len(body["data"]), body["meta"]["result_count"]) == (3, 3)
    assert "next" not in body["meta"]


async def test_the_children_of_a_batch_are_listed_alone(api: httpx.AsyncClient) -> None:
    body = (await api.get("/api/v4/activities/", params={"parent_id": WELL_KNOWN})).json()

    assert (body["data"], body["meta"]["result_count"]) == ([], 0)


@pytest.mark.parametrize(
    ("query", "field"), [("limit=x", "limit"), ("limit=0", "limit"), ("offset=-1", "offset"), ("offset=1.5", "offset")]
)
async def test_a_page_that_makes_no_sense_is_refused(api: httpx.AsyncClient, query: str, field: str) -> None:
    response = await api.get(f"/api/v4/activities/?{query}")

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [field]


async def test_a_page_beyond_all_numbers_is_empty(api: httpx.AsyncClient) -> None:
    body = (await api.get(f"/api/v4/activities/?limit={10**30}&offset={10**30}")).json()

    assert body["data"] == []


async def test_an_unknown_activity_answers_404_and_says_it_is_inferred(api: httpx.AsyncClient) -> None:
    response = await api.get(f"/api/v4/activities/{'0' * 24}")

    assert response.status_code == 404
    assert list(response.json()["data"]["errors"]) == ["query"]
    assert response.headers["x-sandbox-evidence"] == "inferred"


async def test_a_scheduled_claim_is_canceled_once(api: httpx.AsyncClient, claim: dict[str, Any], clock: Any) -> None:
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    clock.now += 299

    first = await api.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})
    assert first.status_code == 200
    assert first.json()["data"]["state"]["name"] == "canceled"

    second = await api.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})
    assert second.status_code == 422
    assert list(second.json()["data"]["errors"]["validation"]) == ["transition"]

    clock.now += 1000
    assert (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]["state"]["name"] == "canceled"


@pytest.mark.parametrize("body", [{"transition": "cancel"}, {"transition": "pause"}, {}, {"transition": 5}])
async def test_other_work_and_other_transitions_are_refused(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    response = await api.put(f"/api/v4/activities/{WELL_KNOWN}", json=body)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["transition"]


async def test_canceling_an_unknown_activity_answers_404(api: httpx.AsyncClient) -> None:
    response = await api.put(f"/api/v4/activities/{'0' * 24}", json={"transition": "cancel"})

    assert response.status_code == 404


async def test_a_refused_call_leaves_a_failed_activity_without_what_was_sent(
    api: httpx.AsyncClient, check: dict[str, Any]
) -> None:
    del check["provider"]
    refused = await api.post("/api/v4/eligibility/", json=check)
    activity_id = refused.json()["meta"]["activity_id"]

    seen = (await api.get(f"/api/v4/activities/{activity_id}")).json()["data"]
    assert seen["state"]["name"] == "failed"
    assert "parameters" not in seen


async def test_by_polls_each_read_of_a_claim_is_one_step_and_a_list_is_none(
    make_app: Any, sign_in: Any, claim: dict[str, Any]
) -> None:
    states = []
    async with sign_in(make_app(advance="polls")) as api:
        claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
        for _ in range(8):
            await api.get("/api/v4/activities/")
            states.append((await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]["state"]["name"])

    assert states == [
        "generating",
        "stored",
        "transmitting",
        "waiting",
        "receiving",
        "processing",
        "completed",
        "completed",
    ]


async def test_by_polls_a_claim_that_nobody_read_can_be_canceled_however_late(
    make_app: Any, sign_in: Any, claim: dict[str, Any], clock: Any
) -> None:
    async with sign_in(make_app(advance="polls")) as api:
        claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
        clock.now += 3000
        response = await api.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})

    assert response.json()["data"]["state"]["name"] == "canceled"


@pytest.mark.parametrize("advance", ["clock", "polls", "at once"])
async def test_the_documented_activity_is_over_whatever_makes_activities_advance(
    make_app: Any, sign_in: Any, advance: str
) -> None:
    async with sign_in(make_app(advance=advance)) as api:
        body = (await api.get(f"/api/v4/activities/{WELL_KNOWN}")).json()

    assert body["data"]["state"]["name"] == "completed"


async def test_descending_the_newest_activity_comes_first(api: httpx.AsyncClient) -> None:
    await api.get("/api/v4/tradingpartners/MOCKPAYER")
    body = (await api.get("/api/v4/activities/", params={"dir": "descending"})).json()

    assert [entry["name"] for entry in body["data"]] == ["activities", "tradingpartners", "claims"]


async def test_another_application_sees_neither_the_activity_nor_the_payment_of_a_claim(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient], claim: dict[str, Any], clock: Any
) -> None:
    one, other = two_applications
    paid = claim | {"application_data": {"mock_claim_payment": True}}
    claim_id = (await one.post("/api/v4/claims/", json=paid)).json()["data"]["id"]
    canceled = await other.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})
    clock.now += 1000
    own, foreign = [(await client.get(f"/api/v4/activities/{claim_id}")) for client in (one, other)]
    listed = (await other.get("/api/v4/activities/")).json()
    payments = [(await client.get("/api/v4/payments/")).json()["data"] for client in (one, other)]
    made = payments[0][-1]["id"]

    assert (own.status_code, own.json()["data"]["state"]["name"]) == (200, "completed")
    assert (canceled.status_code, foreign.status_code) == (404, 404)
    assert foreign.json()["data"] == (await other.get(f"/api/v4/activities/{'0' * 24}")).json()["data"]
    assert claim_id not in [entry["id"] for entry in listed["data"]]
    assert listed["meta"]["result_count"] == len(listed["data"])
    assert [len(found) for found in payments] == [3, 2]
    assert (await one.get(f"/api/v4/payments/{made}/data")).status_code == 200
    assert (await other.get(f"/api/v4/payments/{made}/data")).status_code == 404


async def test_the_documented_activity_is_seen_by_every_application(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    for client in two_applications:
        assert (await client.get(f"/api/v4/activities/{WELL_KNOWN}")).status_code == 200
        assert (await client.get("/api/v4/activities/")).json()["data"][0]["id"] == WELL_KNOWN
