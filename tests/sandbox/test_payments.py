"""Payments: those that exist from the start, and those of claims sent here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/payments/"
EARLIER = "59a000010000000000000001"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 2),
        ({"trading_partner_id": "MOCKPAYER"}, 1),
        ({"payment_type": "claim_payment"}, 2),
        ({"payment_type": "other"}, 0),
        ({"check_eft_trace_number": "SBX0000002"}, 1),
        ({"amount": "255"}, 1),
        ({"amount": "255.00"}, 1),
        ({"effective_date": "2023-10-01"}, 1),
        ({"effective_date_start": "2023-10-02"}, 1),
        ({"effective_date_end": "2023-10-02"}, 1),
        ({"received_date_start": "2023-10-02", "received_date_end": "2023-11-05"}, 1),
        ({"limit": "1"}, 1),
        ({"offset": "1"}, 1),
    ],
)
async def test_filters_narrow_the_list_singly_and_together(
    api: httpx.AsyncClient, query: dict[str, str], count: int
) -> None:
    assert len((await api.get(URL, params=query)).json()["data"]) == count


async def test_an_amount_that_is_no_number_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.get(URL, params={"amount": "much"})

    assert (response.status_code, list(response.json()["data"]["errors"]["validation"])) == (422, ["amount"])


async def test_a_payment_comes_in_when_its_claim_is_paid_and_is_linked_to_it(
    api: httpx.AsyncClient, claim: dict[str, Any], clock: Any
) -> None:
    claim["application_data"] = {"mock_claim_payment": True}
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    clock.now += 449
    before = (await api.get(URL)).json()["data"]
    clock.now += 1
    after = (await api.get(URL)).json()["data"]
    activity = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]
    payment = (await api.get(f"{URL}{activity['payment_id']}")).json()["data"]
    data = (await api.get(f"{URL}{activity['payment_id']}/data")).json()["data"]

    assert (len(before), len(after)) == (2, 3)
    assert (after[2]["id"], after[2]["linked_activity_count"]) == (activity["payment_id"], 1)
    assert (
        after[2]["total"]
        == payment["financial_information"]["payment_amount"]
        == {"amount": "51.00", "currency": "USD"}
    )
    assert data == activity["result"]


async def test_a_canceled_claim_brings_no_payment(api: httpx.AsyncClient, claim: dict[str, Any], clock: Any) -> None:
    claim["application_data"] = {"mock_claim_payment": True}
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    await api.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})
    clock.now += 450

    assert len((await api.get(URL)).json()["data"]) == 2


async def test_a_payment_of_claims_sent_elsewhere_is_linked_to_nothing(api: httpx.AsyncClient) -> None:
    payment = (await api.get(f"{URL}{EARLIER}")).json()["data"]
    data = (await api.get(f"{URL}{EARLIER}/data")).json()["data"]

    assert (payment["linked_activity_count"], payment["transaction_count"]) == (0, 2)
    assert [paid["payment_amount"]["amount"] for paid in data["claim_payments"]] == ["170.00", "85.00"]


@pytest.mark.parametrize("path", ["", "/data"])
async def test_an_unknown_payment_answers_404(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(f"{URL}{'0' * 24}{path}")).status_code == 404
