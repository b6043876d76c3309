"""Claims in X12 (837 professional) as the claim requests that the platform documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12_requests import find, iso, person, provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pokitdok_sandbox.x12 import Segment, Transaction

INSTITUTIONAL = "SV2"


def claims(transactions: Iterable[Transaction]) -> list[dict[str, Any]]:
    """Read all claims of 837 transaction sets, in their order."""
    return [one for transaction in transactions for one in _claims(transaction)]


def _claims(transaction: Transaction) -> list[dict[str, Any]]:
    """Walk the hierarchy: billing provider, subscriber, perhaps patient, then that one's claims."""
    header: list[Segment] = []
    billing: list[Segment] = []
    subscriber: list[Segment] = []
    patient: list[Segment] = []
    current = header
    found: list[dict[str, Any]] = []
    claim: list[Segment] = []

    def finish() -> None:
        if claim:
            found.append(_claim(header, billing, subscriber, patient, claim))
            claim.clear()

    for segment in transaction.segments:
        if segment.id in {"HL", "SE"}:
            finish()
        if segment.id == "HL" and segment[3] == "20":
            billing, subscriber, patient = [], [], []
            current = billing
        elif segment.id == "HL" and segment[3] == "22":
            subscriber, patient = [], []
            current = subscriber
        elif segment.id == "HL" and segment[3] == "23":
            patient = []
            current = patient
        elif segment.id == "CLM":
            finish()
            current = claim
        if segment.id != "SE":
            current.append(segment)
    return found


def _claim(
    header: Sequence[Segment],
    billing: Sequence[Segment],
    subscriber: Sequence[Segment],
    patient: Sequence[Segment],
    claim: Sequence[Segment],
) -> dict[str, Any]:
    codes = sample("x12")
    owner = provider(find(billing, "NM1", "85"))
    tax = find(billing, "REF", "EI") or find(billing, "REF", "SY")
    if tax:
        owner["tax_id"] = tax[2]
    taxonomy = find(billing, "PRV", "BI")
    if taxonomy:
        owner["taxonomy_code"] = taxonomy[3]
    _address(_after(billing, "85"), owner)
    holder = _member(subscriber, "IL")
    order = find(subscriber, "SBR")
    if order:
        holder["payer_responsibility"] = codes["responsibilities"].get(order[1], "unknown")
        if order[3]:
            holder["group_number"] = order[3]
    payer = find(subscriber, "NM1", "PR")
    request: dict[str, Any] = {
        "trading_partner_id": payer[9] if payer else "",
        "transaction_code": "chargeable",
        "billing_provider": owner,
        "subscriber": holder,
        "claim": _content(claim, codes),
    }
    for name, qualifier in (("submitter", "41"), ("receiver", "40")):
        party = find(header, "NM1", qualifier)
        if party:
            request[name] = {"organization_name": party[3], "id": party[9]}
    if payer:
        request["payer"] = {"organization_name": payer[3], "id": payer[9]}
    if patient:
        request["patient"] = _member(patient, "QC")
        relation = find(patient, "PAT")
        if relation and relation[1] in codes["relationships"]:
            request["patient"]["relationship"] = codes["relationships"][relation[1]]
    return request


def _content(claim: Sequence[Segment], codes: Mapping[str, Any]) -> dict[str, Any]:
    head = claim[0]
    place = head.parts(5)
    diagnoses = [
        parts[1]
        for segment in claim
        if segment.id == "HI"
        for parts in (element.split(":") for element in segment.elements)
        if len(parts) > 1 and parts[0] in {"BK", "BF", "ABK", "ABF"}
    ]
    content: dict[str, Any] = {"total_charge_amount": head[2], "patient_control_number": head[1]}
    if place[0] in codes["places"]:
        content["place_of_service"] = codes["places"][place[0]]
    if len(place) > 2 and place[2] in codes["frequencies"]:
        content["claim_frequency"] = codes["frequencies"][place[2]]
    reference = find(claim, "REF", "F8")
    if reference:
        content["original_reference_number"] = reference[2]
    authorization = find(claim, "REF", "G1")
    if authorization:
        content["prior_authorization_number"] = authorization[2]
    paid = find(claim, "AMT", "F5")
    if paid:
        content["patient_paid_amount"] = paid[2]
    rendering = find(claim, "NM1", "82")
    if rendering:
        content["rendering_provider"] = provider(rendering)
    content["service_lines"] = _lines(claim, diagnoses)
    return content


def _lines(claim: Sequence[Segment], diagnoses: Sequence[str]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for segment in claim:
        if segment.id == "SV1":
            pointers = [int(one) for one in segment.parts(7) if one.isdigit()]
            code, *modifiers = segment.parts(1)[1:] or [""]
            line: dict[str, Any] = {
                "procedure_code": code,
                "charge_amount": segment[2],
                "unit_count": segment[4],
                "unit_type": "minutes" if segment[3] == "MJ" else "units",
                "diagnosis_codes": [diagnoses[n - 1] for n in pointers if 0 < n <= len(diagnoses)],
            }
            if any(modifiers[:4]):
                line["procedure_modifier_codes"] = modifiers[:4]
            lines.append(line)
        elif segment.id == "DTP" and segment[1] == "472" and lines:
            first, _, last = segment[3].partition("-")
            lines[-1]["service_date"] = iso(first)
            if last:
                lines[-1]["service_end_date"] = iso(last)
        elif segment.id == "REF" and segment[1] == "6R" and lines:
            lines[-1]["provider_control_number"] = segment[2]
    dates = find(claim, "DTP", "434") or find(claim, "DTP", "431")
    for line in lines:  # a line without a date of its own is of the day the claim names, if any
        if "service_date" not in line and dates:
            line["service_date"] = iso(dates[3].partition("-")[0])
    return lines


def _member(segments: Sequence[Segment], qualifier: str) -> dict[str, Any]:
    name = find(segments, "NM1", qualifier)
    member = person(name)
    if name and name[9]:
        member["member_id"] = name[9]
    inside = _after(segments, qualifier)
    _address(inside, member)
    told = find(inside, "DMG")
    if told:
        if told[2]:
            member["birth_date"] = iso(told[2])
        if told[3] in sample("x12")["genders"]:
            member["gender"] = sample("x12")["genders"][told[3]]
    return member


def _after(segments: Sequence[Segment], qualifier: str) -> list[Segment]:
    """Return what stands between the NM1 with this qualifier and the next NM1."""
    start = next((n for n, one in enumerate(segments) if one.id == "NM1" and one[1] == qualifier), None)
    if start is None:
        return []
    rest = segments[start + 1 :]
    end = next((n for n, one in enumerate(rest) if one.id == "NM1"), len(rest))
    return list(rest[:end])


def _address(segments: Sequence[Segment], holder: dict[str, Any]) -> None:
    street, town = find(segments, "N3"), find(segments, "N4")
    if street and town:
        holder["address"] = {
            "address_lines": [line for line in (street[1], street[2]) if line],
            "city": town[1],
            "state": town[2],
            "zipcode": town[3],
        }
