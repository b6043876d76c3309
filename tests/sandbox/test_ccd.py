"""Continuity of care documents, of which no more is known than that the old clients sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


async def test_a_request_is_kept_and_answered_with_nothing_that_nobody_knows(api: httpx.AsyncClient) -> None:
    response = await api.post("/api/v4/ccd/", json={"trading_partner_id": "MOCKPAYER"})
    activity_id = response.json()["meta"]["activity_id"]
    kept = (await api.get(f"/api/v4/activities/{activity_id}")).json()["data"]

    assert (response.json()["data"], response.headers["x-sandbox-evidence"]) == ({}, "inferred")
    assert (kept["name"], kept["parameters"]) == ("pokitdok_api", {"trading_partner_id": "MOCKPAYER"})


async def test_an_unknown_partner_is_an_error_of_the_query(api: httpx.AsyncClient) -> None:
    response = await api.post("/api/v4/ccd/", json={"trading_partner_id": "nobody"})

    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, ["query"])
