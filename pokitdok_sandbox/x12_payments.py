"""Payments in X12: the 835 made from a ClaimPaymentResult."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12 import clean, compact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def remittance(result: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the segments of an 835."""
    money = result["financial_information"]
    total = money["payment_amount"]["amount"]
    day = compact(money["effective_date"])
    paid = money["payment_method"] == "check"
    company = f"1{sample('payments')['company_tax_id']}"
    yield ["BPR", "I" if paid else "H", total, "C", "CHK" if paid else "NON", *[""] * 11, day]
    yield ["TRN", "1", clean(money["check_eft_trace_number"]), company]
    yield ["DTM", "405", compact(result["production_date"])]
    yield from _party("PR", result["payer"])
    for contact in result["payer"]["contacts"]:
        phone = next(one["value"] for one in contact["contact_methods"] if one["type"] == "phone")
        yield ["PER", "BL", clean(contact["name"]), "TE", clean(phone)]
    yield from _party("PE", result["payee"])
    for claim in result["claim_payments"]:
        yield ["LX", str(claim["assigned_number"])]
        yield from _claim(claim, result["patient"])


def _party(qualifier: str, party: Mapping[str, Any]) -> Iterator[list[str]]:
    number = ["XX", party["npi"]] if "npi" in party else ["FI", party["tax_id"]] if "tax_id" in party else []
    yield ["N1", qualifier, clean(party["name"]), *map(clean, number)]
    address = party.get("address")
    if address and address.get("address_lines"):
        yield ["N3", *(clean(line) for line in address["address_lines"][:2])]
        yield ["N4", *(clean(address.get(name, "")) for name in ("city", "state", "zipcode"))]
    if "npi" in party and "tax_id" in party:
        yield ["REF", "TJ", clean(party["tax_id"])]


def _claim(claim: Mapping[str, Any], patient: Mapping[str, Any]) -> Iterator[list[str]]:
    codes = sample("x12")["remittance"]
    yield [
        "CLP",
        clean(claim["patient_control_number"]),
        codes["claim_statuses"][claim["status"]],
        claim["total_charge_amount"]["amount"],
        claim["payment_amount"]["amount"],
        claim["patient_responsibility_amount"]["amount"],
        "12",
        clean(claim["control_number"]),
    ]
    names = [clean(patient.get("last_name", "")), clean(patient.get("first_name", ""))]
    yield ["NM1", "QC", "1", *names, "", "", "", *(["MI", clean(patient["id"])] if "id" in patient else [])]
    for service in claim["services"]:
        charged, paid = service["charge_amount"]["amount"], service["provider_payment_amount"]["amount"]
        units = str(service["service_units_paid"])
        yield ["SVC", f"HC:{clean(service['adjudicated_procedure_code'])}", charged, paid, "", units]
        if "service_date" in service:
            yield ["DTM", "472", compact(service["service_date"])]
        for adjustment in service.get("adjustments", []):
            yield [
                "CAS",
                codes["groups"][adjustment["group"]],
                adjustment["reason_code"],
                adjustment["amount"]["amount"],
            ]
        if "control_number" in service:
            yield ["REF", "6R", clean(service["control_number"])]
