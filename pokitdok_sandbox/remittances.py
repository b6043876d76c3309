"""The payment of claims as an 835 tells it: who pays what, and what is held back. Kinds are in data/payments.yaml."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.claim_outcomes import decimal_or_none, dollars, total_charge
from pokitdok_sandbox.samples import sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CENT = Decimal("0.01")


def kind_for(members: Iterable[str]) -> str:
    """Return how claims about these member ids are paid."""
    listed: dict[str, str] = sample("payments")["members"]
    return next((listed[member] for member in members if member in listed), "standard")


def claim_payment(
    kind: str, lines: Sequence[Mapping[str, Any]], *, charged: Decimal, number: int, control_number: str, patient: str
) -> dict[str, Any]:
    """Return what is paid for one claim.

    Args:
        kind: Entry of kinds in the data file.
        lines: Service lines of the claim request.
        charged: Total of the claim.
        number: Place of the claim in the payment, from 1.
        control_number: The payer's number of the claim.
        patient: The provider's number of the claim.
    """
    services = [_service(kind, line) for line in lines]
    responsibility = sum(
        (
            Decimal(adjustment["amount"]["amount"])
            for service in services
            for adjustment in service.get("adjustments", [])
            if adjustment["group"] == "patient_responsibility"
        ),
        Decimal("0.00"),
    )
    return {
        "assigned_number": number,
        "control_number": control_number,
        "patient_control_number": patient,
        "filing_indicator": "preferred_provider_organization",
        "claim_frequency": "original",
        "status": sample("payments")["kinds"][kind]["status"],
        "total_charge_amount": dollars(charged),
        "payment_amount": dollars(_paid(services)),
        "patient_responsibility_amount": dollars(responsibility),
        "services": services,
    }


def remittance(
    claim_payments: list[dict[str, Any]],
    *,
    payer: Mapping[str, Any],
    payee: Mapping[str, Any],
    patient: Mapping[str, Any],
    trace_number: str,
    day: str,
) -> dict[str, Any]:
    """Return a whole ClaimPaymentResult; ``day`` is the date of the payment."""
    data = sample("payments")
    total = sum((Decimal(claim["payment_amount"]["amount"]) for claim in claim_payments), Decimal("0.00"))
    handling = "payment_accompanies_remittance_advice" if total else "notification_only"
    return {
        "meta": {"transaction_created_date": day},
        "production_date": day,
        "transaction_type": handling,
        "financial_information": {
            "check_eft_trace_number": trace_number,
            "transaction_type": "credit",
            "effective_date": day,
            "originating_company_id": data["originating_company_id"],
            "payment_amount": dollars(total),
            "payment_method": "check" if total else "non_payment_data",
            "transaction_handling": handling,
        },
        "payer": {**payer, **data["payer"]},
        "payee": dict(payee),
        "patient": dict(patient),
        "claim_payments": claim_payments,
    }


def payment_of(
    parameters: Mapping[str, Any], activity_id: str, payer_name: str, day: str
) -> tuple[str, dict[str, Any]]:
    """Return the kind of payment that a claim gets, and its remittance."""
    billing = parameters["billing_provider"]
    name = billing.get("organization_name") or f"{billing.get('first_name', '')} {billing.get('last_name', '')}".strip()
    person = {**parameters["subscriber"], **parameters.get("patient", {})}
    members = [parameters.get("patient", {}).get("member_id"), parameters["subscriber"].get("member_id")]
    kind = kind_for(filter(None, members))
    paid = claim_payment(
        kind,
        parameters["claim"]["service_lines"],
        charged=total_charge(parameters["claim"]),
        number=1,
        control_number=activity_id[-12:].upper(),
        patient=parameters["claim"].get("patient_control_number", activity_id),
    )
    patient = {key: person[key] for key in ("first_name", "last_name") if key in person}
    if "member_id" in person:
        patient["id"] = person["member_id"]
    return kind, remittance(
        [paid],
        payer={"name": payer_name, "id": parameters["trading_partner_id"]},
        payee={"name": name, **{key: billing[key] for key in ("npi", "tax_id", "address") if key in billing}},
        patient=patient,
        trace_number=f"SBX{activity_id[-9:].upper()}",
        day=day,
    )


def _service(kind: str, line: Mapping[str, Any]) -> dict[str, Any]:
    rule = sample("payments")["kinds"][kind]
    charge = (decimal_or_none(line["charge_amount"]) or Decimal()).quantize(CENT, ROUND_HALF_UP)
    paid = _share(charge, rule["paid"])
    left = charge - paid
    adjustments = []
    for position, adjustment in enumerate(rule["adjustments"], 1):
        amount = left if position == len(rule["adjustments"]) else min(left, _share(charge, adjustment["share"]))
        left -= amount
        told = {key: adjustment[key] for key in ("group", "reason", "reason_code")}
        adjustments.append({**told, "amount": dollars(amount)})
    units = int(decimal_or_none(line.get("unit_count", "1")) or 1)
    service: dict[str, Any] = {
        "adjudicated_procedure_code": line["procedure_code"],
        "adjudicated_procedure_code_qualifier": "health_care",
        "charge_amount": dollars(charge),
        "provider_payment_amount": dollars(paid),
        "service_units_submitted": units,
        "service_units_paid": units if paid else 0,
    }
    if "service_date" in line:
        service["service_date"] = line["service_date"]
    if "provider_control_number" in line:
        service["control_number"] = line["provider_control_number"]
    if adjustments:
        service["adjustments"] = adjustments
    return service


def _paid(services: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((Decimal(service["provider_payment_amount"]["amount"]) for service in services), Decimal("0.00"))


def _share(charge: Decimal, share: str) -> Decimal:
    return (charge * Decimal(share)).quantize(CENT, ROUND_HALF_UP)
