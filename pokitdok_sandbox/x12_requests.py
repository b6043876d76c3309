"""X12 requests as the JSON that the platform documents for them: 270, 276, 278. Claims, enrollments: elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pokitdok_sandbox.x12 import Segment, Transaction


def eligibility(transaction: Transaction) -> dict[str, Any]:
    """Read a 270; only its first question counts, as documented."""
    segments = _first_only(transaction, "22", "23")
    member = person(find(segments, "NM1", "03") or find(segments, "NM1", "IL"))
    holder = find(segments, "NM1", "IL")
    if holder and holder[9]:
        member["id"] = holder[9]
    _birth(segments, member)
    group = find(segments, "REF", "6P")
    if group:
        member["group_number"] = group[2]
    body: dict[str, Any] = {
        "trading_partner_id": _payer(segments, "PR"),
        "member": member,
        "provider": provider(find(segments, "NM1", "1P") or find(segments, "NM1", "FA")),
    }
    names = {entry["code"]: entry["name"] for entry in sample("service_types")}
    asked: list[str] = []
    for segment in segments:
        if segment.id == "EQ":
            asked += [names[code] for code in segment[1].split("^") if code in names]
            if segment.parts(2)[0] == "HC" and len(segment.parts(2)) > 1:
                body["cpt_code"] = segment.parts(2)[1]
    if asked:
        body["service_types"] = asked
    return body


def claim_status(transaction: Transaction) -> dict[str, Any]:
    """Read a 276; only its first question counts."""
    segments = _first_only(transaction, "22", "23")
    holder, dependent = find(segments, "NM1", "IL"), find(segments, "NM1", "QC")
    patient = person(dependent or holder)
    if holder and holder[9]:
        patient["id"] = holder[9]
    _birth(segments, patient)
    body: dict[str, Any] = {
        "trading_partner_id": _payer(segments, "PR"),
        "patient": patient,
        "provider": provider(find(segments, "NM1", "1P")),
    }
    if dependent and holder:
        body["subscriber"] = person(holder) | ({"id": holder[9]} if holder[9] else {})
    dates = find(segments, "DTP", "472") or find(segments, "DTP", "232")
    if dates:
        first, _, last = dates[3].partition("-")
        body["service_date"] = iso(first)
        if last:
            body["service_end_date"] = iso(last)
    charge = find(segments, "AMT", "T3")
    if charge:
        body["claim_charge_amount"] = charge[2]
    tracking = find(segments, "REF", "D9")
    if tracking:
        body["tracking_id"] = tracking[2]
    return body


def service_review(transaction: Transaction) -> dict[str, Any]:
    """Read a 278 request; only its first event counts."""
    segments = _first_only(transaction, "EV")
    codes = sample("x12")["service_review"]
    holder, dependent = find(segments, "NM1", "IL"), find(segments, "NM1", "QC")
    patient = person(dependent or holder)
    if holder and holder[9]:
        patient["id"] = holder[9]
    _birth(segments, patient)
    review = find(segments, "UM")
    event: dict[str, Any] = {}
    if review:
        names = {entry["code"]: entry["name"] for entry in sample("service_types")}
        places = sample("x12")["places"]
        told = {
            "category": codes["categories"].get(review[1]),
            "certification_type": codes["certification_types"].get(review[2]),
            "type": names.get(review[3]),
            "place_of_service": places.get(review.parts(4)[0]),
        }
        event = {name: word for name, word in told.items() if word is not None}
    events = [segment for segment in segments if segment.id == "HI"]
    diagnoses = [one.split(":") for segment in events for one in segment.elements]
    event["diagnoses"] = [
        {"code": parts[1]} | ({"date": iso(parts[3])} if len(parts) > 3 and parts[2] == "D8" else {})
        for parts in diagnoses
        if len(parts) > 1
    ]
    delivery = find(segments, "HSD")
    if delivery and delivery[2].isdigit():
        event["delivery"] = {
            "quantity": int(delivery[2]),
            "quantity_qualifier": codes["quantities"].get(delivery[1], delivery[1]),
        }
    services = [segment for segment in segments if segment.id == "SV1" and len(segment.parts(1)) > 1]
    if services:
        event["services"] = [
            {"cpt_code": one.parts(1)[1], "measurement": "unit"}
            | ({"quantity": int(one[4])} if one[4].isdigit() else {})
            for one in services
        ]
    serving = find(segments, "NM1", "SJ") or find(segments, "NM1", "71")
    if serving:
        event["provider"] = provider(serving)
    body = {
        "trading_partner_id": _payer(segments, "X3"),
        "event": event,
        "patient": patient,
        "provider": provider(find(segments, "NM1", "1P") or find(segments, "NM1", "FA")),
    }
    if dependent and holder:
        body["subscriber"] = person(holder) | ({"id": holder[9]} if holder[9] else {})
    return body


READERS: Mapping[str, Callable[[Transaction], dict[str, Any]]] = {
    "270": eligibility,
    "276": claim_status,
    "278": service_review,
}


def find(segments: Iterable[Segment], name: str, qualifier: str = "") -> Segment | None:
    """Return the first segment of this id whose first element is the qualifier, or None."""
    return next((one for one in segments if one.id == name and (not qualifier or one[1] == qualifier)), None)


def person(segment: Segment | None) -> dict[str, Any]:
    """Read the names of an NM1 segment."""
    if segment is None:
        return {}
    names = {"last_name": segment[3], "first_name": segment[4], "middle_name": segment[5], "suffix": segment[7]}
    return {name: text for name, text in names.items() if text}


def provider(segment: Segment | None) -> dict[str, Any]:
    """Read a provider from an NM1 segment, person or organization."""
    if segment is None:
        return {}
    told = person(segment) if segment[2] == "1" else ({"organization_name": segment[3]} if segment[3] else {})
    if segment[8] == "XX" and segment[9]:
        told["npi"] = segment[9]
    elif segment[8] in {"FI", "24", "34"} and segment[9]:
        told["tax_id"] = segment[9]
    return told


def iso(day: str) -> str:
    """Write a CCYYMMDD date as the platform does."""
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 and day.isdigit() else day


def _payer(segments: Iterable[Segment], qualifier: str) -> str:
    found = find(segments, "NM1", qualifier)
    return found[9] if found else ""


def _birth(segments: Iterable[Segment], member: dict[str, Any]) -> None:
    told = [one for one in segments if one.id == "DMG"]
    if told:
        if told[-1][2]:
            member["birth_date"] = iso(told[-1][2])
        gender = sample("x12")["genders"].get(told[-1][3])
        if gender:
            member["gender"] = gender


def _first_only(transaction: Transaction, *levels: str) -> list[Segment]:
    """Return the segments up to where a level of the hierarchy begins for the second time."""
    kept: list[Segment] = []
    seen: set[str] = set()
    for segment in transaction.segments:
        if segment.id == "HL" and segment[3] in levels:
            if segment[3] in seen:
                break
            seen.add(segment[3])
        kept.append(segment)
    return kept
