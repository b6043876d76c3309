"""Eligibility: what the mock payer answers about a member. Plans and invented members are in data/eligibility.yaml."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import require_npi
from pokitdok_sandbox.samples import filled, sample
from pokitdok_sandbox.trading_partners import partner_for
from pokitdok_sandbox.world import wire_date

if TYPE_CHECKING:
    from collections.abc import Mapping

ECHOED = ("id", "first_name", "middle_name", "last_name", "suffix", "birth_date", "gender", "group_number")
NOT_ECHOED = {"application_data", "callback_url"}


def check_eligibility(call: Call) -> Answer:
    """Answer as MOCKPAYER did: whatever was asked, its one plan comes back, with the member's own names in it.

    Members listed in data/eligibility.yaml answer otherwise: without coverage, with a rejection, with a 999.
    """
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "270")
    require_npi("provider", body["provider"])
    member = body["member"]
    if not member.keys() & {"id", "birth_date"}:
        raise invalid({"member": {"id": [REQUIRED], "birth_date": [REQUIRED]}})
    if "270" not in payer["supported_transactions"]:
        raise RefusalError(500, {"general": f"{payer['id']} offers no real time transaction for this activity"})
    if body.get("async"):
        call.warnings.append("/async: this sandbox answers at once")

    correlation_id = call.world.new_uuid()
    call.record.update(
        {
            "path": "real_time",
            "trading_partner_id": payer["id"],
            "parameters": {
                "async": False,
                "transaction_code": "request",
                **{key: deepcopy(value) for key, value in body.items() if key not in NOT_ECHOED},
                "client_id": call.client_id,
                "correlation_id": correlation_id,
            },
        }
    )
    known = _known(member)
    if known.get("outcome") == "not_acknowledged":
        parsing = filled(sample("eligibility")["acknowledgment"], {"trading_partner_id": payer["id"]})
        raise RefusalError(422, {"parsing": parsing}, credits_billed=0)

    result = {
        "client_id": call.client_id,
        "correlation_id": correlation_id,
        "trading_partner_id": payer["id"],
        "payer": {"id": payer["id"], "name": payer.get("name_in_answers", payer["name"])},
        "provider": _provider(body["provider"]),
        "subscriber": {key: member[key] for key in ECHOED if key in member},
        **_finding(known, member, wire_date(call.now)),
    }
    if result["valid_request"]:
        result["subscriber"]["address"] = sample("eligibility")["address"]
    call.record["outcome"] = {"result": result}
    return Answer(result)


def _known(member: Mapping[str, Any]) -> dict[str, Any]:
    members: list[dict[str, Any]] = sample("eligibility")["members"]
    return next((entry for entry in members if entry["id"] == member.get("id")), {})


def _finding(known: Mapping[str, Any], member: Mapping[str, Any], today: str) -> dict[str, Any]:
    """Return the members of the answer that tell of the coverage, or of its rejection."""
    outcome = known.get("outcome", "standard")
    if "birth_date" in known and member.get("birth_date", known["birth_date"]) != known["birth_date"]:
        outcome = "birth_date_mismatch"
    template: dict[str, Any] = sample("eligibility")["outcomes"][outcome]
    finding: dict[str, Any] = filled(template, {"today": today, "year": today[:4]})
    return finding


def _provider(sent: Mapping[str, Any]) -> dict[str, Any]:
    echo = {key: sent[key] for key in ("npi", "first_name", "last_name", "organization_name") if key in sent}
    if "first_name" in echo and "last_name" in echo:  # recorded: MOCKPAYER repeats the first name in the last
        echo["last_name"] = f"{echo['first_name']} {echo['last_name']}"
    return echo


HANDLERS = {"check_eligibility": Handler(check_eligibility, activity="eligibility", billed=True)}
