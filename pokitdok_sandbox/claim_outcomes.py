"""What a payer answers to a claim first: taken in or sent back. Triggers and texts are in data/claims.yaml."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.exchanges import MOCK
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.world import wire_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def acknowledgement(parameters: Mapping[str, Any], activity_id: str, now: float) -> dict[str, Any]:
    """Return the first outcome: acceptance by the payer, or with MOCKPAYER and a trigger value a rejection (277CA)."""
    texts = sample("claims")["statuses"]
    trigger = _trigger(parameters) if parameters["trading_partner_id"] == MOCK else None
    accepted = trigger is None
    status = texts["accepted"] if trigger is None else texts["rejected"] | trigger["status"]
    day = wire_date(now)
    money = dollars(total_charge(parameters["claim"]))
    statuses = [status | {"status_effective_date": day, "total_claim_amount": money}]
    totals = (
        {"accepted_quantity": "1", "amount_in_process": money}
        if accepted
        else {"accepted_quantity": "0", "rejected_quantity": "1", "amount_returned": money}
    )
    billing = parameters["billing_provider"]
    named = {
        key: billing[key] for key in ("first_name", "last_name", "organization_name", "npi", "tax_id") if key in billing
    }
    provider = {**named, "trace_number": "0", "accepted_quantity": totals["accepted_quantity"]}
    if accepted:
        provider["amount_in_process"] = money
    patient = parameters.get("patient", {})
    subscriber = parameters["subscriber"]
    person = {key: patient.get(key, subscriber.get(key)) for key in ("last_name", "first_name")}
    person["id"] = patient.get("member_id", subscriber.get("member_id"))
    days = service_days(parameters["claim"])
    level = {"statuses": statuses, "claim_id_number": "NA", "tracking_id": activity_id.upper()}
    if days:
        level |= {"service_date": min(days), "service_end_date": max(days)}
    result = {
        "client_id": parameters["client_id"],
        "correlation_id": activity_id,
        "trading_partner_id": parameters["trading_partner_id"],
        "clearinghouse": sample("claims")["platform"]["clearinghouse"] | {"date_received": day, "date_processed": day},
        "submitter": {
            "organization_name": parameters["submitter"]["organization_name"],
            "id": parameters["submitter"]["id"],
            "tracking_id": day.replace("-", "") + activity_id[-9:],
            "statuses": statuses,
            **totals,
        },
        "providers": [provider],
        "patient": {key: value for key, value in person.items() if value is not None} | {"claim_level_info": level},
    }
    if accepted:
        return {"result": result, "tracking_description": "acknowledged"}
    return {"result": result, "tracking_description": "rejected", "state": "rejected"}


def _trigger(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    values = set(_trigger_values(parameters))
    triggers: list[dict[str, Any]] = sample("claims")["triggers"]
    return next((trigger for trigger in triggers if (trigger["member"], trigger["value"]) in values), None)


def _trigger_values(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for person in (parameters["subscriber"], parameters.get("patient", {})):
        if "member_id" in person:
            yield "member_id", person["member_id"]
    for line in parameters["claim"]["service_lines"]:
        for code in line["diagnosis_codes"]:
            yield "diagnosis_codes", code


def decimal_or_none(text: str) -> Decimal | None:
    """Read an amount or a count; None when it is no number of a size that makes sense."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and -30 < number.adjusted() < 30 else None


def total_charge(claim: Mapping[str, Any]) -> Decimal:
    """Return the total charge, or what the lines add up to when it was left out."""
    total = decimal_or_none(claim["total_charge_amount"]) if "total_charge_amount" in claim else None
    if total is None:
        total = sum((decimal_or_none(line["charge_amount"]) or Decimal() for line in claim["service_lines"]), Decimal())
    return total


def dollars(amount: Decimal) -> dict[str, str]:
    """Write an amount as the platform does."""
    return {"amount": format(amount, "f"), "currency": "USD"}


def service_days(claim: Mapping[str, Any]) -> list[str]:
    """Return the first and last days of all service lines, as they were sent."""
    lines = claim["service_lines"]
    return [line[key] for line in lines for key in ("service_date", "service_end_date") if key in line]
