"""Payments: the mock payment of a claim, and the search over those that came in. How one is worked out: remittances."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.claim_outcomes import decimal_or_none
from pokitdok_sandbox.contract import JSON, X12
from pokitdok_sandbox.lifecycle import outcomes, reached
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.remittances import claim_payment, payment_of, remittance
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.world import wire_date, wire_time
from pokitdok_sandbox.x12_forms import PAYMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "payment"
AFTER = 450.0
"""Seconds after the claim was sent at which its mock payment comes; ours, the documentation names no time."""
RANGES = {
    "effective_date_start": ("effective_date", True),
    "effective_date_end": ("effective_date", False),
    "received_date_start": ("received_date", True),
    "received_date_end": ("received_date", False),
}
"""Range filters: the member of the summary they look at, and whether they are its lower end."""


def pay(call: Call, parameters: Mapping[str, Any], payer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the second outcome of a claim, its payment, and keep it for the payments API until that time comes."""
    name = payer.get("name_in_answers", payer["name"])
    kind, result = payment_of(parameters, call.record["id"], name, wire_date(call.now))
    payment = {"id": call.world.new_id(call.now), "activity_id": call.record["id"], "result": result}
    call.world.store.put_document(KIND, payment["id"], payment | {"trading_partner_id": payer["id"]})
    tracking = sample("payments")["kinds"][kind]["tracking_description"]
    return {"after": AFTER, "result": result, "tracking_description": tracking, "payment_id": payment["id"]}


def list_payments(call: Call) -> Answer:
    """Answer the payments that every filter of the query lets through, oldest first."""
    wanted = dict(call.query)
    amount = wanted.pop("amount", None)
    if amount is not None:
        wanted["amount"] = decimal_or_none(amount)
        if wanted["amount"] is None:
            raise invalid({"amount": ["Not a number."]})
    found = [summary for payment in _received(call) if _passes(summary := _summary(payment), payment, wanted)]
    return page(call, found)


def get_payment(call: Call) -> Answer:
    """Answer one payment without its claims."""
    payment = _found(call)
    summary = _summary(payment)
    result = payment["result"]
    shown = {key: result[key] for key in ("financial_information", "payee", "payer")}
    kept = ("id", "linked_activity_count", "payment_type", "trading_partner_id", "transaction_count")
    return Answer({key: summary[key] for key in kept} | shown)


def get_payment_data(call: Call) -> Answer:
    """Answer the claim payments of one payment."""
    return Answer(_found(call)["result"])


def _found(call: Call) -> dict[str, Any]:
    payment = next((one for one in _received(call) if one["id"] == call.path["id"]), None)
    if payment is None:
        raise RefusalError(404, {"query": "No payment has this id."})
    return payment


def _received(call: Call) -> Iterator[dict[str, Any]]:
    """Yield the payments of the application that have come in by now, each with the time at which it did."""
    for entry in [] if call.world.settings.empty else sample("payments")["earlier"]:
        yield _earlier(entry)
    for payment in call.world.store.documents(KIND):
        record = call.world.store.activity(payment["activity_id"], seen_by=call.client_id)
        if record is None or record.get("ended") == "canceled":
            continue
        moments = reached(record, call.now, call.world.settings.pace)
        for moment, outcome in outcomes(record, moments):
            if outcome.get("payment_id") == payment["id"]:
                yield payment | {"received_date": wire_time(moment)}


def _earlier(entry: Mapping[str, Any]) -> dict[str, Any]:
    paid = [
        claim_payment(
            claim["kind"],
            [
                {
                    "procedure_code": claim["procedure"],
                    "charge_amount": claim["charge"],
                    "service_date": claim["service_date"],
                }
            ],
            charged=Decimal(claim["charge"]),
            number=number,
            control_number=f"{entry['check_eft_trace_number']}{number:02d}",
            patient=f"{entry['check_eft_trace_number']}P{number:02d}",
        )
        for number, claim in enumerate(entry["claims"], 1)
    ]
    result = remittance(
        paid,
        payer={"name": entry["payer_name"], "id": entry["trading_partner_id"]},
        payee=entry["payee"],
        patient=entry["claims"][0]["patient"],
        trace_number=entry["check_eft_trace_number"],
        day=entry["effective_date"],
    )
    kept = {key: entry[key] for key in ("id", "trading_partner_id", "received_date")}
    return {**kept, "result": result}


def _summary(payment: Mapping[str, Any]) -> dict[str, Any]:
    result = payment["result"]
    return {
        "id": payment["id"],
        "effective_date": result["financial_information"]["effective_date"],
        "linked_activity_count": int("activity_id" in payment),
        "payment_type": "claim_payment",
        "received_date": payment["received_date"],
        "total": result["financial_information"]["payment_amount"],
        "trading_partner_id": payment["trading_partner_id"],
        "transaction_count": len(result["claim_payments"]),
    }


def _passes(summary: Mapping[str, Any], payment: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    trace = payment["result"]["financial_information"]["check_eft_trace_number"]
    exact = {**summary, "check_eft_trace_number": trace, "amount": Decimal(summary["total"]["amount"])}
    for name, value in wanted.items():
        if name in RANGES:
            member, is_lower = RANGES[name]
            day = summary[member][:10]
            if (day < value) if is_lower else (day > value):
                return False
        elif name in exact and exact[name] != value:
            return False
    return True


HANDLERS = {
    "list_payments": Handler(list_payments, activity="payments"),
    "get_payment": Handler(get_payment, activity="payments"),
    "get_payment_data": Handler(get_payment_data, activity="payments", gives=frozenset({"", JSON, X12}), x12=PAYMENT),
}
