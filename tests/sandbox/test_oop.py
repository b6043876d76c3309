"""Out-of-pocket estimates: loaded prices, the member's benefits, and how both make an estimate."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.oop_estimates import Benefits, cost

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

LOAD, ESTIMATE = "/api/v4/oop/insurance-load-price", "/api/v4/oop/insurance-estimate"
PRICE = {"trading_partner_id": "MOCKPAYER", "cpt_bundle": ["81291", "99999"], "price": {"amount": "1300"}}
QUESTION = {
    "trading_partner_id": "MOCKPAYER",
    "cpt_bundle": ["99999", "81291"],
    "eligibility": {
        "provider": {"npi": "1234567893", "organization_name": "Heron Clinic"},
        "member": {"id": "W555000111", "first_name": "Perdita", "last_name": "Moss", "birth_date": "1966-04-30"},
    },
}


async def loaded(api: httpx.AsyncClient, **change: Any) -> dict[str, Any]:
    response = await api.post(LOAD, json=PRICE | change)
    assert response.status_code == 200, response.text
    price: dict[str, Any] = response.json()["data"]
    return price


async def test_a_price_is_stored_found_again_in_any_order_replaced_and_deleted(api: httpx.AsyncClient) -> None:
    first = await loaded(api)
    again = await loaded(api, cpt_bundle=["99999", "81291"], price={"amount": "1250.50", "currency": "USD"})
    lookup = await api.post(LOAD, json={name: PRICE[name] for name in ("trading_partner_id", "cpt_bundle")})
    url = f"{LOAD}/{first['uuid']}"

    assert first["price"] == {"amount": "1300", "currency": "USD"}
    assert first["client_id"] == "sandbox-client-id"
    assert again["uuid"] == first["uuid"]
    assert lookup.json()["data"] == (await api.get(url)).json()["data"] == again
    assert (await api.get(LOAD)).json()["data"] == [again]
    deleted = await api.delete(url)
    assert (deleted.status_code, deleted.json()["data"]) == (200, {})
    assert (await api.get(url)).status_code == (await api.delete(url)).status_code == 404


async def test_prices_come_in_pages(api: httpx.AsyncClient) -> None:
    made = [await loaded(api, cpt_bundle=[code]) for code in ("1", "2", "3")]
    first = (await api.get(LOAD, params={"limit": 2})).json()

    assert first["data"] + (await api.get(first["meta"]["next"])).json()["data"] == made


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"trading_partner_id": "MOCKPAYER", "cpt_bundle": ["00000"]}, "query"),
        ({"trading_partner_id": "nobody", "cpt_bundle": ["00000"]}, "query"),
        (PRICE | {"cpt_bundle": []}, "validation"),
        (PRICE | {"price": {"amount": "much"}}, "validation"),
    ],
)
async def test_what_is_not_stored_or_cannot_be_is_refused(
    api: httpx.AsyncClient, body: dict[str, Any], error: str
) -> None:
    response = await api.post(LOAD, json=body)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]) == [error]


async def test_a_loaded_price_beats_the_prices_of_the_area(api: httpx.AsyncClient) -> None:
    before = (await api.post(ESTIMATE, json=QUESTION | {"zip_code": "29412"})).json()["data"]["calculation"]
    await loaded(api)
    after = (await api.post(ESTIMATE, json=QUESTION | {"zip_code": "29412"})).json()["data"]["calculation"]

    low, base, high = (Decimal(before[name]["amount"]) for name in ("low_price", "price", "high_price"))
    assert low < base < high
    assert after["price"] == after["low_price"] == after["high_price"] == {"amount": "1300", "currency": "USD"}


async def test_an_estimate_is_made_of_price_deductible_and_coinsurance(api: httpx.AsyncClient) -> None:
    await loaded(api, price={"amount": "3387.25"})
    data = (await api.post(ESTIMATE, json=QUESTION)).json()["data"]
    calculation = data["calculation"]

    # 2387.25 of deductible, then a tenth of the remaining 1000
    assert (calculation["deductible"], calculation["max_oop"]) == ("2387.25", "3887.25")
    assert calculation["coinsurance"] == ["0.1"]
    assert calculation["estimate"] == calculation["lower_estimate"] == calculation["upper_estimate"] == ["2487"]
    assert calculation["service_type_codes"] == [["98"]]
    assert calculation["messages"] == ["2387.25 of the deductible is still open."]
    assert data["eligibility"]["subscriber"]["last_name"] == "Moss"
    assert data["eligibility"]["valid_request"] is True


@pytest.mark.parametrize(
    ("price", "share", "left", "ceiling", "paid"),
    [
        ("100", "0.2", "0", "5000", "20.0"),
        ("100", "0.2", "40", "5000", "52.0"),
        ("100", "0.2", "500", "5000", "100"),
        ("10000", "0.2", "500", "1000", "1000"),
    ],
)
def test_the_ceiling_is_never_passed(price: str, share: str, left: str, ceiling: str, paid: str) -> None:
    benefits = Benefits(Decimal(left), Decimal(ceiling))

    assert cost(Decimal(price), Decimal(share), benefits) == Decimal(paid)


async def test_without_member_and_provider_somebody_made_up_is_asked_about(api: httpx.AsyncClient) -> None:
    await loaded(api)
    for people in ({}, {"eligibility": {"member": QUESTION["eligibility"]["member"]}}):  # type: ignore[index]
        question = {name: QUESTION[name] for name in ("trading_partner_id", "cpt_bundle")} | people
        data = (await api.post(ESTIMATE, json=question)).json()["data"]
        assert data["eligibility"]["subscriber"]["id"] == "000000000"
        assert data["calculation"]["estimate"] == ["1300"]


async def test_a_member_without_benefits_gets_no_estimate_but_the_answer_of_the_payer(api: httpx.AsyncClient) -> None:
    await loaded(api)
    question = QUESTION | {"eligibility": {"provider": {"npi": "1234567893"}, "member": {"id": "W100000003"}}}
    data = (await api.post(ESTIMATE, json=question)).json()["data"]

    assert data["eligibility"]["valid_request"] is False
    assert data["calculation"]["estimate"] == []
    assert len(data["calculation"]["messages"]) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "zip_code"),
        ({"zip_code": "x"}, "zip_code"),
        ({"zip_code": "29412"}, "cpt_bundle"),
        ({"cpt_bundle": []}, "cpt_bundle"),
        ({"eligibility": {"provider": {"npi": "1"}, "member": {"id": "1"}}}, "provider"),
    ],
)
async def test_an_estimate_without_a_price_is_refused_by_name(
    make_app: Callable[..., Any], sign_in: Callable[..., Any], change: dict[str, Any], field: str
) -> None:
    async with sign_in(make_app(application_mode="production")) as api:
        response = await api.post(ESTIMATE, json=QUESTION | change)

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == [field]


async def test_prices_of_one_application_are_unknown_to_another(
    two_applications: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    one, other = two_applications
    uuid = (await loaded(one))["uuid"]

    assert (await other.get(LOAD)).json()["data"] == []
    assert (await other.get(f"{LOAD}/{uuid}")).status_code == 404
    assert (await other.delete(f"{LOAD}/{uuid}")).status_code == 404
    assert (await other.post(ESTIMATE, json=QUESTION)).status_code == 422
