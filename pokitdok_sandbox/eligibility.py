"""Eligibility: what payers answer about a member. Plans and invented members are in data/eligibility.yaml."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import require_npi
from pokitdok_sandbox.exchanges import MOCK, answer, ask, partner_for, require_real_time
from pokitdok_sandbox.samples import filled, sample
from pokitdok_sandbox.trading_partners import search_options
from pokitdok_sandbox.world import wire_date
from pokitdok_sandbox.x12_forms import GIVES, TAKES, question

if TYPE_CHECKING:
    from collections.abc import Mapping

ECHOED = ("id", "first_name", "middle_name", "last_name", "suffix", "birth_date", "gender", "group_number")
GENERAL = "health_benefit_plan_coverage"
"""What a question without service types is about, as documented."""


def check_eligibility(call: Call) -> Answer:
    """Answer a question about a member.

    MOCKPAYER answers as it did: whatever was asked, its one plan comes back, with the member's own names in it. The
    other partners answer about the service types that were asked for. Members listed in data/eligibility.yaml, and
    providers, have outcomes of their own with all of them: no coverage, a rejection, a 999.
    """
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "270")
    require_npi("provider", body["provider"])
    member = body["member"]
    _require_searchable(payer, member)
    require_real_time(payer, "270")
    known, dependent = _known(member)
    correlation_id = ask(call, payer)
    call.record["parameters"] = {"transaction_code": "request", **call.record["parameters"]}
    if known.get("outcome") == "not_acknowledged":
        parsing = filled(sample("eligibility")["acknowledgment"], {"trading_partner_id": payer["id"]})
        raise RefusalError(422, {"parsing": parsing}, credits_billed=0)

    outcome = _outcome(payer, body, known, dependent)
    today = wire_date(call.now)
    finding: dict[str, Any] = filled(sample("eligibility")["outcomes"][outcome], {"today": today, "year": today[:4]})
    if payer["id"] != MOCK and "service_types" in finding:
        _narrow(finding, _asked_for(body))
    people = _people(member, known, dependent)
    rejections = finding.pop("rejections", None)
    if rejections is not None:
        people[-1][1]["rejections"] = rejections
    result = {
        "client_id": call.client_id,
        "correlation_id": correlation_id,
        "trading_partner_id": payer["id"],
        "payer": {"id": payer["id"], "name": payer.get("name_in_answers", payer["name"])},
        "provider": _provider(payer, body["provider"]),
        **dict(people),
        **finding,
    }
    if result["valid_request"]:
        result["subscriber"]["address"] = sample("eligibility")["address"]
    return answer(call, result)


def get_eligibility_constants(_call: Call) -> Answer:
    """Answer the service types, name and X12 code each; the form is our reading, no example was ever shown."""
    return Answer({"service_types": deepcopy(sample("service_types"))})


def _require_searchable(payer: Mapping[str, Any], member: Mapping[str, Any]) -> None:
    """Refuse a member that no search option of the partner can find; MOCKPAYER is content with an id or a birth date.

    Raises:
        RefusalError: 422, naming what the nearest option lacks; how the platform put it is not known.
    """
    if payer["id"] == MOCK:
        missing = [] if member.keys() & {"id", "birth_date"} else ["id", "birth_date"]
    else:
        lacking = [[name for name in option if name not in member] for option in search_options(payer)]
        missing = min(lacking, key=len)
    if missing:
        raise invalid({"member": {name: [REQUIRED] for name in missing}})


def _known(member: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the listed member who is meant, and the dependent of that member who is meant; empty when not listed."""
    members: list[dict[str, Any]] = sample("eligibility")["members"]
    if "id" in member:
        found = next((entry for entry in members if entry["id"] == member["id"]), {})
    else:
        found = next((entry for entry in members if _is(entry, member)), {})
    dependents = [] if _is(found, member) else found.get("dependents", [])
    return found, next((one for one in dependents if _is({**found, **one}, member)), {})


def _is(entry: Mapping[str, Any], member: Mapping[str, Any]) -> bool:
    names = ("first_name", "last_name", "birth_date")
    return all(entry.get(name, "").lower() == member[name].lower() for name in names if name in member)


def _outcome(
    payer: Mapping[str, Any], body: Mapping[str, Any], known: Mapping[str, Any], dependent: Mapping[str, Any]
) -> str:
    npi = body["provider"].get("npi")
    providers: dict[str, str] = sample("eligibility")["providers"]
    if npi in providers:
        return providers[npi]
    person, member = {**known, **dependent}, body["member"]
    if "birth_date" in person and member.get("birth_date", person["birth_date"]) != person["birth_date"]:
        return "birth_date_mismatch"
    if any(name in body for name in ("cpt_code", "procedure_id")) and not payer.get("answers_procedures", False):
        return "no_procedures"
    listed = person.get("outcome", payer.get("plan", "standard"))
    outcome: str = payer.get("plan", "standard") if listed == "standard" else listed
    return outcome


def _people(
    member: Mapping[str, Any], known: Mapping[str, Any], dependent: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the subscriber, and after it the dependent if the question was about one."""
    echo = {key: member[key] for key in ECHOED if key in member}
    if not dependent:
        return [("subscriber", ({"id": known["id"]} if known else {}) | echo)]
    holder = {key: known[key] for key in ECHOED if key in known}
    return [("subscriber", holder), ("dependent", _dependent(echo, dependent))]


def _dependent(echo: Mapping[str, Any], dependent: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in echo.items() if key not in {"id", "birth_date"}}
    return kept | {"relationship": dependent["relationship"]}


def _asked_for(body: Mapping[str, Any]) -> list[str]:
    asked = body.get("service_types", [])
    return [asked] if isinstance(asked, str) else list(asked) or [GENERAL]


def _narrow(finding: dict[str, Any], asked: list[str]) -> None:
    """Leave only the benefits that are about the whole plan or about a service type that was asked for."""
    wanted = {GENERAL, *asked}
    codes: dict[str, str] = {entry["name"]: entry["code"] for entry in sample("service_types")}
    coverage = finding["coverage"]
    for name, value in coverage.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            coverage[name] = [one for one in value if wanted & set(one.get("service_types", [GENERAL]))]
    for holder in (finding, coverage):
        holder["service_types"] = asked
        holder["service_type_codes"] = [codes[name] for name in asked if name in codes]


def _provider(payer: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    echo = {key: sent[key] for key in ("npi", "first_name", "last_name", "organization_name") if key in sent}
    if payer["id"] == MOCK and "first_name" in echo and "last_name" in echo:
        echo["last_name"] = f"{echo['first_name']} {echo['last_name']}"  # recorded: the first name, too
    return echo


HANDLERS = {
    "check_eligibility": Handler(
        check_eligibility,
        activity="eligibility",
        billed=True,
        takes=TAKES,
        gives=GIVES,
        x12=question(
            "270",
            "271",
        ),
    ),
    "get_eligibility_constants": Handler(get_eligibility_constants, activity="eligibility"),
}
