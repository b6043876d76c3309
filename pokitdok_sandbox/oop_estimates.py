"""Out-of-pocket estimates: what a member pays for a bundle, from a price and the member's benefits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, invalid
from pokitdok_sandbox.eligibility import check_eligibility
from pokitdok_sandbox.oop_prices import stored_price
from pokitdok_sandbox.prices import area_of, insurance_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

MADE_UP = {"member": {"id": "000000000"}, "provider": {"npi": "1234567893"}}
"""Who is asked about when the request does not say; documented, without telling whose benefits those were."""
NOTHING = Decimal()


@dataclass(frozen=True)
class Benefits:
    """What is left of a member's deductible and out-of-pocket ceiling, in dollars."""

    deductible: Decimal
    ceiling: Decimal


def estimate_oop_cost(call: Call) -> Answer:
    """Answer the estimate and the eligibility answer behind it.

    The price is the stored one, else what insurers pay around zip_code. A live check needs member and provider.
    """
    body: dict[str, Any] = call.body
    asked = body.get("eligibility", {})
    people = asked if asked.get("member") and asked.get("provider") else MADE_UP
    question = {"trading_partner_id": body["trading_partner_id"], **people}
    eligibility: dict[str, Any] = check_eligibility(replace(call, body=question, record={})).data
    low, base, high = _prices(call, body)
    found = _benefits(eligibility)
    calculation: dict[str, Any] = {
        "price": _money(base),
        "low_price": _money(low),
        "high_price": _money(high),
        "deductible": str(found.deductible),
        "max_oop": str(found.ceiling),
        "messages": _messages(eligibility, found),
    }
    shares = _shares(eligibility, body.get("service_type_codes", []))
    calculation |= {
        "coinsurance": [str(share) for share, _ in shares],
        "service_type_codes": [codes for _, codes in shares],
        "estimate": [_whole(cost(base, share, found)) for share, _ in shares],
        "lower_estimate": [_whole(cost(low, share, found)) for share, _ in shares],
        "upper_estimate": [_whole(cost(high, share, found)) for share, _ in shares],
    }
    return Answer({"calculation": calculation, "eligibility": eligibility})


def cost(price: Decimal, coinsurance: Decimal, benefits: Benefits) -> Decimal:
    """Return what a member pays: the deductible first, then the coinsurance of the rest, never above the ceiling."""
    below = min(price, benefits.deductible)
    return min(below + coinsurance * (price - below), benefits.ceiling)


def _prices(call: Call, body: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
    """Return the low, the base and the high price of the bundle.

    Raises:
        RefusalError: There is no price, or no area to look for one; 422.
    """
    bundle: list[str] = body["cpt_bundle"]
    if not bundle:
        raise invalid({"cpt_bundle": ["Give at least one code."]})
    stored = stored_price(call, body["trading_partner_id"], bundle)
    if stored is not None:
        price = Decimal(stored["price"]["amount"])
        return price, price, price
    if "zip_code" not in body:
        raise invalid({"zip_code": [REQUIRED]})
    area = area_of(replace(call, query=body))
    rows = [
        next((row for row in insurance_amounts(call, code, area) if row["payment_type"] == "allowed"), None)
        for code in bundle
    ]
    known = [row for row in rows if row is not None]
    if len(known) < len(rows):
        raise invalid({"cpt_bundle": ["There is no price for one of the codes."]})
    low, base, high = (
        sum((Decimal(str(row[name])) for row in known), NOTHING)
        for name in ("low_price", "average_price", "high_price")
    )
    return low, base, high


def _benefits(eligibility: Mapping[str, Any]) -> Benefits:
    summary = eligibility.get("summary", {})
    deductible, ceiling = (
        Decimal(summary.get(name, {}).get("individual", {}).get("in_network", {}).get("remaining", {}).get("amount", 0))
        for name in ("deductible", "out_of_pocket")
    )
    return Benefits(deductible, ceiling)


def _shares(eligibility: Mapping[str, Any], codes: list[str]) -> list[tuple[Decimal, list[str]]]:
    """Return the coinsurance in the network, each with its service type codes: those asked for if there are any."""
    found = [
        (Decimal(str(entry["benefit_percent"])), list(entry.get("service_type_codes", [])))
        for entry in eligibility.get("coverage", {}).get("coinsurance", [])
        if entry.get("in_plan_network") == "yes" and "benefit_percent" in entry
    ]
    return [entry for entry in found if set(entry[1]) & set(codes)] or found


def _messages(eligibility: Mapping[str, Any], found: Benefits) -> list[str]:
    if "summary" not in eligibility:
        return ["The payer told of no benefits, so there is nothing to estimate from."]
    return [f"{found.deductible} of the deductible is still open."] if found.deductible else []


def _money(amount: Decimal) -> dict[str, str]:
    return {"amount": str(amount), "currency": "USD"}


def _whole(amount: Decimal) -> str:
    """Write whole dollars, as the documented example does."""
    return str(amount.quantize(Decimal(1), ROUND_HALF_UP))


HANDLERS = {"estimate_oop_cost": Handler(estimate_oop_cost, activity="oop", billed=True)}
