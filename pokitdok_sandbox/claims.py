"""Claims: a submitted claim becomes an activity. What the payer will say about it is in claim_outcomes and payments."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox import payments
from pokitdok_sandbox.calls import Answer, Call, Handler, invalid
from pokitdok_sandbox.checks import require_npi
from pokitdok_sandbox.claim_outcomes import acknowledgement, decimal_or_none
from pokitdok_sandbox.exchanges import MOCK, NOT_ECHOED, keep_caller_data, opened, partner_for, require_batch
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12_forms import CLAIM, GIVES, TAKES

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAIM_NUMBERS = ("total_charge_amount", "patient_paid_amount")
LINE_NUMBERS = ("charge_amount", "unit_count")


def submit_claim(call: Call) -> Answer:
    """Take a claim and answer at once with the activity that follows it; the outcomes come as it advances."""
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "837")
    require_npi("billing_provider", body["billing_provider"])
    require_batch(payer, "837")
    keep_caller_data(call)
    take(call, body, payer)
    return Answer(opened(call))


def take(call: Call, body: Mapping[str, Any], payer: Mapping[str, Any]) -> None:
    """Make the activity of the call the one of this claim, and let the payer know the claim.

    Raises:
        RefusalError: An amount is no number; 422, naming the field.
    """
    parameters = completed(body, payer, client_id=call.client_id, correlation_id=call.world.new_uuid())
    call.record.update({"path": "queued", "trading_partner_id": payer["id"], "parameters": parameters})
    call.record["outcomes"] = [acknowledgement(parameters, call.record["id"], call.now)]
    pays = body.get("application_data", {}).get("mock_claim_payment") is True and payer["id"] == MOCK
    if pays and call.record["outcomes"][0]["tracking_description"] == "acknowledged":
        call.record["outcomes"].append(payments.pay(call, parameters, payer))
    for person in people(parameters):
        call.world.store.put_document("claim", call.record["id"], {"activity_id": call.record["id"]}, owner=person)


def people(parameters: Mapping[str, Any]) -> list[str]:
    """Return the member ids that a claim is about: of the subscriber, and of the patient where that is another."""
    members = (parameters["subscriber"].get("member_id"), parameters.get("patient", {}).get("member_id"))
    return list(dict.fromkeys(member for member in members if member))


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
    is_mock = payer["id"] == MOCK
    return echo | {
        "payer": {"organization_name": payer["id"] if is_mock else payer["name"], "id": payer["id"]},
        "receiver": platform["receiver"] if is_mock else {"organization_name": payer["name"], "id": payer["id"]},
        "submitter": platform["submitter"],
        "client_id": client_id,
        "correlation_id": correlation_id,
    }


def _write_numbers(holder: dict[str, Any], names: tuple[str, ...]) -> dict[str, list[str]]:
    """Turn the named numbers into text, in place; return messages for those that are no numbers."""
    wrong = {}
    for name in names:
        if name in holder:
            holder[name] = str(holder[name])
            if decimal_or_none(holder[name]) is None:
                wrong[name] = ["Not a number."]
    return wrong


HANDLERS = {"submit_claim": Handler(submit_claim, activity="claims", billed=True, takes=TAKES, gives=GIVES, x12=CLAIM)}
