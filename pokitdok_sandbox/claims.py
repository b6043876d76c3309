"""Claims: a submitted claim becomes an activity; what the payer will say about it. Triggers are in data/claims.yaml."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import require_npi
from pokitdok_sandbox.lifecycle import view
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.trading_partners import partner_for
from pokitdok_sandbox.world import wire_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOT_ECHOED = {"application_data", "callback_url"}
CLAIM_NUMBERS = ("total_charge_amount", "patient_paid_amount")
LINE_NUMBERS = ("charge_amount", "unit_count")


def submit_claim(call: Call) -> Answer:
    """Take a claim and answer at once with the activity that follows it; the outcome comes by the clock."""
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "837")
    require_npi("billing_provider", body["billing_provider"])
    if "837" not in payer["supported_transactions"]:
        raise RefusalError(422, {"query": "This trading partner is not configured for 837."})
    if "callback_url" in body:
        call.warnings.append("/callback_url: this sandbox posts no callbacks")
    parameters = completed(body, payer, client_id=call.client_id, correlation_id=call.world.new_uuid())
    call.record.update(
        {
            "path": "queued",
            "trading_partner_id": payer["id"],
            "parameters": parameters,
            "outcome": outcome(parameters, call.record["id"], call.now),
        }
    )
    if "callback_url" in body:
        call.record["callback_url"] = body["callback_url"]
    return Answer(view(call.record, call.now, speed=1.0))


def completed(
    body: Mapping[str, Any], payer: Mapping[str, Any], *, client_id: str, correlation_id: str
) -> dict[str, Any]:
    """Return the claim as the platform echoes it: defaults filled in, numbers as text, parties set by the platform.

    Raises:
        RefusalError: An amount is no number; 422, naming the field.
    """
    platform = sample("claims")["platform"]
    defaults = sample("claims")["defaults"]
    echo: dict[str, Any] = {key: deepcopy(value) for key, value in body.items() if key not in NOT_ECHOED}
    echo = deepcopy(defaults["request"]) | echo
    echo["subscriber"] = defaults["subscriber"] | echo["subscriber"]
    claim = echo["claim"] = defaults["claim"] | echo["claim"]
    claim["service_lines"] = [defaults["service_line"] | line for line in claim["service_lines"]]
    wrong: dict[str, Any] = {**_write_numbers(claim, CLAIM_NUMBERS)}
    lines = {
        str(n): bad for n, line in enumerate(claim["service_lines"]) if (bad := _write_numbers(line, LINE_NUMBERS))
    }
    if lines:
        wrong["service_lines"] = lines
    if wrong:
        raise invalid({"claim": wrong})
    is_mock = payer["id"] == "MOCKPAYER"
    return echo | {
        "payer": {"organization_name": payer["id"] if is_mock else payer["name"], "id": payer["id"]},
        "receiver": platform["receiver"] if is_mock else {"organization_name": payer["name"], "id": payer["id"]},
        "submitter": platform["submitter"],
        "client_id": client_id,
        "correlation_id": correlation_id,
    }


def outcome(parameters: Mapping[str, Any], activity_id: str, now: float) -> dict[str, Any]:
    """Return what the payer will answer: acceptance, or with MOCKPAYER and a trigger value a rejection."""
    texts = sample("claims")["statuses"]
    trigger = _trigger(parameters) if parameters["trading_partner_id"] == "MOCKPAYER" else None
    accepted = trigger is None
    status = texts["accepted"] if trigger is None else texts["rejected"] | trigger["status"]
    day = wire_date(now)
    money = {"amount": _amount(parameters["claim"]), "currency": "USD"}
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
    days = [
        line[key]
        for line in parameters["claim"]["service_lines"]
        for key in ("service_date", "service_end_date")
        if key in line
    ]
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


def _write_numbers(holder: dict[str, Any], names: tuple[str, ...]) -> dict[str, list[str]]:
    """Turn the named numbers into text, in place; return messages for those that are no numbers."""
    wrong = {}
    for name in names:
        if name in holder:
            holder[name] = str(holder[name])
            if _decimal(holder[name]) is None:
                wrong[name] = ["Not a number."]
    return wrong


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and -30 < number.adjusted() < 30 else None


def _amount(claim: Mapping[str, Any]) -> str:
    """Return the total charge, or what the lines add up to when it was left out."""
    total = _decimal(claim["total_charge_amount"]) if "total_charge_amount" in claim else None
    if total is None:
        total = sum((_decimal(line["charge_amount"]) or Decimal() for line in claim["service_lines"]), Decimal())
    return format(total, "f")


HANDLERS = {"submit_claim": Handler(submit_claim, activity="claims", billed=True)}
