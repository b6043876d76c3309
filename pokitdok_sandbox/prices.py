"""Prices of procedures: cash and insurance statistics of an area. Medians are invented, in data/procedures.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, invalid
from pokitdok_sandbox.samples import sample

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDICARE_PAYS = 0.8
MEDICARE_IS_BILLED = 2.4
"""What is billed to Medicare, as a part of what it allows; invented."""


def list_cash_prices(call: Call) -> Answer:
    """Answer an entry for each procedure of the code; without a price the query comes back, as recorded in 2014.

    To a test application every code has a price, as recorded.
    """
    code, area = call.query["cpt_code"], area_of(call)
    entries: list[dict[str, Any]] = [
        {
            "cpt_code": code,
            "geo_zip_area": area,
            **statistics(procedure["cash"], area),
            "procedure_description": procedure["name"],
        }
        for procedure in procedures()
        if procedure["code"] == code and "cash" in procedure
    ]
    if not entries and is_test(call):
        entries = [{"cpt_code": code, "geo_zip_area": area, **statistics(sample("procedures")["test"]["cash"], area)}]
    return Answer(entries or {"cpt_code": code, "zip_code": call.query["zip_code"]})


def list_insurance_prices(call: Call) -> Answer:
    """Answer one object with what insurers and Medicare pay; without a price errors inside a 200, as recorded.

    To a test application every code has a price, as recorded.
    """
    code, area = call.query["cpt_code"], area_of(call)
    amounts = insurance_amounts(call, code, area)
    if not amounts:
        return Answer({"errors": "There are no prices for this procedure and area."})
    return Answer({"cpt_code": code, "geo_zip_area": area, "amounts": amounts})


def insurance_amounts(call: Call, code: str, area: str) -> list[dict[str, Any]]:
    """Return a row for each payer type and payment type that has a price."""
    default = sample("procedures")["test"] if is_test(call) else {}
    found = next((procedure for procedure in procedures() if procedure["code"] == code), default)
    medians = [
        ("insurance", "allowed", found.get("allowed")),
        ("insurance", "submitted", found.get("submitted")),
    ]
    if "medicare" in found:
        medians += [
            ("medicare", "allowed", found["medicare"]),
            ("medicare", "submitted", found["medicare"] * MEDICARE_IS_BILLED),
            ("medicare", "paid", found["medicare"] * MEDICARE_PAYS),
        ]
    return [
        {"payer_type": payer, "payment_type": payment, **statistics(median, area)}
        for payer, payment, median in medians
        if median is not None
    ]


def is_test(call: Call) -> bool:
    """Tell whether the application that calls is in test mode."""
    return call.world.settings.mode_of(call.client_id) == "test"


def procedures() -> list[dict[str, Any]]:
    """Return the procedures that the sandbox knows."""
    entries: list[dict[str, Any]] = sample("procedures")["procedures"]
    return entries


def statistics(median: float, area: str) -> dict[str, float]:
    """Return the statistics of a price in a ZIP area, given its median in the whole country."""
    spread: Mapping[str, float] = sample("procedures")["spread"]
    local = median * float(sample("procedures")["areas"][area[0]])
    return {
        "low_price": round(local * spread["low"], 2),
        "median_price": round(local, 2),
        "average_price": round(local * spread["average"], 2),
        "high_price": round(local * spread["high"], 2),
        "standard_deviation": round(local * spread["standard_deviation"], 4),
    }


def area_of(call: Call) -> str:
    """Return the first three digits of zip_code.

    Raises:
        RefusalError: It does not begin with three digits; 422. No status is documented for it.
    """
    area: str = call.query["zip_code"].strip()[:3]
    if len(area) != 3 or not (area.isascii() and area.isdigit()):
        raise invalid({"zip_code": ["Not a ZIP code."]})
    return area


HANDLERS = {
    "list_cash_prices": Handler(list_cash_prices, activity="cash_prices", billed=True),
    "list_insurance_prices": Handler(list_insurance_prices, activity="insurance_prices", billed=True),
}
