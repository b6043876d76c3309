"""The evidence: no status, field or type that was recorded on the real platform is lost from the contract.

Needs nothing but this clone; tests/contract/evidence is made by scripts/evidence.py.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pokitdok_ext.testing import Contract

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from _skeletons import losses  # noqa: E402 - scripts/ is no package
from evidence_page import page  # noqa: E402

FOLDER = Path(__file__).parent / "evidence"
SKELETONS = [
    (f"{file.stem}-{number}", skeleton)
    for file in sorted(FOLDER.glob("*.yaml"))
    for number, skeleton in enumerate(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
]
DOCUMENT = Contract().document


def test_there_is_evidence() -> None:
    assert len(SKELETONS) >= 33


@pytest.mark.parametrize("skeleton", [entry for _, entry in SKELETONS], ids=[name for name, _ in SKELETONS])
def test_nothing_recorded_is_lost_from_the_contract(skeleton: dict[str, Any]) -> None:
    assert losses(DOCUMENT, skeleton) == []


@pytest.mark.parametrize("skeleton", [entry for _, entry in SKELETONS], ids=[name for name, _ in SKELETONS])
def test_evidence_claims_recorded_what_was_recorded(skeleton: dict[str, Any]) -> None:
    operation = DOCUMENT["paths"][skeleton["path"]][skeleton["method"].lower()]
    assert operation["x-evidence-by-status"][str(skeleton["status"])] == "recorded"


def test_nothing_else_claims_to_be_recorded() -> None:
    recorded = {(entry["path"], entry["method"].lower(), str(entry["status"])) for _, entry in SKELETONS}
    claimed = {
        (path, method, status)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for status, evidence in operation["x-evidence-by-status"].items()
        if evidence == "recorded"
    }
    assert claimed - recorded == set()


def test_page_on_evidence_is_the_one_that_the_evidence_gives() -> None:
    assert (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8") == page(Contract(), FOLDER), "nox -s evidence"


@pytest.mark.parametrize("fault", ["field", "type", "status", "operation"])
def test_check_finds_what_is_taken_away(fault: str) -> None:
    document: Any = copy.deepcopy(DOCUMENT)
    schemas = document["components"]["schemas"]
    if fault == "field":
        del schemas["EligibilityCoverage"]["properties"]["plan_number"]
    elif fault == "type":
        schemas["EligibilityCoverage"]["properties"]["plan_number"] = {"type": "integer"}
    elif fault == "status":
        del document["paths"]["/api/v4/eligibility/"]["post"]["responses"]["500"]
    else:
        del document["paths"]["/api/v4/eligibility/"]["post"]
    assert any(losses(document, skeleton) for name, skeleton in SKELETONS if name.startswith("check_eligibility"))
