"""Authorizations and referrals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

AUTHORIZATIONS = "/api/v4/authorizations/"
REFERRALS = "/api/v4/referrals/"


@pytest.fixture
def review() -> dict[str, Any]:
    """A request for an authorization."""
    return {
        "trading_partner_id": "MOCKPAYER",
        "event": {
            "category": "health_services_review",
            "certification_type": "initial",
            "type": "diagnostic_medical",
            "place_of_service": "office",
            "delivery": {"quantity": 1, "quantity_qualifier": "visits"},
            "diagnoses": [{"code": "R10.9", "date": "2023-11-01"}],
            "services": [{"cpt_code": "76700", "measurement": "unit", "quantity": 1}],
            "provider": {"organization_name": "Lantern Imaging", "npi": "1234567893", "phone": "5035550111"},
        },
        "patient": {"id": "W555000111", "first_name": "Perdita", "last_name": "Moss", "birth_date": "1966-04-30"},
        "provider": {"first_name": "Orla", "last_name": "Winterbourne", "npi": "1234567893"},
    }


async def test_the_mock_payer_certifies_everything_as_recorded(api: httpx.AsyncClient, review: dict[str, Any]) -> None:
    data = (await api.post(AUTHORIZATIONS, json=review)).json()["data"]

    assert data["event"]["review"] == {
        "certification_action": "certified_in_total",
        "certification_number": "AUTH0001",
        "second_surgical_opinion_required": False,
    }
    assert (data["valid_request"], data["async"]) == (True, False)
    assert data["provider"] == {"first_name": "Orla", "last_name": "Winterbourne", "tax_id": "1234567893"}
    assert data["event"]["provider"] == {"organization_name": "Lantern Imaging", "tax_id": "1234567893"}
    assert data["patient"] == {"id": "W555000111", "first_name": "Perdita", "last_name": "Moss"}
    assert "services" not in data["event"]
    assert data["event"]["diagnoses"] != review["event"]["diagnoses"]


async def test_another_partner_keeps_what_was_sent_and_numbers_what_it_certifies(
    api: httpx.AsyncClient, review: dict[str, Any]
) -> None:
    review["trading_partner_id"] = "aetna"
    first, second = [(await api.post(AUTHORIZATIONS, json=review)).json()["data"] for _ in range(2)]

    assert {**first["event"], "review": None} == {**review["event"], "review": None}
    numbers = [one["event"]["review"]["certification_number"] for one in (first, second)]
    assert numbers == ["AUTH0002", "AUTH0003"]


@pytest.mark.parametrize(
    ("member", "action", "numbered"),
    [
        ("W400000001", "not_certified", False),
        ("W400000002", "pended", False),
        ("W400000003", "certified_partial", True),
        ("W400000004", "no_action_required", False),
    ],
)
async def test_listed_members_get_decisions_of_their_own(
    api: httpx.AsyncClient, review: dict[str, Any], member: str, action: str, numbered: bool
) -> None:
    review["patient"]["id"] = member
    decided = (await api.post(AUTHORIZATIONS, json=review)).json()["data"]["event"]["review"]

    assert (decided["certification_action"], "certification_number" in decided) == (action, numbered)


@pytest.mark.parametrize(
    ("member", "place", "reason"),
    [
        ("W400000005", "patient", "subscriber_insured_not_found"),
        ("W400000006", "provider", "invalid_provider_phone_number"),
        ("W400000007", "event", "required_application_data_missing"),
    ],
)
async def test_a_rejection_stands_where_it_belongs_and_on_top(
    api: httpx.AsyncClient, review: dict[str, Any], member: str, place: str, reason: str
) -> None:
    review["patient"]["id"] = member
    data = (await api.post(AUTHORIZATIONS, json=review)).json()["data"]

    assert (data["valid_request"], data["reject_reason"]) == (False, reason)
    assert data[place]["rejections"][0]["reason"] == reason
    assert "review" not in data["event"]


async def test_a_referral_of_another_category_is_answered_and_warned_of(
    api: httpx.AsyncClient, review: dict[str, Any]
) -> None:
    strange = await api.post(REFERRALS, json=review)
    review["event"]["category"] = "specialty_care_review"
    right = await api.post(REFERRALS, json=review)

    assert "/event/category" in strange.headers["x-sandbox-warning"]
    assert "x-sandbox-warning" not in right.headers
    assert right.json()["data"]["event"]["review"]["certification_action"] == "certified_in_total"


async def test_an_end_needs_a_beginning(api: httpx.AsyncClient, review: dict[str, Any]) -> None:
    review["event"]["end_date"] = "2023-12-01"
    response = await api.post(AUTHORIZATIONS, json=review)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]["event"]) == ["end_date"]


async def test_a_decision_may_come_later(api: httpx.AsyncClient, review: dict[str, Any], clock: Any) -> None:
    activity = (await api.post(AUTHORIZATIONS, json=review | {"async": True})).json()["data"]
    clock.now += 3
    seen = (await api.get(f"/api/v4/activities/{activity['id']}")).json()["data"]

    assert seen["result"]["event"]["review"]["certification_number"] == "AUTH0001"
