"""No value of an example, a cassette, an evidence file or a recording reaches what spec_change prints or writes."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import spec_change  # noqa: E402 - scripts/ is no package
from _contract import Contract  # noqa: E402

CANARY = "Canaryname-1931"
DOCUMENT: dict[str, Any] = Contract.load(ROOT / "openapi.yaml").document


def planted(node: Any) -> Any:
    """*node* with the canary in place of every text."""
    if isinstance(node, dict):
        return {key: planted(value) for key, value in node.items()}
    if isinstance(node, list):
        return [planted(value) for value in node]
    return CANARY if isinstance(node, str) else node


def with_canaries(document: dict[str, Any]) -> dict[str, Any]:
    """The contract with the canary in every example."""
    changed = copy.deepcopy(document)
    for example in changed["components"]["examples"].values():
        example["value"] = planted(example["value"])
    return changed


def plant_cassettes(folder: Path) -> Iterator[None]:
    for file in folder.rglob("*.yaml"):
        head, _, _ = file.read_text(encoding="utf-8").partition("\n")
        cassette = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for each in cassette["interactions"]:
            for side in ("request", "response"):
                body = each[side].get("body")
                if isinstance(body, dict) and "json" in body:
                    body["json"] = {**planted(body["json"]), CANARY: CANARY} if isinstance(body["json"], dict) else []
                    yield
        file.write_text(f"{head}\n" + yaml.dump({key: cassette[key] for key in ("version", "interactions")}))


def plant_recordings(folder: Path) -> None:
    body = {"trading_partner_id": CANARY, "member": {"id": CANARY, "first_name": CANARY}, CANARY: CANARY}
    data = {"trading_partner_id": "X", "valid_request": True, "coverage": {"active": True, "plan_number": CANARY}}
    answer = {"meta": {"processing_time": 1}, "data": data}
    interaction = {
        "recorded_by": "test",
        "request": {
            "method": "POST",
            "uri": f"https://platform.pokitdok.com/api/v4/eligibility/?{CANARY}={CANARY}",
            "headers": {"Content-Type": ["application/json"], "Authorization": [f"Bearer {CANARY}"]},
            "body": json.dumps(body),
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {},
            "body": {"string": json.dumps(answer)},
        },
    }
    (folder / "python").mkdir(parents=True)
    (folder / "python" / "eligibility.yaml").write_text(yaml.safe_dump({"interactions": [interaction]}))


@pytest.fixture
def planted_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of evidence, cassettes and recordings with the canary in them, which spec_change reads."""
    tests = tmp_path / "contract"
    for name in ("cassettes/test_eligibility", "cassettes/test_claims", "evidence"):
        shutil.copytree(ROOT / "tests" / "contract" / name, tests / name)
    assert len(list(plant_cassettes(tests / "cassettes"))) > 10
    evidence = tests / "evidence" / "check_eligibility.yaml"
    skeletons = yaml.safe_load(evidence.read_text(encoding="utf-8"))
    evidence.write_text(yaml.safe_dump([{**each, "seen": [CANARY]} for each in skeletons]))
    plant_recordings(tmp_path / "recordings")
    monkeypatch.setattr(spec_change, "CONTRACT_TESTS", tests)
    monkeypatch.setattr(spec_change, "RECORDINGS", tmp_path / "recordings")
    return tests


def test_no_planted_value_is_reported(planted_tests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A change by which cassettes, evidence and recordings all stop fitting, with examples that changed too."""
    old, new = with_canaries(DOCUMENT), with_canaries(DOCUMENT)
    del new["components"]["schemas"]["EligibilityCoverage"]["properties"]["plan_number"]
    del new["paths"]["/api/v4/claims/"]
    for example in new["components"]["examples"].values():
        example["value"] = [example["value"], CANARY]
    files = []
    for name, document in (("old", old), ("new", new)):
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False))
        assert files[-1].read_text().count(CANARY) > 100
    page = tmp_path / "report.md"
    status = spec_change.main(["--base", str(files[0]), "--contract", str(files[1]), "--markdown", str(page)])
    out, err = capsys.readouterr()
    assert (status, err) == (1, "")
    for kind in ("evidence", "recordings", "cassettes"):
        assert f"{kind}: 0 of" not in out, "this would prove nothing"
    for told in (out, page.read_text()):
        assert "EligibilityCoverage.plan_number" in told
        assert "examples/" in told
        assert CANARY not in told


@pytest.mark.slow
@pytest.mark.parametrize(
    "broken",
    [
        {"x-phi": CANARY, "type": "string"},
        {"type": "object", "required": ["missing"], "properties": {}, "example": CANARY},
        {"$ref": "#/components/schemas/Missing", "example": CANARY},
        {"type": "string", "pattern": "(", "default": CANARY, "examples": [CANARY]},
        {"type": "string", "enum": [CANARY]},
    ],
    ids=str,
)
def test_no_example_is_quoted_where_a_contract_is_refused(
    broken: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = with_canaries(DOCUMENT)
    document["components"]["schemas"]["Broken"] = broken
    contract = tmp_path / "new.yaml"
    contract.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False))
    assert spec_change.main(["--base", str(ROOT / "openapi.yaml"), "--contract", str(contract)]) == 2
    out, err = capsys.readouterr()
    assert "new.yaml:" in err
    assert CANARY not in out + err


@pytest.mark.parametrize("text", [f"a: [{CANARY}", f"a: &x {CANARY}\nb: *{CANARY[:6]}", f"{CANARY}: 1\n{CANARY}: 2"])
def test_no_text_is_quoted_that_is_not_yaml(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = tmp_path / "new.yaml"
    contract.write_text(f"example: {CANARY}\n{text}\n")
    assert spec_change.main(["--base", str(ROOT / "openapi.yaml"), "--contract", str(contract)]) == 2
    out, err = capsys.readouterr()
    assert "new.yaml:" in err
    assert f"example: {CANARY}" not in out + err
