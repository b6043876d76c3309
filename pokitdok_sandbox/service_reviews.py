"""Authorizations and referrals: what payers decide on a service (278). Outcomes are in data/service_reviews.yaml."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, invalid
from pokitdok_sandbox.checks import require_npi
from pokitdok_sandbox.exchanges import MOCK, answer, ask, partner_for, require_real_time
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12_forms import GIVES, TAKES, question

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERRAL = "specialty_care_review"
CATEGORIES = {
    "authorizations": ("admission_review", "individual", "health_services_review"),
    "referrals": (REFERRAL,),
}
NAMES = ("first_name", "middle_name", "last_name", "suffix", "organization_name")


def request_review(call: Call) -> Answer:
    """Answer a request for an authorization or a referral with the decision of the payer.

    MOCKPAYER certifies in total, as recorded: with one number and one diagnosis for everybody, the services and the
    birth date dropped, NPIs moved to tax_id. Other partners keep what was sent and number what they certify. Members
    listed in the data file have outcomes of their own with all of them.
    """
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "278")
    event = body["event"]
    require_npi("provider", body["provider"])
    if "end_date" in event and "start_date" not in event:
        raise invalid({"event": {"end_date": ["Only with start_date."]}})
    if event.get("category") not in CATEGORIES[call.record["name"]]:
        call.warnings.append(f"/event/category: not one that is documented for {call.record['name']}")
    require_real_time(payer, "278")
    correlation_id = ask(call, payer)
    members = [body[name].get("id") for name in ("patient", "subscriber") if name in body]
    listed = sample("service_reviews")["members"]
    known: Mapping[str, Any] = next((listed[member] for member in members if member in listed), {})
    result = {
        "client_id": call.client_id,
        "correlation_id": correlation_id,
        "async": False,
        "trading_partner_id": payer["id"],
        "originating_company_id": sample("service_reviews")["originating_company_id"],
        "payer": {"organization_name": payer.get("name_in_answers", payer["name"]), "id": payer["id"]},
        **(_as_mock(body) if payer["id"] == MOCK else _as_sent(body)),
    }
    rejection = known.get("rejection")
    if rejection is None:
        review = known.get("review", {"certification_action": "certified_in_total"})
        result["valid_request"] = True
        result["event"]["review"] = {**review, "second_surgical_opinion_required": False}
        if review["certification_action"] in sample("service_reviews")["numbered"]:
            result["event"]["review"]["certification_number"] = _number(call, payer)
    else:
        told = {key: rejection[key] for key in ("reason", "follow_up_action")}
        result |= {
            "valid_request": False,
            "reject_reason": told["reason"],
            "follow_up_action": told["follow_up_action"],
        }
        result[rejection["place"]]["rejections"] = [{"valid_request": False, **told}]
    return answer(call, result)


def _as_mock(body: Mapping[str, Any]) -> dict[str, Any]:
    event = {key: deepcopy(value) for key, value in body["event"].items() if key != "services"}
    event["diagnoses"] = deepcopy(sample("service_reviews")["mock_diagnoses"])
    if "provider" in event:
        event["provider"] = _with_npi_as_tax_id(event["provider"])
    people = {
        name: {key: body[name][key] for key in ("id", *NAMES) if key in body[name]}
        for name in ("patient", "subscriber")
        if name in body
    }
    return {"event": event, "provider": _with_npi_as_tax_id(body["provider"]), **people}


def _with_npi_as_tax_id(provider: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: provider[key] for key in NAMES if key in provider}
    number = provider.get("npi", provider.get("tax_id"))
    return told if number is None else told | {"tax_id": number}


def _as_sent(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: deepcopy(body[key]) for key in ("event", "provider", "patient", "subscriber") if key in body}


def _number(call: Call, payer: Mapping[str, Any]) -> str:
    """Return the number of a new certification: always the same from MOCKPAYER, counted up by other partners."""
    if payer["id"] == MOCK:
        number: str = sample("service_reviews")["mock_certification_number"]
        return number
    store = call.world.store
    store.put_document("certification", call.record["id"], {"activity_id": call.record["id"]}, owner=payer["id"])
    return f"AUTH{len(store.documents('certification', owner=payer['id'])) + 1:04d}"


HANDLERS = {
    f"request_{kind}": Handler(
        request_review, activity=f"{kind}s", billed=True, takes=TAKES, gives=GIVES, x12=question("278", "278")
    )
    for kind in ("authorization", "referral")
}
