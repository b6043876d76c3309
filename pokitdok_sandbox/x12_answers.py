"""Answers of payers in X12: 271, 277, 278, made from the JSON that the platform documents. The 835: x12_payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12 import clean, compact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Body = Iterator[list[str]]


def eligibility(answer: Mapping[str, Any], now: str) -> Body:
    """Yield the segments of a 271; ``now`` is the time, CCYYMMDDhhmm."""
    codes = sample("x12")["benefit"]
    dependent = answer.get("dependent")
    yield ["BHT", "0022", "11", _reference(answer), now[:8], now[8:]]
    yield ["HL", "1", "", "20", "1"]
    yield ["NM1", "PR", "2", clean(answer["payer"]["name"]), "", "", "", "", "PI", clean(answer["payer"]["id"])]
    yield ["HL", "2", "1", "21", "1"]
    yield _provider("1P", answer.get("provider", {}))
    yield ["HL", "3", "2", "22", "1" if dependent else "0"]
    yield from _member("IL", answer["subscriber"])
    if dependent:
        yield ["HL", "4", "3", "23", "0"]
        yield from _member("03", dependent)
    if not answer["valid_request"]:
        person = dependent or answer["subscriber"]
        for rejection in person.get("rejections") or [answer]:
            yield _rejection(rejection["reject_reason"], rejection["follow_up_action"])
        return
    coverage = answer["coverage"]
    for name, qualifier in (("plan_begin_date", "346"), ("plan_end_date", "347"), ("service_date", "472")):
        if name in coverage:
            yield ["DTP", qualifier, "D8", compact(coverage[name])]
    kinds = "^".join(coverage.get("service_type_codes", ["30"]))
    plan = clean(coverage.get("plan_description", coverage.get("group_description", "")))
    yield ["EB", "1" if coverage["active"] else "6", "", kinds, "", plan]
    for name, kind in codes["kinds"].items():
        for benefit in coverage.get(name, []):
            yield _benefit(kind, benefit, codes["amounts"].get(name))
            for message in benefit.get("messages", []):
                yield ["MSG", clean(message["message"])]


def claim_status(answer: Mapping[str, Any], now: str) -> Body:
    """Yield the segments of a 277."""
    payer, submitter = answer["payer"], answer.get("submitter", {})
    yield ["BHT", "0010", "08", _reference(answer), now[:8], now[8:], "DG"]
    yield ["HL", "1", "", "20", "1"]
    yield ["NM1", "PR", "2", clean(payer["name"]), "", "", "", "", "PI", clean(payer["id"])]
    yield ["HL", "2", "1", "21", "1"]
    name = clean(submitter.get("organization_name", submitter.get("last_name", "")))
    kind = "2" if "organization_name" in submitter else "1"
    yield ["NM1", "41", kind, name, clean(submitter.get("first_name", "")), "", "", "", "46", submitter.get("id", "0")]
    for provider in answer.get("providers", []):
        yield ["HL", "3", "2", "19", "1" if "patient" in answer else "0"]
        yield _provider("1P", provider)
        if "statuses" in provider:
            yield ["TRN", "1", provider.get("trace_number", "0")]
            yield from (_status(status) for status in provider["statuses"])
    patient = answer.get("patient")
    if patient is None:
        return
    yield ["HL", "4", "3", "22", "0"]
    yield _name("IL", patient, patient.get("id", ""))
    for claim in patient["claims"]:
        yield ["TRN", "2", clean(claim.get("tracking_id", "0"))]
        yield from (_status({**claim, **status}) for status in claim["statuses"])
        yield ["REF", "1K", clean(claim.get("claim_control_number", ""))]
        if "service_date" in claim:
            yield ["DTP", "472", "RD8", _range(claim)]
        for service in claim.get("services", []):
            paid, charged = service["payment_amount"]["amount"], service["charge_amount"]["amount"]
            yield ["SVC", f"HC:{clean(service['cpt_code'])}", charged, paid, "", "", "", "1"]
            yield from (_status(status) for status in service["statuses"])
            if "service_date" in service:
                yield ["DTP", "472", "RD8", _range(service)]


def service_review(answer: Mapping[str, Any], now: str) -> Body:
    """Yield the segments of a 278 response."""
    codes = sample("x12")["service_review"]
    event = answer["event"]
    patient = answer.get("subscriber", answer.get("patient", {}))
    payer = answer["payer"]
    yield ["BHT", "0007", "11", _reference(answer), now[:8], now[8:], "18"]
    yield ["HL", "1", "", "20", "1"]
    yield ["NM1", "X3", "2", clean(payer["organization_name"]), "", "", "", "", "PI", clean(payer["id"])]
    yield ["HL", "2", "1", "21", "1"]
    yield _provider("1P", answer.get("provider", {}))
    yield from _rejections(answer.get("provider", {}))
    yield ["HL", "3", "2", "22", "1"]
    yield _name("IL", patient, patient.get("id", ""))
    yield from _rejections(answer.get("patient", {}))
    yield ["HL", "4", "3", "EV", "0"]
    services = {entry["name"]: entry["code"] for entry in sample("service_types")}
    category = _code(codes["categories"], event.get("category"))
    kind = _code(codes["certification_types"], event.get("certification_type"))
    yield ["UM", category or "HS", kind or "I", services.get(event.get("type", ""), "")]
    yield from _rejections(event)
    review = event.get("review")
    if review is not None:
        action = codes["actions"][review["certification_action"]]
        yield ["HCR", action, clean(review.get("certification_number", ""))]
    diagnoses = [f"ABF:{clean(one['code'].replace('.', ''))}" for one in event.get("diagnoses", [])]
    if diagnoses:
        yield ["HI", *diagnoses]


WRITERS: Mapping[str, Callable[[Mapping[str, Any], str], Body]] = {
    "271": eligibility,
    "277": claim_status,
    "278": service_review,
}


def _reference(answer: Mapping[str, Any]) -> str:
    return clean(answer.get("correlation_id", ""))


def _name(qualifier: str, person: Mapping[str, Any], identifier: str) -> list[str]:
    names = [clean(person.get(name, "")) for name in ("last_name", "first_name", "middle_name")]
    return [
        "NM1",
        qualifier,
        "1",
        *names,
        "",
        clean(person.get("suffix", "")),
        *(["MI", identifier] if identifier else []),
    ]


def _member(qualifier: str, person: Mapping[str, Any]) -> Body:
    yield _name(qualifier, person, clean(person.get("id", "")))
    address = person.get("address")
    if address:
        yield ["N3", *(clean(line) for line in address["address_lines"][:2])]
        yield ["N4", clean(address["city"]), clean(address["state"]), clean(address["zipcode"])]
    if "birth_date" in person or "gender" in person:
        birth = compact(person.get("birth_date", ""))
        yield ["DMG", "D8" if birth else "", birth, _code(sample("x12")["genders"], person.get("gender"))]
    if "relationship" in person:
        yield ["INS", "N", _code(sample("x12")["relationships"], person["relationship"]) or "G8"]


def _provider(qualifier: str, provider: Mapping[str, Any]) -> list[str]:
    number = (
        ["XX", provider["npi"]] if "npi" in provider else ["FI", provider["tax_id"]] if "tax_id" in provider else []
    )
    if "organization_name" in provider:
        return ["NM1", qualifier, "2", clean(provider["organization_name"]), "", "", "", "", *map(clean, number)]
    names = [clean(provider.get("last_name", "")), clean(provider.get("first_name", ""))]
    return ["NM1", qualifier, "1", *names, "", "", "", *map(clean, number)]


def _benefit(kind: str, benefit: Mapping[str, Any], amount: str | None) -> list[str]:
    codes = sample("x12")["benefit"]
    level = codes["coverage_levels"].get(benefit.get("coverage_level", ""), "")
    period = codes["time_periods"].get(benefit.get("time_period", ""), "")
    network = codes["networks"].get(benefit.get("in_plan_network", ""), "U")
    money = benefit.get(amount, {}).get("amount", "") if amount else ""
    percent = str(benefit.get("benefit_percent", ""))
    types = "^".join(benefit.get("service_type_codes", []))
    return ["EB", kind, level, types, "", "", period, money, percent, "", "", "", network]


def _status(status: Mapping[str, Any]) -> list[str]:
    code = f"{status.get('status_category_code', '')}:{status.get('status_code_value', '')}"
    return [
        "STC",
        code,
        compact(status.get("status_effective_date", "")),
        "",
        status.get("total_claim_amount", {}).get("amount", ""),
        status.get("claim_payment_amount", {}).get("amount", ""),
        compact(status.get("adjudication_finalized_date", "")),
        "",
        compact(status.get("remittance_date", "")),
        clean(status.get("check_number", "")),
    ]


def _rejections(holder: Mapping[str, Any]) -> Body:
    for rejection in holder.get("rejections", []):
        yield _rejection(rejection["reason"], rejection["follow_up_action"])


def _rejection(reason: str, follow_up: str) -> list[str]:
    codes = sample("x12")["benefit"]
    return ["AAA", "N", "", codes["reject_reasons"].get(reason, "42"), codes["follow_ups"].get(follow_up, "C")]


def _code(codes: Mapping[str, str], word: str | None) -> str:
    return next((code for code, known in codes.items() if known == word), "")


def _range(holder: Mapping[str, Any]) -> str:
    first = compact(holder["service_date"])
    return f"{first}-{compact(holder.get('service_end_date', '')) or first}"
