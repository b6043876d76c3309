"""Prices of procedures, and the lookups of procedure and diagnosis codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

CASH, INSURANCE = "/api/v4/prices/cash", "/api/v4/prices/insurance"


async def test_a_code_that_stands_for_two_procedures_has_two_cash_prices(api: httpx.AsyncClient) -> None:
    data = (await api.get(CASH, params={"cpt_code": "99385", "zip_code": "29412"})).json()["data"]

    assert [price["cpt_code"] for price in data] == ["99385", "99385"]
    assert len({price["procedure_description"] for price in data}) == 2
    for price in data:
        assert price["geo_zip_area"] == "294"
        assert price["low_price"] < price["median_price"] < price["high_price"]


async def test_prices_depend_on_three_digits_of_the_postal_code(api: httpx.AsyncClient) -> None:
    async def median(zip_code: str) -> float:
        data = (await api.get(CASH, params={"cpt_code": "90658", "zip_code": zip_code})).json()["data"]
        value: float = data[0]["median_price"]
        return value

    assert await median("94403") == await median("94499") != await median("29412")


async def test_insurance_prices_tell_insurers_from_medicare(api: httpx.AsyncClient) -> None:
    data = (await api.get(INSURANCE, params={"cpt_code": "87799", "zip_code": "32218"})).json()["data"]
    kinds = [(amount["payer_type"], amount["payment_type"]) for amount in data["amounts"]]

    assert (data["cpt_code"], data["geo_zip_area"]) == ("87799", "322")
    assert kinds == [
        ("insurance", "allowed"),
        ("insurance", "submitted"),
        ("medicare", "allowed"),
        ("medicare", "submitted"),
        ("medicare", "paid"),
    ]


@pytest.mark.parametrize(
    ("mode", "cash", "insurance"),
    [
        ("test", list, "amounts"),
        ("production", dict, "errors"),
    ],
)
async def test_a_code_without_a_price_has_one_in_test_mode_alone(
    make_app: Callable[..., Any], sign_in: Callable[..., Any], mode: str, cash: type, insurance: str
) -> None:
    query = {"cpt_code": "12345", "zip_code": "75201"}
    async with sign_in(make_app(application_mode=mode)) as api:
        paid = await api.get(CASH, params=query)
        allowed = await api.get(INSURANCE, params=query)

    assert (paid.status_code, allowed.status_code) == (200, 200)
    assert type(paid.json()["data"]) is cash
    assert insurance in allowed.json()["data"]
    if mode == "production":
        assert paid.json()["data"] == query


@pytest.mark.parametrize("url", [CASH, INSURANCE])
async def test_a_postal_code_that_is_none_is_refused(api: httpx.AsyncClient, url: str) -> None:
    response = await api.get(url, params={"cpt_code": "99385", "zip_code": "abc"})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["zip_code"]


async def test_procedures_are_found_by_words_and_by_code(api: httpx.AsyncClient) -> None:
    by_name = (await api.get("/api/v4/mpc/", params={"name": "visit problem"})).json()["data"]
    by_description = (await api.get("/api/v4/mpc/", params={"description": "returning patient"})).json()["data"]
    by_code = (await api.get("/api/v4/mpc/99213")).json()["data"]

    assert {entry["code"] for entry in by_name} == {"99203", "99213", "99214"}
    assert {entry["code"] for entry in by_description} == {"99213", "99214"}
    assert by_code in by_name
    assert (await api.get("/api/v4/mpc/", params={"code": "99213"})).json()["data"] == [by_code]
    assert (await api.get("/api/v4/mpc/00000")).status_code == 404


async def test_procedures_come_in_pages_and_each_code_once(api: httpx.AsyncClient) -> None:
    first = (await api.get("/api/v4/mpc/")).json()
    second = (await api.get(first["meta"]["next"])).json()
    codes = [entry["code"] for entry in first["data"] + second["data"]]

    assert len(first["data"]) == 20
    assert len(codes) == len(set(codes)) > 30


@pytest.mark.parametrize("code", ["250.12", "25012"])
async def test_a_diagnosis_is_converted_with_and_without_its_dot(api: httpx.AsyncClient, code: str) -> None:
    data = (await api.get(f"/api/v4/icd/convert/{code}")).json()["data"]

    assert (data["source_code"]["system"], data["source_code"]["value"]) == ("icd9", "25012")
    (scenario,) = data["destination_scenarios"]
    assert [[choice["value"] for choice in choices] for choices in scenario["choice_lists"]] == [
        ["E1165"],
        ["E1169", "E1310"],
    ]
    assert data["approximate"] is True


async def test_an_unknown_diagnosis_answers_404(api: httpx.AsyncClient) -> None:
    response = await api.get("/api/v4/icd/convert/000")

    assert response.status_code == 404
    assert list(response.json()["data"]["errors"]) == ["query"]
