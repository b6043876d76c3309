"""Claim drafts: stored as they come, validated when asked to. No example of these operations was ever shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError
from pokitdok_sandbox.checks import is_npi
from pokitdok_sandbox.claim_outcomes import decimal_or_none
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.trading_partners import partner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "claim_draft"
CORRECTED = "corrected"


def create_claim_draft(call: Call) -> Answer:
    """Store a draft."""
    draft = {"id": call.world.new_id(call.now), "draft": call.body["draft"]}
    call.world.store.put_document(KIND, draft["id"], draft, owner=call.client_id)
    return Answer(draft)


def list_claim_drafts(call: Call) -> Answer:
    """Answer the drafts of the application, oldest first."""
    return page(call, call.world.store.documents(KIND, owner=call.client_id))


def get_claim_draft(call: Call) -> Answer:
    """Answer one draft."""
    return Answer(_found(call))


def update_claim_draft(call: Call) -> Answer:
    """Replace the content of a draft."""
    draft = _found(call) | {"draft": call.body["draft"]}
    call.world.store.put_document(KIND, draft["id"], draft, owner=call.client_id)
    return Answer(draft)


def delete_claim_draft(call: Call) -> Answer:
    """Forget a draft; what the platform answered is not known, so that is empty."""
    _found(call)
    call.world.store.delete_document(KIND, call.path["id"], owner=call.client_id)
    return Answer({})


def validate_claim_draft(call: Call) -> Answer:
    """Answer one draft with what is wrong with it."""
    draft = _found(call)
    return Answer(draft | {"validation_result": _verdict(draft["draft"])})


def validate_claim(call: Call) -> Answer:
    """Answer what is wrong with a claim that was not sent; what its schema refuses is refused before."""
    return Answer(_verdict(call.body))


def _found(call: Call) -> dict[str, Any]:
    draft = call.world.store.document(KIND, call.path["id"], owner=call.client_id)
    if draft is None:
        raise RefusalError(404, {"query": "No draft has this id."})
    return draft


def _verdict(claim: Mapping[str, Any]) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    for place, text in _findings(claim):
        inner = wrong
        for step in place[:-1]:
            inner = inner.setdefault(step, {})
        inner[place[-1]] = [text]
    return {"validation": wrong} if wrong else {}


def _findings(body: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield where a claim breaks a rule that the documentation or the 837 guide names, and which."""
    payer = partner(body["trading_partner_id"]) if "trading_partner_id" in body else None
    if payer is None or "837" not in payer["supported_transactions"]:
        yield ("trading_partner_id",), "No trading partner that takes claims."
    billing = body.get("billing_provider", {})
    for name in ("npi", "tax_id", "address"):
        if name not in billing:
            yield ("billing_provider", name), "An 837 needs it."
    if "npi" in billing and not is_npi(billing["npi"]):
        yield ("billing_provider", "npi"), "Not a valid NPI."
    if "organization_name" in billing and "last_name" in billing:
        yield ("billing_provider", "organization_name"), "Either a person or an organization."
    if "member_id" not in body.get("subscriber", {}):
        yield ("subscriber", "member_id"), "An 837 needs it."
    claim = body.get("claim", {})
    if claim.get("claim_frequency") == CORRECTED and "original_reference_number" not in claim:
        yield ("claim", "original_reference_number"), "A corrected claim needs it."
    lines = claim.get("service_lines", [])
    if not lines:
        yield ("claim", "service_lines"), "A claim needs at least one."
    amounts = [decimal_or_none(str(line["charge_amount"])) for line in lines if "charge_amount" in line]
    for number, line in enumerate(lines):
        for name in ("charge_amount", "unit_count"):
            if name in line and decimal_or_none(str(line[name])) is None:
                yield ("claim", "service_lines", str(number), name), "Not a number."
    total = decimal_or_none(str(claim["total_charge_amount"])) if "total_charge_amount" in claim else None
    known = [amount for amount in amounts if amount is not None]
    if total is not None and len(known) == len(lines) > 0 and total != sum(known):
        yield ("claim", "total_charge_amount"), "Not what the service lines add up to."


HANDLERS = {
    "create_claim_draft": Handler(create_claim_draft, activity="claims"),
    "list_claim_drafts": Handler(list_claim_drafts, activity="claims"),
    "get_claim_draft": Handler(get_claim_draft, activity="claims"),
    "update_claim_draft": Handler(update_claim_draft, activity="claims"),
    "delete_claim_draft": Handler(delete_claim_draft, activity="claims"),
    "validate_claim": Handler(validate_claim, activity="claims"),
    "validate_claim_draft": Handler(validate_claim_draft, activity="claims"),
}
