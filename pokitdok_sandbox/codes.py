"""Lookups of medical codes: procedures (MPC), ICD-9 to ICD-10. Labels are in data/procedures.yaml and data/icd.yaml."""

from __future__ import annotations

from typing import Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.prices import procedures
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import has_words, same


def list_medical_procedures(call: Call) -> Answer:
    """Answer the procedures in whose wording all words asked for occur."""
    query = call.query
    return page(
        call,
        [
            procedure
            for procedure in _procedures()
            if ("code" not in query or same(query["code"], procedure["code"]))
            and all(has_words(query[name], procedure[name]) for name in ("name", "description") if name in query)
        ],
    )


def get_medical_procedure(call: Call) -> Answer:
    """Answer one procedure."""
    code = call.path["code"]
    call.record["parameters"] = {"code": code}
    for procedure in _procedures():
        if same(code, procedure["code"]):
            return Answer(procedure)
    raise RefusalError(404, {"query": "This sandbox knows no procedure with this code."})


def convert_icd_code(call: Call) -> Answer:
    """Answer what an ICD-9 code became; its dot is optional and left out of the answer, as documented."""
    code = call.path["code"].replace(".", "").strip().upper()
    call.record["parameters"] = {"code": code}
    found = conversion(code)
    if found is None:
        raise RefusalError(404, {"query": "This sandbox knows no ICD-9 code like this."})
    return Answer(found)


def conversion(code: str) -> dict[str, Any] | None:
    """Return what an ICD-9 code, without its dot, became, or None."""
    found = next((entry for entry in sample("icd")["conversions"] if entry["code"] == code), None)
    if found is None:
        return None
    return {
        "source_code": {"system": "icd9", "value": code, "description": found["description"]},
        "approximate": found["approximate"],
        "combination": found.get("combination", False),
        "destination_scenarios": [
            {"choice_lists": [[_icd10(target) for target in choices] for choices in lists]}
            for lists in found["scenarios"]
        ],
    }


def _icd10(code: str) -> dict[str, str]:
    return {"system": "icd10", "value": code, "description": sample("icd")["descriptions"][code]}


def _procedures() -> list[dict[str, Any]]:
    """Return code, name and description of each procedure, a code once."""
    found: dict[str, dict[str, Any]] = {}
    for procedure in procedures():
        found.setdefault(procedure["code"], {name: procedure[name] for name in ("code", "name", "description")})
    return list(found.values())


HANDLERS = {
    "list_medical_procedures": Handler(list_medical_procedures, activity="mpc", billed=True),
    "get_medical_procedure": Handler(get_medical_procedure, activity="mpc", billed=True),
    "convert_icd_code": Handler(convert_icd_code, activity="icd", billed=True),
}
