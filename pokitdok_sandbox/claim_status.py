"""Claim status: what payers know of a claim. Claims that were sent here come first, then data/claim_status.yaml."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, invalid
from pokitdok_sandbox.checks import require_npi
from pokitdok_sandbox.claim_outcomes import decimal_or_none, dollars, service_days, total_charge
from pokitdok_sandbox.exchanges import MOCK, answer, ask, partner_for, require_real_time
from pokitdok_sandbox.lifecycle import outcomes, reached
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.world import wire_date
from pokitdok_sandbox.x12_forms import GIVES, TAKES, question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PERSON = ("id", "first_name", "middle_name", "last_name", "suffix")
NAMED = ("npi", "first_name", "last_name", "organization_name")
NONE = dollars(Decimal(0))


def check_claim_status(call: Call) -> Answer:
    """Answer about the claims of a patient.

    Claims that were sent to this sandbox are answered as they stand. About others MOCKPAYER tells of the one paid claim
    that it told everybody of, in which only the dates follow the question; other partners know nothing of them.
    """
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "276")
    absent = {name: [REQUIRED] for name in ("patient", "provider", "service_date") if name not in body}
    if absent and "tracking_id" not in body and "claims_activity_id" not in body:
        raise invalid(absent)
    provider = body.get("provider", {})
    require_npi("provider", provider)
    require_real_time(payer, "276")
    follows = _claim_asked_for(call)
    correlation_id = ask(call, payer)
    named = {key: provider[key] for key in NAMED if key in provider}
    submitter = {key: value for key, value in named.items() if key != "npi"}
    if "npi" in named:
        submitter["id"] = named["npi"]
    result: dict[str, Any] = {
        "client_id": call.client_id,
        "correlation_id": correlation_id,
        "trading_partner_id": payer["id"],
        "payer": {"id": payer["id"], "name": payer.get("name_in_answers", payer["name"])},
        "submitter": submitter,
        "providers": [named],
    }
    if provider.get("npi") in sample("claim_status")["providers"]:
        result["providers"] = [named | {"trace_number": "0", "statuses": [_status(call, "provider_unknown")]}]
    else:
        patient = {key: body["patient"][key] for key in PERSON if key in body.get("patient", {})}
        result["patient"] = patient | {"claims": _claims(call, payer, follows)}
    if follows is not None:
        follows["appended"] = [*follows.get("appended", []), {"at": call.now, "result": result}]
        call.world.store.put_activity(follows)
    return answer(call, result)


def _claim_asked_for(call: Call) -> dict[str, Any] | None:
    """Return the claim named by claims_activity_id; one that is not known here is warned of."""
    activity_id = call.body.get("claims_activity_id")
    if activity_id is None:
        return None
    record = call.world.store.activity(activity_id, seen_by=call.client_id)
    if record is None or record["name"] != "claims" or "claim" not in record.get("parameters", {}):
        call.warnings.append("/claims_activity_id: no claim has this activity")
        return None
    return record


def _claims(call: Call, payer: Mapping[str, Any], follows: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    sent = [follows] if follows is not None else list(_sent(call, payer))
    if sent:
        return [_sent_claim(call, record) for record in sent]
    data = sample("claim_status")
    member = call.body.get("patient", {}).get("id")
    kind = data["members"].get(member, "standard") if payer["id"] == MOCK else "not_found"
    if kind == "not_found" or "service_date" not in call.body:
        return [_not_found(call)]
    return [_made_up(call, data["claims"][kind])]


def _sent(call: Call, payer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the claims sent here that fit the question, oldest first."""
    body, store = call.body, call.world.store
    tracking = body.get("tracking_id", "").lower()
    if tracking:
        found = store.activity(tracking, seen_by=call.client_id)
        if found is not None and "claim" in found.get("parameters", {}):
            yield found
        return
    person = body["patient"].get("id") or body.get("subscriber", {}).get("id")
    for claim in store.documents("claim", owner=person) if person else []:
        record = store.activity(claim["activity_id"], seen_by=call.client_id)
        if record is not None and record["trading_partner_id"] == payer["id"] and _fits(record["parameters"], body):
            yield record


def _fits(parameters: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    days = service_days(parameters["claim"])
    first, last = body["service_date"], body.get("service_end_date", body["service_date"])
    wanted = body.get("claim_charge_amount")
    charged = total_charge(parameters["claim"])
    return (not days or (min(days) <= last and first <= max(days))) and (
        wanted is None or decimal_or_none(wanted) == charged
    )


def _sent_claim(call: Call, record: Mapping[str, Any]) -> dict[str, Any]:
    parameters = record["parameters"]
    claim = parameters["claim"]
    moments = reached(record, call.now, call.world.settings.pace)
    known = [] if record.get("ended") == "canceled" else [outcome for _, outcome in outcomes(record, moments)]
    known = [outcome for outcome in known if "tracking_description" in outcome]
    if not known:  # not transmitted yet, or never: the payer has not seen it
        return _not_found(call)
    payment = next((outcome["result"] for outcome in known if "payment_id" in outcome), None)
    days = service_days(claim)
    told: dict[str, Any] = {
        "tracking_id": record["id"].upper(),
        "claim_control_number": record["id"][-12:].upper(),
        "total_claim_amount": dollars(total_charge(claim)),
        "applied_to_deductible": False,
        "claim_payment_amount": NONE,
        **({"service_date": min(days), "service_end_date": max(days)} if days else {}),
    }
    if payment is None:
        kind = "rejected" if known[-1].get("state") == "rejected" else "accepted"
        first = record["outcomes"][0]["result"]["patient"]["claim_level_info"]["statuses"][0]
        own = {key: first[key] for key in ("status_code", "status_code_value") if key in first}
        return told | {"statuses": [_status(call, kind) | own | {"total_claim_amount": told["total_claim_amount"]}]}
    paid = payment["claim_payments"][0]
    money = payment["financial_information"]
    amounts = {"total_claim_amount": told["total_claim_amount"], "claim_payment_amount": paid["payment_amount"]}
    facts = {"adjudication_finalized_date": money["effective_date"], "remittance_date": money["effective_date"]}
    facts["check_number"] = money["check_eft_trace_number"]
    status = _status(call, "denied" if paid["status"] == "denied" else "paid")
    services = [_service(call, status, line) for line in paid["services"]]
    reasons = {adjustment["reason_code"] for line in paid["services"] for adjustment in line.get("adjustments", [])}
    return (
        told
        | amounts
        | facts
        | {"statuses": [status | amounts | facts], "services": services, "applied_to_deductible": "1" in reasons}
    )


def _service(call: Call, status: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    days = {"service_date": line["service_date"], "service_end_date": line["service_date"]}
    return {
        "cpt_code": line["adjudicated_procedure_code"],
        "charge_amount": line["charge_amount"],
        "payment_amount": line["provider_payment_amount"],
        **days,
        "statuses": [{**status, "status_effective_date": wire_date(call.now)}],
    }


def _made_up(call: Call, claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claim of the data file as it would be found for the dates of the question."""
    first = call.body["service_date"]
    last = call.body.get("service_end_date", first)
    charged, paid = dollars(Decimal(claim["charged"])), dollars(Decimal(claim["paid"]))
    facts: dict[str, Any] = {}
    if "finalized_days" in claim:
        facts["adjudication_finalized_date"] = _days_after(last, claim["finalized_days"])
    if "remitted_days" in claim:
        facts["remittance_date"] = _days_after(last, claim["remitted_days"])
    if "check_number" in claim:
        facts["check_number"] = claim["check_number"]
    amounts = {"total_claim_amount": charged, "claim_payment_amount": paid}
    status = _status(call, claim["status"])
    line = {
        "adjudicated_procedure_code": claim["procedure"],
        "charge_amount": charged,
        "provider_payment_amount": paid,
        "service_date": first,
    }
    return {
        **{key: claim[key] for key in ("tracking_id", "claim_control_number", "applied_to_deductible")},
        **amounts,
        **facts,
        "service_date": first,
        "service_end_date": last,
        "statuses": [status | amounts | facts],
        "services": [_service(call, status, line)],
    }


def _not_found(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {
        "applied_to_deductible": False,
        "claim_control_number": "NOT APPLICABLE",
        "claim_payment_amount": NONE,
        "total_claim_amount": NONE,
        "tracking_id": call.body.get("tracking_id") or call.record["id"].upper(),
        "statuses": [
            _status(call, "not_found") | {"total_claim_amount": NONE, "claim_payment_amount": NONE},
        ],
    }
    if "service_date" in call.body:
        first = call.body["service_date"]
        found |= {"service_date": first, "service_end_date": call.body.get("service_end_date", first)}
    return found


def _status(call: Call, kind: str) -> dict[str, Any]:
    return {**sample("claim_status")["statuses"][kind], "status_effective_date": wire_date(call.now)}


def _days_after(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days)).isoformat()
    except (ValueError, OverflowError):
        return day


HANDLERS = {
    "check_claim_status": Handler(
        check_claim_status,
        activity="claims_status",
        billed=True,
        takes=TAKES,
        gives=GIVES,
        x12=question(
            "276",
            "277",
        ),
    )
}
