"""Medicare drug plans, their formularies and networks. Plans, drugs and pharmacies are in data/pharmacy.yaml."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, invalid
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.places import area_of
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import has_words

if TYPE_CHECKING:
    from collections.abc import Mapping

CENT = Decimal("0.01")
TIERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
ONE_OF_PLANS = ("plan_number", "plan_name")
ONE_OF_DRUGS = ("drug", "drug_class", "ndc", "rxcui")


def list_pharmacy_plans(call: Call) -> Answer:
    """Answer the drug plans of a partner that have this number, these words in the name, this postal code."""
    _require_one(call.query, (*ONE_OF_PLANS, "zipcode"))
    found = _plans(call.query)
    if "zipcode" in call.query:
        found = [plan for plan in found if call.query["zipcode"].strip()[:5] in plan["zipcodes"]]
    return page(call, [_plan_shown(plan) | {"zipcodes": plan["zipcodes"]} for plan in found])


def list_pharmacy_formulary(call: Call) -> Answer:
    """Answer the drugs that a plan covers, with what they cost its member in the initial coverage phase."""
    query = call.query
    _require_one(query, ONE_OF_PLANS)
    _require_one(query, ONE_OF_DRUGS)
    found = []
    for plan in _plans(query):
        for drug in _drugs(query, plan):
            entry = {**_rules(drug), **_costs(drug, plan)}
            found.append(entry | ({"plan": _plan_shown(plan)} if query.get("include_plans") else {}))
    return page(call, found)


def list_pharmacy_drug_costs(call: Call) -> Answer:
    """Answer the formulary as it was in spring 2016: the costs alone, and whether a drug is covered."""
    _require_one(call.query, ("drug", "ndc"))
    found = [
        {"drug": drug["drug"], "is_covered": True, **_costs(drug, plan)}
        for plan in _plans(call.query)
        for drug in _drugs(call.query, plan)
    ]
    return Answer(found)


def list_network_pharmacies(call: Call) -> Answer:
    """Answer the pharmacies in a network, retail shops alone unless asked otherwise."""
    query, area = call.query, area_of(call.query)
    plans = [plan["plan_number"] for plan in _plans(query)]
    found = []
    for pharmacy in _pharmacies():
        far = area.distance(pharmacy["location"])
        kinds = [kind for kind, default in (("retail", True), ("mail", False)) if query.get(kind, default)]
        named = has_words(query.get("pharmacy_name", ""), pharmacy["pharmacy_name"])
        covering = [plan for plan in plans if plan in pharmacy["plans"]]
        if far is not None and named and covering and any(pharmacy[kind] for kind in kinds):
            found.append((far, _pharmacy_shown(pharmacy, covering[0], in_network=True)))
    if query.get("sort") == "distance":
        found.sort(key=lambda entry: entry[0])
    return page(call, [entry for _, entry in found])


def get_network_pharmacy(call: Call) -> Answer:
    """Answer a list with the one pharmacy, and whether it is in the network; nobody has the NPI, an empty list."""
    npi = call.path["npi"]
    call.record["parameters"] = {"npi": npi}
    plans = [plan["plan_number"] for plan in _plans(call.query)]
    found = [pharmacy for pharmacy in _pharmacies() if pharmacy["npi"] == npi]
    answers = []
    for pharmacy in found:
        covering = [plan for plan in plans if plan in pharmacy["plans"]]
        shown = covering or ([call.query["plan_number"]] if "plan_number" in call.query else pharmacy["plans"])
        answers.append(_pharmacy_shown(pharmacy, shown[0], in_network=bool(covering)))
    return Answer(answers)


def drug_by_ndc(ndc: str) -> dict[str, Any] | None:
    """Return the drug with this 11-digit NDC, or None."""
    return next((drug for drug in sample("pharmacy")["drugs"] if drug["ndc"] == ndc), None)


def is_pharmacy(npi: str) -> bool:
    """Tell whether a pharmacy of the sandbox has this NPI."""
    return any(pharmacy["npi"] == npi for pharmacy in _pharmacies())


def money(amount: Decimal) -> dict[str, str]:
    """Return an amount as the API writes it."""
    return {"amount": str(amount.quantize(CENT)), "currency": "USD"}


def _require_one(query: Mapping[str, Any], names: tuple[str, ...]) -> None:
    if not query.keys() & set(names):
        raise invalid({name: [REQUIRED] for name in names})


def _pharmacies() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = sample("pharmacy")["pharmacies"]
    return entries


def _plans(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the plans of the partner that fit plan_number and plan_name."""
    return [
        plan
        for plan in sample("pharmacy")["plans"]
        if plan["trading_partner_id"] == query["trading_partner_id"]
        and plan["plan_number"] == query.get("plan_number", plan["plan_number"])
        and has_words(query.get("plan_name", ""), plan["plan_name"])
    ]


def _drugs(query: Mapping[str, Any], plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the drugs that a plan covers and that fit; drug matches by words, drug_class exactly, as documented."""
    return [
        drug
        for drug in sample("pharmacy")["drugs"]
        if plan["plan_number"] in drug.get("covered_by", [plan["plan_number"]])
        and has_words(query.get("drug", ""), drug["drug"])
        and query.get("drug_class", drug["drug_class"][0]) in drug["drug_class"]
        and _ndc(query.get("ndc", drug["ndc"])) == drug["ndc"]
        and query.get("rxcui", drug.get("rxcui")) == drug.get("rxcui")
    ]


def _ndc(text: str) -> str:
    """Return an NDC as 11 digits; the hyphenated form of 10 digits lacks a zero in one of its three parts."""
    parts = text.strip().split("-")
    return "".join(part.rjust(width, "0") for part, width in zip(parts, (5, 4, 2), strict=False)) if parts[1:] else text


def _rules(drug: Mapping[str, Any]) -> dict[str, Any]:
    rules = {
        "drug": drug["drug"],
        "drug_class": drug["drug_class"],
        "tier": drug["tier"],
        "tier_name": sample("pharmacy")["tier_names"][drug["tier"]],
        "prior_auth": drug.get("prior_auth", False),
        "step_therapy": drug.get("step_therapy", False),
        "quantity_limit": "limit" in drug,
    }
    if "limit" in drug:
        rules |= {"limit_amount": drug["limit"]["amount"], "limit_days": drug["limit"]["days"]}
    return rules


def _costs(drug: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return what 30 days at retail and 90 days by mail cost; a copay above the price is the price, as documented."""
    costs = {}
    monthly = Decimal(str(drug["price"]))
    by_mail = (monthly * 3 * Decimal(str(sample("pharmacy")["mail_discount"]))).quantize(CENT)
    for channel, days, price in (("retail", 30, monthly), ("mail", 90, by_mail)):
        share = plan[channel].get(TIERS[drug["tier"]])
        if share is not None:
            own = Decimal(share["copay"]) if "copay" in share else (price * Decimal(share["coins"])).quantize(CENT)
            own = min(own, price)
            costs[channel] = {
                f"oop_{days}_day": money(own),
                f"total_cost_{days}_day": money(price),
                f"ins_pay_{days}_day": money(price - own),
            }
    return costs


def _plan_shown(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan without its postal codes, as it stands inside a drug."""
    shown: dict[str, Any] = {name: plan[name] for name in ("trading_partner_id", "plan_number", "plan_name")}
    for name in ("premium", "deductible", "initial_coverage_limit"):
        shown[name] = money(Decimal(plan[name]))
    for channel, days in (("retail", 30), ("mail", 90)):
        shown[channel] = {
            f"tier_{tier}_{days}_day_{kind}": money(Decimal(value)) if kind == "copay" else value
            for tier, share in plan[channel].items()
            for kind, value in share.items()
        }
    return shown


def _pharmacy_shown(pharmacy: Mapping[str, Any], plan_number: str, *, in_network: bool) -> dict[str, Any]:
    shown = {name: pharmacy[name] for name in ("npi", "pharmacy_name", "retail", "mail", "location")}
    return shown | {"in_network": in_network, "plan_id": plan_number}


HANDLERS = {
    "list_pharmacy_plans": Handler(list_pharmacy_plans, activity="pharmacy", billed=True),
    "list_pharmacy_formulary": Handler(list_pharmacy_formulary, activity="pharmacy", billed=True),
    "list_pharmacy_drug_costs": Handler(list_pharmacy_drug_costs, activity="pharmacy", billed=True),
    "list_network_pharmacies": Handler(list_network_pharmacies, activity="pharmacy", billed=True),
    "get_network_pharmacy": Handler(get_network_pharmacy, activity="pharmacy", billed=True),
}
