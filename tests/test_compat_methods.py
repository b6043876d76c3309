"""Every method of the old client, against the sandbox: each reaches the operation it names and gives a dictionary."""

from __future__ import annotations

import inspect
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from pokitdok_api._operations import OPERATIONS
from pokitdok_ext.compat import PokitDokClient
from pokitdok_ext.testing import Contract
from pokitdok_sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ROOT.parent / "shared" / "platform" / "clients.yaml"
CONTRACT = Contract()


class Row(NamedTuple):
    """A call: the method, its arguments by name, the operation it reaches. BODY stands for the contract's example."""

    method: str
    arguments: dict[str, Any]
    operation: str


BODY, FILE = object(), object()
UUID = "5f0c1d2e-3a4b-4c6d-8e8f-9a0b1c2d3e4f"
TABLE = [
    Row("activities", {"activity_id": "5317f51527a27620f2ec7533"}, "get_activity"),
    Row("activities", {"parent_id": "5317f51527a27620f2ec7533"}, "list_activities"),
    Row("cash_prices", {"zip_code": "29412", "cpt_code": "99385"}, "list_cash_prices"),
    Row("ccd", {"ccd_request": BODY}, "submit_ccd"),
    Row("claims", {"claims_request": BODY}, "submit_claim"),
    Row("claims_convert", {"x12_claims_file": FILE}, "convert_claims"),
    Row("claims_status", {"claims_status_request": BODY}, "check_claim_status"),
    Row("mpc", {"code": "99213"}, "get_medical_procedure"),
    Row("mpc", {"name": "visit"}, "list_medical_procedures"),
    Row("icd_convert", {"code": "250.12"}, "convert_icd_code"),
    Row("eligibility", {"eligibility_request": BODY}, "check_eligibility"),
    Row("enrollment", {"enrollment_request": BODY}, "submit_enrollment"),
    Row("enrollment_snapshot", {"trading_partner_id": "MOCKPAYER", "x12_file": FILE}, "create_enrollment_snapshot"),
    Row("enrollment_snapshots", {}, "list_enrollment_snapshots"),
    Row("enrollment_snapshots", {"snapshot_id": UUID}, "get_enrollment_snapshot"),
    Row("enrollment_snapshot_data", {"snapshot_id": UUID}, "get_enrollment_snapshot_data"),
    Row("insurance_prices", {"zip_code": "94401", "cpt_code": "90658"}, "list_insurance_prices"),
    Row("oop_insurance_prices", {"request_data": BODY}, "load_oop_price"),
    Row("oop_insurance_delete_price", {"load_price_uuid": UUID}, "delete_oop_price"),
    Row("oop_insurance_estimate", {"request_data": BODY}, "estimate_oop_cost"),
    Row("payers", {}, "list_payers"),
    Row("plans", {"state": "SC", "plan_type": "PPO"}, "list_plans"),
    Row("providers", {"npi": "1467560003"}, "get_provider"),
    Row("providers", {"last_name": "Fenn"}, "list_providers"),
    Row("trading_partners", {"trading_partner_id": "MOCKPAYER"}, "get_trading_partner"),
    Row("trading_partners", {}, "list_trading_partners"),
    Row("schedulers", {"scheduler_uuid": UUID}, "get_scheduler"),
    Row("schedulers", {}, "list_schedulers"),
    Row("appointment_types", {"appointment_type_uuid": UUID}, "get_appointment_type"),
    Row("appointment_types", {}, "list_appointment_types"),
    Row("schedule_slots", {"slots_request": BODY}, "create_slot"),
    Row("get_appointments", {"appointment_uuid": UUID}, "get_appointment"),
    Row("get_appointments", {}, "list_appointments"),
    Row("appointments", {"appointment_uuid": UUID}, "get_appointment"),
    Row("book_appointment", {"appointment_uuid": UUID, "appointment_request": BODY}, "book_appointment"),
    Row("update_appointment", {"appointment_uuid": UUID, "appointment_request": BODY}, "book_appointment"),
    Row("cancel_appointment", {"appointment_uuid": UUID}, "cancel_appointment"),
    Row("create_identity", {"identity_request": BODY}, "create_identity"),
    Row("update_identity", {"identity_uuid": UUID, "identity_request": BODY}, "update_identity"),
    Row("get_identity", {"identity_uuid": UUID}, "get_identity"),
    Row("get_identity", {"first_name": "Ines"}, "list_identities"),
    Row("identity", {"identity_uuid": UUID}, "get_identity"),
    Row("validate_identity", {"identity_payload": BODY}, "validate_identity"),
    Row("create_proof_questionnaire", {"identity_payload": BODY}, "generate_proof_questionnaire"),
    Row("answer_proof_question", {"answer_request": BODY}, "score_proof_question"),
    Row("identity_history", {"identity_uuid": UUID}, "list_identity_history"),
    Row("identity_history", {"identity_uuid": UUID, "historical_version": 1}, "get_identity_history_version"),
    Row("identity_match", {"identity_match_data": BODY}, "create_identity_match_job"),
    Row("pharmacy_plans", {"trading_partner_id": "medicare_national", "plan_number": "S1"}, "list_pharmacy_plans"),
    Row("pharmacy_formulary", {"trading_partner_id": "medicare_national", "drug": "x"}, "list_pharmacy_formulary"),
    Row("pharmacy_network", {"trading_partner_id": "medicare_national"}, "list_network_pharmacies"),
    Row("pharmacy_network", {"npi": "1427382266", "plan_number": "S1"}, "get_network_pharmacy"),
    # gone from the last version, still in earlier ones and in a fork
    Row("authorizations", {"authorizations_request": BODY}, "request_authorization"),
    Row("referrals", {"referrals_request": BODY}, "request_referral"),
    Row("files", {"trading_partner_id": "MOCKPAYER", "x12_file": FILE}, "submit_file"),
    Row("pharmacy_drug_cost", {"trading_partner_id": "medicare_national", "drug": "x"}, "list_pharmacy_drug_costs"),
    # by HTTP method
    Row("get", {"path": "/activities/"}, "list_activities"),
    Row("post", {"path": "/eligibility/", "data": BODY}, "check_eligibility"),
    Row("put", {"path": "/activities/5317f51527a27620f2ec7533", "data": BODY}, "update_activity"),
    Row("delete", {"path": f"/schedule/appointments/{UUID}"}, "cancel_appointment"),
]
DEPRECATED = {"payers", "appointments", "identity"}
NEWER = {"authorizations", "referrals", "files", "pharmacy_drug_cost"}
"""Not in the old client's last version."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[PokitDokClient]:
    with PokitDokClient(sandbox.client_id, sandbox.client_secret, base=sandbox.url) as connected:
        yield connected


def example_for(operation_id: str) -> Any:
    operation = OPERATIONS[operation_id]
    definition = CONTRACT.document["paths"][operation.path][operation.method.lower()]
    content = CONTRACT.resolve(definition["requestBody"])["content"]
    return CONTRACT.resolve(content["application/json"]["examples"]["synthetic"])["value"]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method}-{row.operation}")
def test_method_reaches_its_operation(row: Row, sandbox: Sandbox, client: PokitDokClient, tmp_path: Path) -> None:
    file = tmp_path / "file.x12"
    file.write_text(
        "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261124*1200*^*00501*1*0*T*:~"
    )
    given = {BODY: lambda: example_for(row.operation), FILE: lambda: str(file)}
    arguments = {
        name: given[value]() if value is BODY or value is FILE else value for name, value in row.arguments.items()
    }
    before = sandbox.state()["requests"]
    if row.method in DEPRECATED:
        with pytest.warns(DeprecationWarning, match=row.method):
            answer = getattr(client, row.method)(**arguments)
    else:
        answer = getattr(client, row.method)(**arguments)
    after = sandbox.state()["requests"]
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
        row.operation: 1,
        **({"create_token": 1} if "create_token" not in before else {}),
    }
    assert isinstance(answer, dict)
    assert client.status_code != 401
    assert client.status_code < 500


def test_table_holds_every_method_there_is() -> None:
    """A call that was added without a row fails here."""
    own = {"close", "fetch_access_token", "authorization_url", "initialize_api_client", "request"}
    methods = {
        name
        for name, value in inspect.getmembers(PokitDokClient, inspect.isfunction)
        if not name.startswith("_") and name not in own
    }
    assert methods == {row.method for row in TABLE}


@pytest.mark.shared
def test_table_holds_what_is_known_of_the_old_client() -> None:
    documents = yaml.safe_load(CLIENTS.read_text(encoding="utf-8"))
    [known] = [entry for entry in documents if entry["client"] == "python"]
    for method in known["methods"]:
        rows = [row for row in TABLE if row.method == method["name"]]
        assert rows, method["name"]
        operations = {row.operation for row in rows}
        if method["operation_id"]:
            assert method["operation_id"] in operations or method["name"] in DEPRECATED
        for listing in (word for word in method.get("note", "").split() if word.startswith("list_")):
            assert listing.rstrip(",") in operations
        methods = {OPERATIONS[name].method for name in operations}
        assert methods == {method["http"]}
    removed = {word for text in known["removed_methods"] for word in text.split()} & NEWER
    assert removed == NEWER
    constructor = list(inspect.signature(PokitDokClient).parameters)
    assert constructor[: len(known["constructor"])] == [entry["name"] for entry in known["constructor"]]
    generic = {text.partition("(")[0] for text in known["generic_methods"]}
    assert {name for name in generic if not callable(getattr(PokitDokClient, name, None))} == set()


SIGNATURES = """
import inspect, json
from pokitdok.api import connect

print(json.dumps({
    name: [[each.name, each.kind.value] for each in inspect.signature(value).parameters.values()]
    for name, value in inspect.getmembers(connect, inspect.isfunction) if not name.startswith('_') or name == '__init__'
}))
"""


@pytest.mark.peer
def test_arguments_are_those_of_the_old_client(old_python: str) -> None:
    """Same names in the same order; ours may have more behind them, by name only."""
    told = subprocess.run([old_python, "-c", SIGNATURES], capture_output=True, text=True, timeout=60, check=True)
    by_name_only = inspect.Parameter.KEYWORD_ONLY.value
    for name, wanted in json.loads(told.stdout).items():
        parameters = inspect.signature(getattr(PokitDokClient, name)).parameters.values()
        ours = [[each.name, each.kind.value] for each in parameters if each.kind.value != by_name_only]
        assert ours == wanted, name
