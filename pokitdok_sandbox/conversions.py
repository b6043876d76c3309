"""Claims conversion: an 837 file becomes claim requests, its ICD-9 codes ICD-10 by the mapping in data/icd.yaml."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.acknowledgments import accepted
from pokitdok_sandbox.activities import open_record
from pokitdok_sandbox.calls import Answer, Call, Handler, invalid
from pokitdok_sandbox.codes import conversion
from pokitdok_sandbox.exchanges import opened
from pokitdok_sandbox.x12_claims import claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pokitdok_sandbox.x12 import Interchange, Segment

ICD_9 = {"BK": "ABK", "BF": "ABF", "BJ": "ABJ", "PR": "APR"}
"""Qualifier of an ICD-9 code in a HI segment to the one of ICD-10."""


def convert_claims(call: Call) -> Answer:
    """Answer the one claim of a file, or the activity that has a child for each of several."""
    text: str = call.body["file"]
    if not text.lstrip().startswith("ISA"):
        raise invalid({"file": ["Not X12: an interchange begins with ISA."]})
    interchange = accepted(text, "837")
    mappings = {code: found for code in _codes(interchange) if (found := conversion(code)) is not None}
    edi = _converted(text, mappings)
    results = [_result(claim, mappings, edi) for claim in claims(interchange.transactions)]
    if len(results) == 1:
        return Answer(results[0])
    call.record["path"] = "batch"
    for result in results:
        child = open_record(call.world, "claims", call.now, owner=call.client_id)
        child |= {"parent_id": call.record["id"], "ended": "completed", "outcomes": [{"result": result}]}
        call.world.store.add_activity(child)
    return Answer(opened(call))


def _result(claim: Mapping[str, Any], mappings: Mapping[str, Any], edi: str) -> dict[str, Any]:
    converted = deepcopy(dict(claim))
    used = []
    for line in converted["claim"]["service_lines"]:
        used += [code for code in line["diagnosis_codes"] if code in mappings]
        line["diagnosis_codes"] = [
            _first(mappings[code]) if code in mappings else code for code in line["diagnosis_codes"]
        ]
    told = [mappings[code] for code in dict.fromkeys(used)]
    return {"claims_request": converted, "converted_edi": edi, "diagnosis_mappings": told}


def _codes(interchange: Interchange) -> list[str]:
    """Return the ICD-9 codes of a file, each once."""
    found = [code for transaction in interchange.transactions for code in _diagnoses(transaction.segments)]
    return list(dict.fromkeys(found))


def _diagnoses(segments: Iterable[Segment]) -> list[str]:
    parts = [element.split(":") for segment in segments if segment.id == "HI" for element in segment.elements]
    return [one[1] for one in parts if len(one) > 1 and one[0] in ICD_9]


def _first(mapping: Mapping[str, Any]) -> str:
    """Return the first ICD-10 code that a mapping offers, as documented."""
    code: str = mapping["destination_scenarios"][0]["choice_lists"][0][0]["value"]
    return code


def _converted(text: str, mappings: Mapping[str, Any]) -> str:
    """Return the file with ICD-10 in its HI segments; everything else stays as it was sent, envelopes included."""
    text = text.lstrip()
    element, component, end = text[3], text[104], text[105]
    segments = text.split(end)
    for number, segment in enumerate(segments):
        if segment.strip().split(element)[0] == "HI":
            segments[number] = element.join(_converted_code(one, component, mappings) for one in segment.split(element))
    return end.join(segments)


def _converted_code(text: str, component: str, mappings: Mapping[str, Any]) -> str:
    qualifier, *rest = text.split(component)
    if qualifier in ICD_9 and rest and rest[0] in mappings:
        return component.join([ICD_9[qualifier], _first(mappings[rest[0]]), *rest[1:]])
    return text


HANDLERS = {
    "convert_claims": Handler(convert_claims, activity="claims", billed=True, takes=frozenset({"multipart/form-data"}))
}
