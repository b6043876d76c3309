"""Batch files: one activity for the file, a child for each request in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/files/"
SAMPLES = Path(__file__).parent / "x12"


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


async def upload(api: httpx.AsyncClient, text: str, partner: str = "MOCKPAYER") -> httpx.Response:
    file = {"file": ("batch", text.encode(), "application/EDI-X12")}
    return await api.post(URL, files=file, data={"trading_partner_id": partner})


async def children(api: httpx.AsyncClient, parent: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/api/v4/activities/", params={"parent_id": parent})).json()["data"]
    return found


async def test_a_file_is_taken_as_recorded(api: httpx.AsyncClient) -> None:
    response = await upload(api, sample("eligibility.270"))

    activity = response.json()["data"]
    assert (activity["name"], activity["state"]["name"]) == ("batch file", "queued")
    assert [entry["name"] for entry in activity["history"]] == ["init", "stored"]
    assert activity["transition_path"] == ["store", "queue", "process", "complete"]
    assert activity["remaining_transitions"] == ["process", "complete"]
    assert (activity["units_of_work"], activity["trading_partner_id"]) == (1, "MOCKPAYER")
    assert response.json()["meta"]["credits_billed"] == 1


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("eligibility.270", "eligibility", 2),
        ("status.276", "claims_status", 1),
        ("review.278", "authorizations", 1),
        ("enrollment.834", "enrollment", 2),
        ("claims.837", "claims", 2),
    ],
)
async def test_each_request_in_a_file_is_a_child_that_ends_by_itself(
    api: httpx.AsyncClient, clock: Any, name: str, kind: str, count: int
) -> None:
    parent = (await upload(api, sample(name))).json()["data"]["id"]
    assert all(child["state"]["name"] != "completed" for child in await children(api, parent))
    clock.now += 420

    found = await children(api, parent)
    assert [child["name"] for child in found] == [kind] * count
    assert {child["state"]["name"] for child in found} == {"completed"}
    assert {child["parent_id"] for child in found} == {parent}
    assert (await api.get(f"/api/v4/activities/{parent}")).json()["data"]["state"]["name"] == "completed"


async def test_each_question_of_a_270_has_its_own_answer(api: httpx.AsyncClient, clock: Any) -> None:
    parent = (await upload(api, sample("eligibility.270"))).json()["data"]["id"]
    clock.now += 3

    results = [child["result"] for child in await children(api, parent)]
    assert [one["subscriber"]["id"] for one in results] == ["W555000111", "W100000002"]
    assert [one["coverage"]["active"] for one in results] == [True, False]


async def test_a_file_without_a_level_for_its_questions_is_one_question(api: httpx.AsyncClient) -> None:
    text = sample("eligibility.270").replace("HL*3*2*22*0~", "HL*3*2*23*0~").replace("HL*4*2*22*0~", "HL*4*2*23*0~")
    parent = (await upload(api, text)).json()["data"]["id"]

    assert len(await children(api, parent)) == 1


async def test_a_request_that_the_rules_refuse_is_a_failed_child(api: httpx.AsyncClient) -> None:
    text = sample("eligibility.270").replace("XX*1234567893", "XX*1234567890")
    parent = (await upload(api, text)).json()["data"]["id"]

    assert [child["state"]["name"] for child in await children(api, parent)] == ["failed", "failed"]


@pytest.mark.parametrize("media_type", ["application/edi-x12", "text/plain", "application/octet-stream"])
async def test_a_bare_file_names_its_partner_inside(api: httpx.AsyncClient, media_type: str) -> None:
    headers = {"content-type": media_type}
    response = await api.post(URL, content=sample("eligibility.270"), headers=headers)

    assert response.json()["data"]["trading_partner_id"] == "MOCKPAYER"


@pytest.mark.parametrize(
    ("text", "partner", "errors"),
    [
        ("no x12", "MOCKPAYER", "validation"),
        (sample("eligibility.270"), "nobody", "query"),
        (sample("eligibility.270").replace("SE*17*", "SE*1*"), "MOCKPAYER", "parsing"),
        (sample("eligibility.270").replace("ST*270", "ST*820"), "MOCKPAYER", "parsing"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused_and_has_no_children(
    api: httpx.AsyncClient, text: str, partner: str, errors: str
) -> None:
    response = await upload(api, text, partner)

    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, [errors])
    assert await children(api, response.json()["meta"]["activity_id"]) == []


async def test_a_file_of_too_many_requests_is_refused(api: httpx.AsyncClient) -> None:
    first, rest = sample("claims.837").split("CLM*HERON5B", 1)
    claim, end = f"CLM*HERON5B{rest.split('SE*')[0]}", "SE*41*0021~\nGE*1*21~\nIEA*1*000000021~\n"
    many = f"{first}{claim * 1000}{end}"
    count = many.split("ST*837")[1].count("~") - 2
    response = await upload(api, many.replace("SE*41*", f"SE*{count}*"))

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["file"]


async def test_the_children_of_a_batch_belong_to_the_application_that_sent_it(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    one, other = two_applications
    file = {"file": ("sample.270", (SAMPLES / "eligibility.270").read_bytes())}
    sent = await one.post(URL, files=file, data={"trading_partner_id": "MOCKPAYER"})
    parent = {"parent_id": sent.json()["data"]["id"]}
    (child, *_) = (await one.get("/api/v4/activities/", params=parent)).json()["data"]

    assert (await other.get("/api/v4/activities/", params=parent)).json()["data"] == []
    assert (await other.get(f"/api/v4/activities/{child['id']}")).status_code == 404
