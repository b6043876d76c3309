"""Enrollments in X12 (834) as the enrollment requests that the platform documents: one a subscriber."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12_requests import find, iso, person

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pokitdok_sandbox.x12 import Segment, Transaction


def enrollments(transactions: Iterable[Transaction], trading_partner_id: str = "") -> list[dict[str, Any]]:
    """Read all enrollments of 834 transaction sets.

    Args:
        transactions: What was sent.
        trading_partner_id: The partner, where that is not in the file: an 834 names its insurer in N1*IN.
    """
    return [one for transaction in transactions for one in _enrollments(transaction, trading_partner_id)]


def _enrollments(transaction: Transaction, trading_partner_id: str) -> list[dict[str, Any]]:
    codes = sample("x12")["enrollment"]
    header: list[Segment] = []
    members: list[list[Segment]] = []
    for segment in transaction.segments[:-1]:
        if segment.id == "INS":
            members.append([])
        (members[-1] if members else header).append(segment)
    begin, payer = find(header, "BGN"), find(header, "N1", "IN")
    policy = find(header, "REF", "38")
    common: dict[str, Any] = {
        "trading_partner_id": trading_partner_id or (payer[4] if payer else ""),
        "purpose": codes["purposes"].get(begin[1], "Original") if begin else "Original",
        "action": codes["actions"].get(begin[8], "Change") if begin else "Change",
        "payer": _organization(payer),
        "sponsor": _organization(find(header, "N1", "P5")),
    }
    if begin and begin[2]:
        common["reference_number"] = begin[2]
    if policy:
        common["master_policy_number"] = policy[2]
    found: list[dict[str, Any]] = []
    for segments in members:
        member = _member(segments)
        if segments[0][1] == "N" and found:
            found[-1]["dependents"].append(member)
        else:
            found.append({**common, "subscriber": member, "dependents": []})
    return found


def _organization(segment: Segment | None) -> dict[str, str]:
    if segment is None:
        return {}
    told = {"name": segment[2]} if segment[2] else {}
    return told | ({"tax_id": segment[4]} if segment[3] in {"FI", "24"} and segment[4] else {})


def _member(segments: Sequence[Segment]) -> dict[str, Any]:
    codes = sample("x12")["enrollment"]
    head = segments[0]
    name = find(segments, "NM1", "IL") or find(segments, "NM1", "74")
    told = {
        "relationship": codes["relationships"].get(head[2]),
        "maintenance_type": codes["maintenance_types"].get(head[3]),
        "benefit_status": codes["benefit_statuses"].get(head[5]),
        "employment_status": codes["employment_statuses"].get(head[8]),
    }
    member: dict[str, Any] = person(name) | {key: word for key, word in told.items() if word is not None}
    if name and name[8] == "34" and name[9]:
        member["ssn"] = name[9]
    for key, qualifier in (("subscriber_number", "0F"), ("member_id", "23"), ("group_or_policy_number", "1L")):
        reference = find(segments, "REF", qualifier)
        if reference:
            member[key] = reference[2]
    if "member_id" not in member and name and name[8] != "34" and name[9]:
        member["member_id"] = name[9]
    birth = find(segments, "DMG")
    if birth:
        if birth[2]:
            member["birth_date"] = iso(birth[2])
        if birth[3] in codes["genders"]:
            member["gender"] = codes["genders"][birth[3]]
    street, town = find(segments, "N3"), find(segments, "N4")
    if street and town:
        address = {"line": street[1], "line2": street[2], "city": town[1], "state": town[2], "postal_code": town[3]}
        member["address"] = {key: text for key, text in address.items() if text}
    begins = find(segments, "DTP", "356")
    if begins:
        member["eligibility_begin_date"] = iso(begins[3])
    benefits = _benefits(segments)
    return member | ({"benefits": benefits} if benefits else {})


def _benefits(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    benefits: list[dict[str, Any]] = []
    for segment in segments:
        if segment.id == "HD":
            benefits.append(_benefit(segment))
        elif segment.id == "DTP" and benefits and segment[1] in {"348", "349"}:
            benefits[-1]["begin_date" if segment[1] == "348" else "end_date"] = iso(segment[3])
    return benefits


def _benefit(segment: Segment) -> dict[str, Any]:
    codes = sample("x12")["enrollment"]
    told = {
        "maintenance_type": codes["maintenance_types"].get(segment[1], "Change"),
        "benefit_type": codes["insurance_lines"].get(segment[3]),
        "description": segment[4] or None,
        "coverage_level": codes["coverage_levels"].get(segment[5]),
    }
    return {key: word for key, word in told.items() if word is not None}
