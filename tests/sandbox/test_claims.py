"""A claim becomes an activity, and the payer answers by the clock."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/claims/"
PATH = ["schedule", "generate", "store", "transmit", "wait", "receive", "process", "complete"]


async def test_a_claim_is_answered_at_once_as_recorded(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    body = (await api.post(URL, json=claim)).json()

    data = body["data"]
    assert data["id"] == body["meta"]["activity_id"]
    assert data["state"]["name"] == "scheduled"
    assert [entry["name"] for entry in data["history"]] == ["init"]
    assert (data["transition_path"], data["remaining_transitions"]) == (PATH, PATH[1:])
    assert "result" not in data
    assert body["meta"]["credits_billed"] == 1


async def test_the_echo_is_completed_and_numbers_become_text(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    claim["payer"] = {"organization_name": "Somebody Else", "plan_id": "1"}
    claim["application_data"] = {"mine": 1}
    echo = (await api.post(URL, json=claim)).json()["data"]["parameters"]

    assert echo["claim"]["total_charge_amount"] == "60.0"
    line = echo["claim"]["service_lines"][0]
    assert (line["charge_amount"], line["unit_count"], line["unit_type"]) == ("60.0", "1.0", "units")
    assert echo["claim"]["place_of_service"] == "office"
    assert echo["subscriber"]["payer_responsibility"] == "primary"
    assert echo["payer"] == {"organization_name": "MOCKPAYER", "id": "MOCKPAYER"}
    assert echo.keys() >= {"client_id", "correlation_id", "receiver", "submitter", "async"}
    assert "application_data" not in echo


async def test_a_claim_stays_scheduled_for_five_minutes_and_is_then_accepted(
    api: httpx.AsyncClient, claim: dict[str, Any], clock: Any
) -> None:
    claim_id = (await api.post(URL, json=claim)).json()["data"]["id"]
    states = []
    for seconds in (0, 299, 1, 15, 15, 15, 45, 15, 15):
        clock.now += seconds
        states.append((await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]["state"]["name"])
    assert states == [
        "scheduled",
        "scheduled",
        "generating",
        "stored",
        "transmitting",
        "waiting",
        "receiving",
        "processing",
        "completed",
    ]

    seen = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    assert seen["tracking_description"] == "acknowledged"
    status = seen["result"]["patient"]["claim_level_info"]["statuses"][0]
    assert (status["action"], status["status_category_code"]) == ("accept", "A1")
    assert status["total_claim_amount"] == {"amount": "60.0", "currency": "USD"}
    assert seen["result"]["providers"][0]["organization_name"] == "Heron Clinic"


@pytest.mark.parametrize(
    ("where", "value", "code"),
    [
        ("member_id", "00001234", "187"),
        ("member_id", "00009999", "158"),
        ("patient", "00009999", "158"),
        ("diagnosis_codes", "I69.91", "255"),
        ("diagnosis_codes", "I11.945", "255"),
    ],
)
async def test_trigger_values_have_a_claim_rejected(
    api: httpx.AsyncClient, claim: dict[str, Any], clock: Any, where: str, value: str, code: str
) -> None:
    if where == "diagnosis_codes":
        claim["claim"]["service_lines"][0]["diagnosis_codes"] = ["J10.1", value]
    elif where == "patient":
        claim["patient"] = {"member_id": value, "first_name": "Wren", "last_name": "Moss", "relationship": "child"}
    else:
        claim["subscriber"]["member_id"] = value
    claim_id = (await api.post(URL, json=claim)).json()["data"]["id"]
    clock.now += 420

    seen = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    assert (seen["state"]["name"], seen["tracking_description"]) == ("rejected", "rejected")
    status = seen["result"]["submitter"]["statuses"][0]
    assert (status["action"], status["status_code_value"]) == ("reject", code)
    assert seen["result"]["submitter"]["rejected_quantity"] == "1"


async def test_triggers_belong_to_the_mock_payer(api: httpx.AsyncClient, claim: dict[str, Any], clock: Any) -> None:
    claim["subscriber"]["member_id"] = "00001234"
    answer = await api.post(URL, json=claim | {"trading_partner_id": "aetna"})
    clock.now += 420

    seen = (await api.get(f"/api/v4/activities/{answer.json()['data']['id']}")).json()["data"]
    assert seen["state"]["name"] == "completed"
    assert seen["parameters"]["payer"] == {"organization_name": "Aetna", "id": "aetna"}


@pytest.mark.parametrize("wrong", ["sixty", "NaN", "1e999", ""])
async def test_an_amount_that_is_no_number_is_refused(
    api: httpx.AsyncClient, claim: dict[str, Any], wrong: str
) -> None:
    claim["claim"]["total_charge_amount"] = wrong
    claim["claim"]["service_lines"][0]["unit_count"] = wrong
    response = await api.post(URL, json=claim)

    assert response.status_code == 422
    found = response.json()["data"]["errors"]["validation"]["claim"]
    assert found.keys() == {"total_charge_amount", "service_lines"}
    assert found["service_lines"]["0"].keys() == {"unit_count"}


async def test_without_a_total_the_lines_are_added_up(
    api: httpx.AsyncClient, claim: dict[str, Any], clock: Any
) -> None:
    del claim["claim"]["total_charge_amount"]
    claim["claim"]["service_lines"] *= 2
    claim_id = (await api.post(URL, json=claim)).json()["data"]["id"]
    clock.now += 420

    seen = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    assert seen["result"]["submitter"]["amount_in_process"]["amount"] == "120.0"


@pytest.mark.parametrize("partner", ["nobody", "medicare_national"])
async def test_a_partner_that_takes_no_claims_is_an_error_of_the_query(
    api: httpx.AsyncClient, claim: dict[str, Any], partner: str
) -> None:
    response = await api.post(URL, json=claim | {"trading_partner_id": partner})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]) == ["query"]


async def test_missing_fields_are_named_where_they_belong(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    del claim["claim"]["service_lines"][0]["procedure_code"]
    del claim["subscriber"]["last_name"]
    response = await api.post(URL, json=claim)

    required = ["This field is required."]
    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"] == {
        "subscriber": {"last_name": required},
        "claim": {"service_lines": {"0": {"procedure_code": required}}},
    }


@pytest.mark.parametrize(
    ("member", "paid", "patient", "tracking", "status"),
    [
        ("W555000111", "51.00", "6.00", "paid", "processed_as_primary"),
        ("W200000001", "60.00", "0.00", "paid_in_full", "processed_as_primary"),
        ("W200000002", "24.00", "15.00", "paid", "processed_as_primary"),
        ("W200000003", "0.00", "60.00", "adjudicated_not_paid", "processed_as_primary"),
        ("W200000004", "0.00", "0.00", "denied", "denied"),
    ],
)
async def test_a_mock_payment_follows_the_acknowledgement(
    api: httpx.AsyncClient,
    claim: dict[str, Any],
    clock: Any,
    member: str,
    paid: str,
    patient: str,
    tracking: str,
    status: str,
) -> None:
    claim["subscriber"]["member_id"] = member
    claim["application_data"] = {"mock_claim_payment": True}
    claim_id = (await api.post(URL, json=claim)).json()["data"]["id"]
    clock.now += 420
    before = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    clock.now += 30
    after = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]

    assert "payment_id" not in before
    assert (after["tracking_description"], after["state"]["name"]) == (tracking, "completed")
    (told,) = after["result"]["claim_payments"]
    assert (told["payment_amount"]["amount"], told["patient_responsibility_amount"]["amount"]) == (paid, patient)
    assert told["status"] == status
    assert after["result_history"][0]["result"] == before["result"]


async def test_a_rejected_claim_is_never_paid(api: httpx.AsyncClient, claim: dict[str, Any], clock: Any) -> None:
    claim["subscriber"]["member_id"] = "00001234"
    claim["application_data"] = {"mock_claim_payment": True}
    claim_id = (await api.post(URL, json=claim)).json()["data"]["id"]
    clock.now += 3000

    seen = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    assert (seen["tracking_description"], "payment_id" in seen) == ("rejected", False)


async def test_what_is_paid_and_held_back_adds_up_to_the_charge_whatever_is_rounded(
    api: httpx.AsyncClient, claim: dict[str, Any], clock: Any
) -> None:
    for cents in ("0.01", "0.03", "33.33", "1.11"):
        claim["claim"]["service_lines"][0]["charge_amount"] = cents
        claim["claim"]["total_charge_amount"] = cents
        claim["application_data"] = {"mock_claim_payment": True}
        claim_id = (await api.post(URL, json=claim)).json()["data"]["id"]
        clock.now += 450
        line = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]["result"]["claim_payments"][0][
            "services"
        ][0]
        held = sum(Decimal(adjustment["amount"]["amount"]) for adjustment in line["adjustments"])
        assert Decimal(line["provider_payment_amount"]["amount"]) + held == Decimal(cents)
