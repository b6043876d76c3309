"""Drug plans, formularies, networks and real-time coverage."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

PARTNER = {"trading_partner_id": "medicare_national"}
PLAN = {**PARTNER, "plan_number": "S5820003"}
PLANS, FORMULARY = "/api/v4/pharmacy/plans", "/api/v4/pharmacy/formulary"
NETWORK, COVERAGE = "/api/v4/pharmacy/network", "/api/v4/pharmacy/coverage/"


async def listed(api: httpx.AsyncClient, url: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    response = await api.get(url, params=query)
    assert response.status_code == 200, response.text
    entries: list[dict[str, Any]] = response.json()["data"]
    return entries


async def test_a_plan_is_found_by_number_name_and_postal_code(api: httpx.AsyncClient) -> None:
    (plan,) = await listed(api, PLANS, PLAN)

    assert plan["plan_name"] == "Heron Script Preferred (PDP)"
    assert plan["premium"] == {"amount": "65.80", "currency": "USD"}
    assert plan["retail"]["tier_three_30_day_copay"] == {"amount": "35.00", "currency": "USD"}
    assert plan["retail"]["tier_four_30_day_coins"] == "0.4"
    assert await listed(api, PLANS, {**PARTNER, "plan_name": "heron script"}) == [plan]
    assert plan in await listed(api, PLANS, {**PARTNER, "zipcode": "29412"})
    assert await listed(api, PLANS, {**PLAN, "zipcode": "98101"}) == []
    assert await listed(api, PLANS, {**PLAN, "trading_partner_id": "MOCKPAYER"}) == []


@pytest.mark.parametrize("url", [PLANS, FORMULARY])
async def test_without_a_plan_a_question_is_refused(api: httpx.AsyncClient, url: str) -> None:
    response = await api.get(url, params={**PARTNER, "drug": "simvastatin"})

    assert response.status_code == 422
    assert {"plan_number", "plan_name"} <= response.json()["data"]["errors"]["validation"].keys()


async def test_a_formulary_without_a_drug_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.get(FORMULARY, params=PLAN)

    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"].keys() == {"drug", "drug_class", "ndc", "rxcui"}


async def test_what_a_member_and_the_insurer_pay_adds_up_and_never_exceeds_the_price(api: httpx.AsyncClient) -> None:
    drugs = await listed(api, FORMULARY, {**PLAN, "drug": "simvastatin"})
    costs = {drug["drug"]: drug["retail"] for drug in drugs}

    assert costs["SIMVASTATIN 10 MG TABLET"]["oop_30_day"]["amount"] == "4.00"
    # documented: a copay above the price is the price
    assert costs["SIMVASTATIN 40 MG TABLET"]["oop_30_day"]["amount"] == "2.60"
    for cost in costs.values():
        own, insurer = Decimal(cost["oop_30_day"]["amount"]), Decimal(cost["ins_pay_30_day"]["amount"])
        assert own + insurer == Decimal(cost["total_cost_30_day"]["amount"])


@pytest.mark.parametrize(
    ("query", "drug"),
    [
        ({"drug": "inhaler albuterol"}, "ALBUTEROL 90 MCG INHALER"),
        ({"ndc": "59310057922"}, "ALBUTEROL 90 MCG INHALER"),
        ({"ndc": "59310-579-22"}, "ALBUTEROL 90 MCG INHALER"),
        ({"rxcui": "314231"}, "SIMVASTATIN 10 MG TABLET"),
        ({"drug_class": "Anticoagulants"}, "VESPERIL 40 MG TABLET"),
    ],
)
async def test_a_drug_is_found_by_words_and_by_codes(api: httpx.AsyncClient, query: dict[str, str], drug: str) -> None:
    (found,) = await listed(api, FORMULARY, {**PLAN, **query})

    assert found["drug"] == drug
    assert await listed(api, FORMULARY, {**PLAN, "drug_class": "Anticoag"}) == []


async def test_a_drug_that_a_plan_leaves_out_is_not_in_its_formulary(api: httpx.AsyncClient) -> None:
    query = {**PARTNER, "drug": "merrowal"}

    assert len(await listed(api, FORMULARY, {**query, "plan_number": "S5820003"})) == 1
    assert await listed(api, FORMULARY, {**query, "plan_number": "H9000026"}) == []


async def test_the_plan_comes_along_when_asked_for_and_limits_are_told(api: httpx.AsyncClient) -> None:
    (drug,) = await listed(api, FORMULARY, {**PLAN, "drug": "quillora", "include_plans": "true"})

    assert drug["plan"]["plan_number"] == "S5820003"
    assert "zipcodes" not in drug["plan"]
    assert (drug["quantity_limit"], drug["limit_amount"], drug["limit_days"]) == (True, "60", 30)
    assert (drug["tier"], drug["tier_name"]) == (3, "preferred brand")


async def test_drug_costs_are_the_formulary_of_2016(api: httpx.AsyncClient) -> None:
    (cost,) = await listed(api, "/api/v4/pharmacy/drug/cost", {**PLAN, "drug": "vesperil"})

    assert cost.keys() == {"drug", "is_covered", "retail", "mail"}
    assert (await api.get("/api/v4/pharmacy/drug/cost", params=PLAN)).status_code == 422


async def test_a_network_shows_retail_shops_unless_mail_is_asked_for(api: httpx.AsyncClient) -> None:
    retail = await listed(api, NETWORK, PLAN)
    mail = await listed(api, NETWORK, {**PLAN, "mail": "true", "retail": "false"})

    assert retail
    assert all(pharmacy["retail"] and pharmacy["in_network"] for pharmacy in retail)
    assert {pharmacy["pharmacy_name"] for pharmacy in mail} >= {"Upland Mail Pharmacy", "Red Canyon Mail Order"}
    assert all(pharmacy["mail"] for pharmacy in mail)


async def test_a_network_is_searched_around_a_place(api: httpx.AsyncClient) -> None:
    near = await listed(api, NETWORK, {**PLAN, "zipcode": "07030", "radius": "1mi", "sort": "distance"})
    wider = await listed(api, NETWORK, {**PLAN, "zipcode": "07030", "radius": "5mi", "sort": "distance"})

    assert {pharmacy["location"]["city"] for pharmacy in near} == {"Hoboken"}
    assert [pharmacy["location"]["city"] for pharmacy in wider][-1] == "Jersey City"
    (named,) = await listed(api, NETWORK, {**PLAN, "pharmacy_name": "harbor lantern"})
    assert named["npi"] == "1427382266"


@pytest.mark.parametrize(("plan", "in_network"), [("S5820003", True), ("H9000026", False)])
async def test_one_pharmacy_is_checked_against_a_network(api: httpx.AsyncClient, plan: str, in_network: bool) -> None:
    (pharmacy,) = await listed(api, f"{NETWORK}/1427382266", {**PARTNER, "plan_number": plan})

    assert (pharmacy["in_network"], pharmacy["plan_id"]) == (in_network, plan)
    assert await listed(api, f"{NETWORK}/1234567893", PLAN) == []


@pytest.fixture
def question() -> dict[str, Any]:
    """A coverage question about one drug for an invented cardholder."""
    return {
        "pharmacy_npi": "1427382266",
        "prescriber": {"npi": "1467560003", "last_name": "Thistlewood"},
        "member": {"last_name": "Moss", "date_of_birth": "19660430", "gender": "Female"},
        "insurance": {"cardholder_id": "W555000111", "bin_number": "999999", "pcn": ""},
        "drugs": [{"ndc": "99999010101", "quantity_dispensed": 30}],
    }


async def test_coverage_tells_what_the_patient_pays(api: httpx.AsyncClient, question: dict[str, Any]) -> None:
    question["drugs"].append({"ndc": "99999020301", "quantity_dispensed": 15})
    body = (await api.post(COVERAGE, json=question)).json()
    copay, coinsurance = body["data"]["drugs"]

    assert copay["patient_pay_amount"] == {"amount": "4.00", "currency": "USD", "display": "$4.00"}
    assert copay["quantity_dispensed"] == "30"
    assert coinsurance["amount_of_coinsurance"] == [coinsurance["patient_pay_amount"]]
    assert coinsurance["additional_information"][0]["qualifier"] == "Prior authorization"
    assert "credits_billed" not in body["meta"]


async def test_a_drug_or_a_cardholder_that_is_not_covered_is_a_rejection(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    question["drugs"] = [{"ndc": "11111111111", "quantity_dispensed": 30}]
    unknown = (await api.post(COVERAGE, json=question)).json()["data"]["drugs"]
    question["drugs"] = [{"ndc": "99999010101", "quantity_dispensed": 30}]
    question["insurance"]["cardholder_id"] = "W100000002"
    inactive = (await api.post(COVERAGE, json=question)).json()["data"]["drugs"]

    assert unknown[0]["rejections"] == ["This product is not covered."]
    assert inactive[0]["rejections"] == ["This patient is not covered."]
    assert "patient_pay_amount" not in unknown[0] | inactive[0]


async def test_a_wrong_number_is_refused_one_level_deeper_as_documented(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    question["prescriber"]["npi"] = "1467560000"
    question["drugs"] = question["drugs"] * 5
    response = await api.post(COVERAGE, json=question)

    assert response.status_code == 422
    errors = response.json()["data"]["errors"]["validation"]
    assert errors["prescriber"] == [{"npi": ["Not a valid NPI."]}]
    assert list(errors) == ["prescriber", "drugs"]


async def test_a_card_or_a_prescriber_in_part_is_refused_by_name(
    api: httpx.AsyncClient, question: dict[str, Any]
) -> None:
    question["prescriber"], question["insurance"] = {}, {"cardholder_id": "1", "pcn": ""}
    response = await api.post(COVERAGE, json=question)

    required = ["This field is required."]
    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"] == {
        "prescriber": [{"npi": required, "last_name": required}],
        "insurance": [{"bin_number": required}],
    }


@pytest.mark.parametrize("quantity", [0, -1, 10**400])
async def test_a_quantity_that_makes_no_sense_is_refused(
    api: httpx.AsyncClient, question: dict[str, Any], quantity: int
) -> None:
    question["drugs"][0]["quantity_dispensed"] = quantity
    response = await api.post(COVERAGE, json=question)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["drugs"]
