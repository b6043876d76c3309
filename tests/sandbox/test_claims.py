"""A claim becomes an activity, and the payer answers by the clock."""

from __future__ import annotations

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


async def test_callbacks_are_said_not_to_be_posted(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    response = await api.post(URL, json=claim | {"callback_url": "https://example.com/done"})

    assert response.headers["x-sandbox-warning"] == "/callback_url: this sandbox posts no callbacks"
    assert response.json()["data"]["callback_url"] == "https://example.com/done"
