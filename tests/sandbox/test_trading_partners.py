"""Trading partners: the list and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/tradingpartners/"


async def test_the_list_is_unpaged_and_holds_the_mock_payer_as_not_enabled(api: httpx.AsyncClient) -> None:
    body = (await api.get(URL)).json()

    assert len(body["data"]) > 20
    assert "next" not in body["meta"]
    partners = {entry["id"]: entry for entry in body["data"]}
    assert len(partners) == len(body["data"])
    assert partners["MOCKPAYER"]["is_enabled"] is False
    assert partners["aetna"].keys() == {"id", "name", "is_enabled", "supported_transactions"}
    assert any("supported_transactions" not in entry for entry in body["data"])


async def test_one_partner_comes_with_metrics_health_and_search_options(api: httpx.AsyncClient) -> None:
    data = (await api.get(f"{URL}aetna")).json()["data"]

    assert data["metrics"]["real_time_response_percentiles"].keys() == {"50", "75", "95"}
    assert data["monitoring"]["eligibility"] == {"status": "available", "last_updated": "2023-11-14T22:03:20.250000"}
    assert "primary_search" in data["supported_search_options"]


async def test_every_listed_partner_can_be_read_under_its_id(api: httpx.AsyncClient) -> None:
    listed = (await api.get(URL)).json()["data"]
    read = [(await api.get(f"{URL}{entry['id']}")).json()["data"] for entry in listed]

    assert [entry["id"] for entry in read] == [entry["id"] for entry in listed]


async def test_an_unknown_partner_answers_404(api: httpx.AsyncClient) -> None:
    response = await api.get(f"{URL}nobody")

    assert response.status_code == 404
    assert list(response.json()["data"]["errors"]) == ["query"]
