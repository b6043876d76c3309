"""Marketplace plans: search. The invented plans are in data/plans.yaml."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.trading_partners import partner
from pokitdok_sandbox.wording import has_words, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXACT = ("trading_partner_id", "county", "state", "plan_id", "plan_type", "metallic_level")
PHONE = "1-800-555-0100"


def list_plans(call: Call) -> Answer:
    """Answer the plans that fit all parameters, a plan once for each county in which it is sold.

    A recording of a test application ignores the parameters and answers three plans of Arizona; one of a production
    application obeys them. Here they are always obeyed. sort and dir, in the documentation until 2016, order by a
    member that holds a text.
    """
    query = call.query
    found = [plan for plan in all_plans() if _fits(plan, query)]
    order = query.get("sort")
    if order and all(isinstance(plan.get(order), str) for plan in found):
        found.sort(key=lambda plan: str(plan[order]), reverse=query.get("dir", "").casefold().startswith("desc"))
    return page(call, found, counted=True)


@cache
def all_plans() -> tuple[dict[str, Any], ...]:
    """Return all plans as the API shows them."""
    return tuple(_shown(entry, county) for entry in sample("plans")["plans"] for county in entry["counties"])


def _fits(plan: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    if any(not same(query[name], plan[name]) for name in EXACT if name in query):
        return False
    if "plan_name" in query and not has_words(query["plan_name"], plan["plan_name"]):
        return False
    if "issuer_name" in query:
        issuer = partner(plan["trading_partner_id"])
        return issuer is not None and has_words(query["issuer_name"], issuer["name"])
    return True


def _shown(entry: Mapping[str, Any], county: str) -> dict[str, Any]:
    plan = {"public_exchange": True} | {key: value for key, value in entry.items() if key not in {"base", "counties"}}
    if plan["public_exchange"] is None:
        del plan["public_exchange"]
    return plan | {
        "county": county,
        "benefits_summary_url": f"https://plans.example.org/{entry['plan_id']}",
        "customer_service_phone": PHONE,
        "premiums": list(_premiums(entry["base"])),
    }


def _premiums(base: float) -> Iterator[dict[str, Any]]:
    premium = sample("plans")["premium"]
    for household in premium["households"]:
        for age in household["ages"]:
            factor = household["adults"] * premium["adults"][age] + household["children"] * premium["child"]
            yield {
                "age": age,
                "adults": household["adults"],
                "children": household["children"],
                "cost": round(base * factor, 2),
            }


HANDLERS = {"list_plans": Handler(list_plans, activity="plans", billed=True)}
