"""Claim drafts, and the validation of claims that are not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.applications import Application

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/claims/drafts/"


async def test_a_draft_is_stored_replaced_and_forgotten(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    draft = (await api.post(URL, json={"draft": claim})).json()["data"]
    assert (await api.get(f"{URL}{draft['id']}")).json()["data"] == draft == {"id": draft["id"], "draft": claim}
    changed = claim | {"trading_partner_id": "aetna"}
    replaced = (await api.put(f"{URL}{draft['id']}", json={"draft": changed})).json()["data"]
    listed = (await api.get(URL)).json()["data"]
    deleted = await api.delete(f"{URL}{draft['id']}")

    assert listed == [replaced] == [{"id": draft["id"], "draft": changed}]
    assert deleted.status_code == 200
    assert (await api.get(URL)).json()["data"] == []
    assert (await api.get(f"{URL}{draft['id']}")).status_code == 404


async def test_drafts_come_in_pages(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    ids = [(await api.post(URL, json={"draft": claim})).json()["data"]["id"] for _ in range(3)]
    first = (await api.get(URL, params={"limit": 2})).json()
    second = (await api.get(first["meta"]["next"])).json()

    assert [one["id"] for one in [*first["data"], *second["data"]]] == ids


async def test_another_application_sees_none_of_them(make_app: Any, sign_in: Any, claim: dict[str, Any]) -> None:
    app = make_app(applications=(Application("other", "secret", "Other"),))
    async with sign_in(app) as api:
        draft = (await api.post(URL, json={"draft": claim})).json()["data"]["id"]
        form = {"grant_type": "client_credentials"}
        token = (await api.post("/oauth2/token", data=form, auth=("other", "secret"))).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}

        assert (await api.get(URL, headers=headers)).json()["data"] == []
        assert (await api.get(f"{URL}{draft}", headers=headers)).status_code == 404


def spoil(claim: dict[str, Any], place: list[str], value: Any) -> None:
    for step in place[:-1]:
        claim = claim[step]
    if value is None:
        claim.pop(place[-1], None)
    else:
        claim[place[-1]] = value


WRONG = [
    (["trading_partner_id"], "nobody"),
    (["billing_provider", "tax_id"], None),
    (["billing_provider", "address"], None),
    (["billing_provider", "npi"], "1234567890"),
    (["subscriber", "member_id"], None),
    (["claim", "total_charge_amount"], "61"),
]


@pytest.fixture
def whole(claim: dict[str, Any]) -> dict[str, Any]:
    """A claim in which nothing is wrong."""
    claim["billing_provider"]["address"] = {"address_lines": ["12 Lantern Way"], "city": "Alder Bay", "state": "OR"}
    return claim


async def test_a_claim_in_which_nothing_is_wrong_has_no_findings(api: httpx.AsyncClient, whole: dict[str, Any]) -> None:
    draft = (await api.post(URL, json={"draft": whole})).json()["data"]["id"]

    assert (await api.post("/api/v4/claims/validate/", json=whole)).json()["data"] == {}
    assert (await api.get(f"{URL}{draft}/validate")).json()["data"]["validation_result"] == {}


@pytest.mark.parametrize(("place", "value"), WRONG)
async def test_each_fault_is_found_where_it_is(
    api: httpx.AsyncClient, whole: dict[str, Any], place: list[str], value: Any
) -> None:
    spoil(whole, place, value)
    draft = (await api.post(URL, json={"draft": whole})).json()["data"]["id"]
    told = (await api.post("/api/v4/claims/validate/", json=whole)).json()["data"]
    stored = (await api.get(f"{URL}{draft}/validate")).json()["data"]

    found = told["validation"]
    for step in place:
        assert list(found) == [step]
        found = found[step]
    assert stored["validation_result"] == told
    assert "validation_result" not in (await api.get(f"{URL}{draft}")).json()["data"]


async def test_a_corrected_claim_needs_the_number_of_the_first(api: httpx.AsyncClient, whole: dict[str, Any]) -> None:
    whole["claim"]["claim_frequency"] = "corrected"
    told = (await api.post("/api/v4/claims/validate/", json=whole)).json()["data"]

    assert list(told["validation"]["claim"]) == ["original_reference_number"]


async def test_validating_files_nothing(api: httpx.AsyncClient, whole: dict[str, Any]) -> None:
    await api.post("/api/v4/claims/validate/", json=whole)
    activities = (await api.get("/api/v4/activities/")).json()["data"]

    assert [one["transition_path"] for one in activities[1:]] == [["process", "complete"]] * 2
