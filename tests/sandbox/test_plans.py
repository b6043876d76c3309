"""Marketplace plans and the older list of payers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

URL = "/api/v4/plans/"


async def test_plans_come_in_pages_whose_links_keep_the_filters(api: httpx.AsyncClient) -> None:
    first = (await api.get(URL, params={"state": "TX", "plan_type": "PPO"})).json()
    second = (await api.get(first["meta"]["next"])).json()

    assert first["meta"]["next"] == "http://sandbox.test/api/v4/plans/?state=TX&plan_type=PPO&offset=20"
    assert len(first["data"]) + len(second["data"]) == first["meta"]["result_count"] == 22
    assert "next" not in second["meta"]
    assert {(plan["state"], plan["plan_type"]) for plan in first["data"] + second["data"]} == {("TX", "PPO")}


@pytest.mark.parametrize(
    ("query", "member", "value"),
    [
        ({"county": "Charleston"}, "county", "CHARLESTON"),
        ({"metallic_level": "gold"}, "metallic_level", "gold"),
        ({"trading_partner_id": "upland_health_plan"}, "trading_partner_id", "upland_health_plan"),
        ({"issuer_name": "upland health"}, "trading_partner_id", "upland_health_plan"),
        ({"plan_name": "tide gold"}, "plan_name", "Alder Bay Tide Gold 1200"),
        ({"plan_id": "90007NJ0070001"}, "plan_id", "90007NJ0070001"),
    ],
)
async def test_each_parameter_narrows_the_search(
    api: httpx.AsyncClient, query: dict[str, str], member: str, value: str
) -> None:
    plans = (await api.get(URL, params=query)).json()["data"]

    assert {plan[member] for plan in plans} == {value}


async def test_premiums_follow_the_age_and_the_household(api: httpx.AsyncClient) -> None:
    plan = (await api.get(URL, params={"plan_id": "90001SC0010001"})).json()["data"][0]
    costs = {(row["adults"], row["children"], row["age"]): row["cost"] for row in plan["premiums"]}

    assert costs[1, 0, 21] == 171.2
    assert costs[2, 0, 21] == 342.4
    assert costs[0, 1, 21] < costs[1, 0, 21] < costs[1, 1, 21] < costs[1, 1, 50]


async def test_some_plans_do_not_say_whether_they_are_on_the_exchange(api: httpx.AsyncClient) -> None:
    plans = (await api.get(URL, params={"limit": 1000})).json()["data"]

    assert {plan.get("public_exchange") for plan in plans} == {True, None}
    assert all(plan.get("public_exchange", True) is True for plan in plans)


async def test_plans_are_ordered_by_a_member_that_is_named(api: httpx.AsyncClient) -> None:
    plans = (await api.get(URL, params={"sort": "plan_name", "dir": "descending", "limit": 1000})).json()["data"]
    names = [plan["plan_name"] for plan in plans]

    assert names == sorted(names, reverse=True)
    assert (await api.get(URL, params={"sort": "premiums"})).status_code == 200


async def test_payers_are_the_trading_partners_in_their_older_form(api: httpx.AsyncClient) -> None:
    payers = (await api.get("/api/v4/payers/")).json()
    partners = (await api.get("/api/v4/tradingpartners/")).json()

    assert [payer["trading_partner_id"] for payer in payers["data"]] == [one["id"] for one in partners["data"]]
    assert payers["data"][0]["payer_name"] == "Mock Payer for Testing"
    assert "credits_billed" not in payers["meta"]
