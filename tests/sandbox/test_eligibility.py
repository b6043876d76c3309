"""What the mock payer answers about a member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.checks import is_npi

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/eligibility/"
REQUIRED = ["This field is required."]


async def test_any_member_is_echoed_on_the_one_plan(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    body = (await api.post(URL, json=check)).json()

    data = body["data"]
    assert data["valid_request"] is True
    assert data["subscriber"].items() >= check["member"].items()
    assert data["payer"] == {"id": "MOCKPAYER", "name": "MOCK PAYER INC"}
    assert data["provider"]["last_name"] == "Orla Winterbourne"
    assert data["coverage"].keys() >= {"copay", "coinsurance", "deductibles", "out_of_pocket", "plan_number"}
    assert data["coverage"]["active"] is True
    assert data["coverage"]["service_date"] == "2023-11-14"
    assert data["coverage"]["plan_begin_date"] == "2023-01-01"
    assert data["summary"]["deductible"]["family"]["in_network"]["limit"] == {"amount": "5000", "currency": "USD"}
    assert body["meta"]["credits_billed"] == 1
    assert body["meta"]["credits_remaining"] == 9999


async def test_the_call_is_kept_as_an_activity_with_question_and_answer(
    api: httpx.AsyncClient, check: dict[str, Any]
) -> None:
    own = {"application_data": {"mine": 1}, "callback_url": "https://example.com/done"}
    answer = (await api.post(URL, json=check | own)).json()
    seen = (await api.get(f"/api/v4/activities/{answer['meta']['activity_id']}")).json()["data"]

    assert seen["result"] == answer["data"]
    assert seen["parameters"]["member"] == check["member"]
    assert not seen["parameters"].keys() & own.keys()
    assert seen["parameters"]["correlation_id"] == answer["data"]["correlation_id"]
    assert seen["transition_path"] == ["generate", "transmit", "wait", "receive", "process", "complete"]
    assert [entry["name"] for entry in seen["history"]][-1] == "processing"


@pytest.mark.parametrize(
    ("member", "valid", "reason", "action"),
    [
        ({"id": "W100000001", "birth_date": "1984-06-17"}, True, None, None),
        (
            {"id": "W100000001", "birth_date": "1984-06-18"},
            False,
            "patient_birth_date_mismatch",
            "correct_and_resubmit",
        ),
        ({"id": "W100000003"}, False, "subscriber_insured_not_found", "correct_and_resubmit"),
        ({"id": "W100000004"}, False, "unable_to_respond_now", "resubmission_allowed"),
    ],
)
async def test_listed_members_have_their_own_outcome(
    api: httpx.AsyncClient,
    check: dict[str, Any],
    member: dict[str, str],
    valid: bool,
    reason: str | None,
    action: str | None,
) -> None:
    response = await api.post(URL, json=check | {"member": member})

    data = response.json()["data"]
    assert response.status_code == 200
    assert (data["valid_request"], data.get("reject_reason"), data.get("follow_up_action")) == (valid, reason, action)


async def test_an_inactive_member_has_no_benefits(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    data = (await api.post(URL, json=check | {"member": {"id": "W100000002"}})).json()["data"]

    assert data["coverage"]["active"] is False
    assert not data["coverage"].keys() & {"copay", "deductibles"}


async def test_a_999_of_the_payer_is_not_billed(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    response = await api.post(URL, json=check | {"member": {"id": "W100000999"}})

    body = response.json()
    assert response.status_code == 422
    assert body["data"]["errors"]["parsing"]["transaction_set_acknowledgment_code"] == "R"
    assert body["meta"]["credits_billed"] == 0


async def test_a_lone_missing_trading_partner_id_answers_400(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    del check["trading_partner_id"]
    response = await api.post(URL, json=check)

    assert response.status_code == 400
    assert response.json()["data"]["errors"] == {"validation": {"trading_partner_id": REQUIRED}}


async def test_all_missing_fields_are_named_at_once_with_422(api: httpx.AsyncClient) -> None:
    response = await api.post(URL, json={})

    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"] == {
        "trading_partner_id": REQUIRED,
        "member": REQUIRED,
        "provider": REQUIRED,
    }


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"member": "canary"}, ["member"]),
        ({"member": {"id": "W1", "birth_date": "canary"}}, ["member", "birth_date"]),
        ({"member": {"first_name": "canary"}}, ["member", "id"]),
        ({"provider": {"npi": "1234567890"}}, ["provider", "npi"]),
        ({"provider": {"npi": 1234567893}}, ["provider", "npi"]),
        ({"service_types": {"canary": 1}}, ["service_types"]),
    ],
)
async def test_a_wrong_field_is_named_without_its_value(
    api: httpx.AsyncClient, check: dict[str, Any], change: dict[str, Any], place: list[str]
) -> None:
    response = await api.post(URL, json=check | change)

    assert response.status_code == 422
    found = response.json()["data"]["errors"]["validation"]
    for step in place:
        found = found[step]
    assert isinstance(found, list)
    assert "canary" not in response.text


@pytest.mark.parametrize("content", [b"", b"not json", b'"text"', b"[]", b'{"member": NaN}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_answers_422(api: httpx.AsyncClient, content: bytes) -> None:
    response = await api.post(URL, content=content)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]) == ["validation"]


async def test_an_unknown_partner_is_an_error_of_the_query(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    response = await api.post(URL, json=check | {"trading_partner_id": "nobody"})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]) == ["query"]


async def test_a_partner_without_real_time_service_answers_500_general(
    api: httpx.AsyncClient, check: dict[str, Any]
) -> None:
    response = await api.post(URL, json=check | {"trading_partner_id": "claims_only_mutual"})

    assert response.status_code == 500
    assert list(response.json()["data"]["errors"]) == ["general"]
    assert response.headers["x-sandbox-evidence"] == "recorded"


@pytest.mark.parametrize(
    ("change", "reason", "action"),
    [
        ({"id": "W100000009"}, "invalid_subscriber_insured_name", "correct_and_resubmit"),
        ({"id": "W100000006"}, "invalid_date_of_service", "correct_and_resubmit"),
        ({"id": "W100000007"}, "invalid_subscriber_insured_id", "correct_and_resubmit"),
    ],
)
async def test_members_are_rejected_for_reasons_of_their_own(
    api: httpx.AsyncClient, check: dict[str, Any], change: dict[str, str], reason: str, action: str
) -> None:
    data = (await api.post(URL, json=check | {"member": {"id": "W100000001"} | change})).json()["data"]

    assert (data["valid_request"], data["reject_reason"], data["follow_up_action"]) == (False, reason, action)


async def test_several_rejections_are_listed_with_the_subscriber(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    data = (await api.post(URL, json=check | {"member": {"id": "W100000006"}})).json()["data"]

    assert [one["reject_reason"] for one in data["subscriber"]["rejections"]] == [
        "invalid_date_of_service",
        "death_precedes_date_of_service",
    ]
    assert "rejections" not in data


@pytest.mark.parametrize(
    ("npi", "reason"),
    [("1999999992", "provider_not_on_file"), ("1888888884", "provider_ineligible_for_inquiries")],
)
async def test_listed_providers_are_refused_an_answer(
    api: httpx.AsyncClient, check: dict[str, Any], npi: str, reason: str
) -> None:
    check["provider"]["npi"] = npi

    assert (await api.post(URL, json=check)).json()["data"]["reject_reason"] == reason


@pytest.mark.parametrize(
    ("first_name", "birth_date", "relationship", "active"),
    [("Juno", "2012-03-08", "child", True), ("Odile", "1981-12-30", "spouse", False)],
)
async def test_a_dependent_is_told_apart_from_the_subscriber(
    api: httpx.AsyncClient,
    check: dict[str, Any],
    first_name: str,
    birth_date: str,
    relationship: str,
    active: bool,
) -> None:
    member = {"id": "W100000005", "first_name": first_name, "last_name": "Thistlewood", "birth_date": birth_date}
    data = (await api.post(URL, json=check | {"member": member})).json()["data"]

    assert data["subscriber"]["first_name"] == "Barnaby"
    assert (data["dependent"]["first_name"], data["dependent"]["relationship"]) == (first_name, relationship)
    assert data["coverage"]["active"] is active


async def test_a_listed_member_is_found_without_an_id(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    member = {"first_name": "Jorah", "last_name": "Penhallow", "birth_date": "1971-11-03"}
    data = (await api.post(URL, json=check | {"member": member})).json()["data"]

    assert (data["subscriber"]["id"], data["coverage"]["active"]) == ("W100000002", False)


@pytest.mark.parametrize(
    ("payer", "member", "missing"),
    [
        ("aetna", {"id": "W1", "birth_date": "1966-04-30"}, None),
        ("aetna", {"first_name": "A", "last_name": "B", "birth_date": "1966-04-30"}, None),
        ("aetna", {"id": "W1"}, ["birth_date"]),
        ("aetna", {"last_name": "B"}, ["id", "birth_date"]),
        (
            "dover_plains_benefit_administrators",
            {"id": "W1", "first_name": "A", "last_name": "B", "birth_date": "1966-04-30"},
            ["gender"],
        ),
        ("MOCKPAYER", {"id": "W1"}, None),
    ],
)
async def test_a_member_must_be_findable_by_a_search_option_of_the_partner(
    api: httpx.AsyncClient, check: dict[str, Any], payer: str, member: dict[str, str], missing: list[str] | None
) -> None:
    response = await api.post(URL, json=check | {"trading_partner_id": payer, "member": member})

    if missing is None:
        assert response.status_code == 200
    else:
        assert response.status_code == 422
        found = response.json()["data"]["errors"]["validation"]["member"]
        assert sorted(found) == sorted(missing)


async def test_another_partner_answers_about_what_was_asked(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    asked = check | {"trading_partner_id": "aetna", "service_types": ["vision_optometry"]}
    data = (await api.post(URL, json=asked)).json()["data"]

    assert (data["service_types"], data["service_type_codes"]) == (["vision_optometry"], ["AL"])
    assert data["coverage"]["copay"] == []
    assert data["coverage"]["deductibles"] != []


async def test_a_partner_that_answers_no_procedures_says_so(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    there = (await api.post(URL, json=check | {"trading_partner_id": "aetna", "cpt_code": "81291"})).json()["data"]
    here = (await api.post(URL, json=check | {"cpt_code": "81291"})).json()["data"]

    assert (there["valid_request"], there["follow_up_action"]) == (False, "resubmission_not_allowed")
    assert here["valid_request"] is True


async def test_medicare_tells_of_part_d(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    data = (await api.post(URL, json=check | {"trading_partner_id": "medicare_national"})).json()["data"]

    assert data["pharmacy"]["is_eligible"] is True
    assert data["coverage"]["insurance_type"] == "medicare_part_b"


async def test_asked_to_answer_later_it_gives_the_activity_that_will_have_the_answer(
    api: httpx.AsyncClient, check: dict[str, Any], clock: Any
) -> None:
    activity = (await api.post(URL, json=check | {"async": True})).json()["data"]
    assert (activity["name"], activity["state"]["name"]) == ("eligibility", "generating")
    assert "result" not in activity
    clock.now += 3

    seen = (await api.get(f"/api/v4/activities/{activity['id']}")).json()["data"]
    assert (seen["state"]["name"], seen["result"]["valid_request"]) == ("completed", True)


async def test_the_constants_name_each_service_type_with_its_code(api: httpx.AsyncClient) -> None:
    constants = (await api.get("/api/v4/eligibility/constants")).json()["data"]["service_types"]

    assert {"name": "health_benefit_plan_coverage", "code": "30"} in constants
    assert len(constants) > 200


@pytest.mark.parametrize(
    ("text", "right"),
    [("1234567893", True), ("1234567893 ", True), ("1234567890", False), ("123456789", False), ("١٢٣٤٥٦٧٨٩٣", False)],
)
def test_an_npi_has_ten_digits_and_a_right_check_digit(text: str, right: bool) -> None:
    assert is_npi(text) is right
