"""What payers know of a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/claims/status"


@pytest.fixture
def question() -> dict[str, Any]:
    """A question about the claim of the fixture claim."""
    return {
        "trading_partner_id": "MOCKPAYER",
        "patient": {"id": "W555000111", "first_name": "Perdita", "last_name": "Moss", "birth_date": "1966-04-30"},
        "provider": {"organization_name": "Heron Clinic", "npi": "1234567893"},
        "service_date": "2023-11-10",
    }


async def found(api: httpx.AsyncClient, question: dict[str, Any]) -> list[dict[str, Any]]:
    response = await api.post(URL, json=question)
    assert response.status_code == 200, response.text
    claims: list[dict[str, Any]] = response.json()["data"]["patient"]["claims"]
    return claims


def category(claim: dict[str, Any]) -> str:
    code: str = claim["statuses"][0]["status_category_code"]
    return code


async def test_about_a_claim_nobody_sent_here_the_mock_payer_tells_its_one_paid_claim(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    (claim,) = await found(api, question | {"service_end_date": "2023-11-12"})

    assert (category(claim), claim["claim_payment_amount"]["amount"]) == ("F1", "145")
    assert (claim["service_date"], claim["service_end_date"]) == ("2023-11-10", "2023-11-12")
    assert claim["services"][0]["cpt_code"] == "99214"


@pytest.mark.parametrize(
    ("member", "code", "deductible"),
    [
        ("W300000001", "A4", False),
        ("W300000002", "F2", False),
        ("W300000003", "F2", True),
        ("W300000004", "P1", False),
    ],
)
async def test_listed_members_have_claims_of_their_own(
    api: httpx.AsyncClient, question: dict[str, Any], member: str, code: str, deductible: bool
) -> None:
    question["patient"]["id"] = member
    (claim,) = await found(api, question)

    assert (category(claim), claim["applied_to_deductible"]) == (code, deductible)


async def test_other_partners_know_nothing_of_claims_nobody_sent(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    (claim,) = await found(api, question | {"trading_partner_id": "aetna"})

    assert (category(claim), claim["claim_control_number"]) == ("A4", "NOT APPLICABLE")


async def test_an_unknown_provider_is_told_instead_of_a_patient(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    question["provider"]["npi"] = "1777777776"
    data = (await api.post(URL, json=question)).json()["data"]

    assert data["providers"][0]["statuses"][0]["status_category_code"] == "D0"
    assert "patient" not in data


async def test_a_wrong_npi_is_refused_by_name(api: httpx.AsyncClient, question: dict[str, Any]) -> None:
    question["provider"]["npi"] = "1234567890"
    response = await api.post(URL, json=question)

    assert response.status_code == 422
    assert response.json()["data"]["errors"] == {"validation": {"provider": {"npi": ["Not a valid NPI."]}}}


async def test_a_claim_sent_here_is_followed_from_unknown_to_paid(
    api: httpx.AsyncClient, claim: dict[str, Any], question: dict[str, Any], clock: Any
) -> None:
    claim["application_data"] = {"mock_claim_payment": True}
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    seen = []
    for seconds in (0, 420, 30):
        clock.now += seconds
        (told,) = await found(api, question)
        seen.append((category(told), told["claim_payment_amount"]["amount"]))

    assert seen == [("A4", "0"), ("A2", "0"), ("F1", "51.00")]
    assert told["tracking_id"] == claim_id.upper()
    assert told["services"][0]["charge_amount"]["amount"] == "60.00"


async def test_a_claim_that_was_rejected_or_denied_is_told_as_such(
    api: httpx.AsyncClient, claim: dict[str, Any], question: dict[str, Any], clock: Any
) -> None:
    codes = []
    for member in ("00001234", "W200000004"):
        claim["subscriber"]["member_id"] = question["patient"]["id"] = member
        claim["application_data"] = {"mock_claim_payment": True}
        await api.post("/api/v4/claims/", json=claim)
        clock.now += 450
        codes += [category(told) for told in await found(api, question)]

    assert codes == ["A3", "F2"]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 2),
        ({"claim_charge_amount": "60.00"}, 1),
        ({"service_date": "2023-11-01", "service_end_date": "2023-11-30"}, 2),
    ],
)
async def test_all_claims_that_fit_are_told(
    api: httpx.AsyncClient,
    claim: dict[str, Any],
    question: dict[str, Any],
    clock: Any,
    change: dict[str, str],
    count: int,
) -> None:
    for amount in (60, 75):
        claim["claim"]["total_charge_amount"] = amount
        await api.post("/api/v4/claims/", json=claim)
    clock.now += 420

    assert [category(told) for told in await found(api, question | change)] == ["A2"] * count


async def test_a_tracking_id_finds_its_claim_alone(api: httpx.AsyncClient, claim: dict[str, Any], clock: Any) -> None:
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    clock.now += 420
    (told,) = await found(api, {"trading_partner_id": "MOCKPAYER", "tracking_id": claim_id.upper()})

    assert category(told) == "A2"


async def test_a_canceled_claim_is_not_found(
    api: httpx.AsyncClient, claim: dict[str, Any], question: dict[str, Any], clock: Any
) -> None:
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    await api.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})
    clock.now += 420

    assert [category(told) for told in await found(api, question)] == ["A4"]


async def test_a_status_asked_for_an_activity_joins_its_history(
    api: httpx.AsyncClient, claim: dict[str, Any], question: dict[str, Any], clock: Any
) -> None:
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    clock.now += 420
    told = (await api.post(URL, json=question | {"claims_activity_id": claim_id})).json()["data"]
    seen = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    strange = await api.post(URL, json=question | {"claims_activity_id": "0" * 24})

    assert [entry["result"] for entry in seen["result_history"]][1] == told
    assert seen["result"] == told
    assert strange.headers["x-sandbox-warning"] == "/claims_activity_id: no claim has this activity"


@pytest.mark.parametrize("missing", ["patient", "provider", "service_date"])
async def test_without_a_tracking_id_the_claim_must_be_described(
    api: httpx.AsyncClient, question: dict[str, Any], missing: str
) -> None:
    del question[missing]
    response = await api.post(URL, json=question)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [missing]


async def test_a_partner_without_claim_status_answers_500_general(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    response = await api.post(URL, json=question | {"trading_partner_id": "claims_only_mutual"})

    assert (response.status_code, list(response.json()["data"]["errors"])) == (500, ["general"])


async def test_another_application_cannot_ask_about_a_claim_in_any_way(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient],
    claim: dict[str, Any],
    question: dict[str, Any],
    clock: Any,
) -> None:
    one, other = two_applications
    claim_id = (await one.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    clock.now += 1000
    tracking = {"trading_partner_id": "MOCKPAYER", "tracking_id": claim_id}
    ways = [question, tracking, question | {"claims_activity_id": claim_id}]
    told = [[(await client.post(URL, json=way)).text for way in ways] for client in (one, other)]

    assert [[claim_id.upper() in answer for answer in answers] for answers in told] == [[True] * 3, [False] * 3]
