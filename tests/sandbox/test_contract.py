"""The sandbox against the contract: what starts, that every answer of a rule fits, and that a misfit is owned up to."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest

from pokitdok_sandbox import Settings, create_app
from pokitdok_sandbox.app import HANDLERS
from pokitdok_sandbox.calls import Answer, Call, Handler
from pokitdok_sandbox.contract import JSON, Contract, ContractError, load_contract
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.validation import Validation, _is_wire_time

if TYPE_CHECKING:
    from collections.abc import Callable

ECHOES = ("/data/parameters/",)
"""What a caller sent is shown again as it is, so it may hold members that the contract does not name."""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract()


def test_a_handler_without_an_operation_is_an_error_at_start_up_that_names_it(contract: Contract) -> None:
    more = {**HANDLERS, "file_claim": HANDLERS["submit_claim"]}

    with pytest.raises(ContractError, match="file_claim"):
        create_app(contract=contract, handlers=more)


def test_an_operation_with_neither_handler_nor_example_is_an_error_at_start_up_that_names_it(
    contract: Contract,
) -> None:
    document = deepcopy(contract.document)
    for form in document["paths"]["/api/v4/claims/"]["post"]["responses"]["200"]["content"].values():
        form.pop("examples", None)
    fewer = {name: handler for name, handler in HANDLERS.items() if name != "submit_claim"}

    with pytest.raises(ContractError, match="submit_claim"):
        create_app(contract=Contract(document), handlers=fewer)


@pytest.mark.parametrize("area", ["eligibility", "claims", "trading_partners"])
def test_sample_data_is_read_as_json_would_give_it(area: str) -> None:
    def kinds(node: Any) -> set[type]:
        if isinstance(node, dict):
            return set().union({type(key) for key in node}, *(kinds(value) for value in node.values()))
        if isinstance(node, list):
            return set().union(*(kinds(value) for value in node))
        return {type(node)}

    assert kinds(sample(area)) <= {str, int, float, bool, type(None)}


async def test_every_answer_fits_the_contract_to_the_letter(
    contract: Contract,
    api: httpx.AsyncClient,
    check: dict[str, Any],
    claim: dict[str, Any],
    clock: Any,
) -> None:
    validation = Validation(contract)
    registry = jsonschema_rs.Registry([("urn:exact", contract.document)])
    operations = {operation.id: operation for operation in contract.operations}
    problems: list[str] = []

    async def look(operation_id: str, method: str, path: str, body: Any = None) -> Any:
        response = await api.request(method, path, json=body)
        operation = operations[operation_id]
        pointer = operation.answers.get(str(response.status_code), operation.answers["default"])
        exact = jsonschema_rs.Draft202012Validator(
            {"$ref": "urn:exact" + pointer.replace("{", "%7B").replace("}", "%7D")}, registry=registry
        )
        answer = response.json()
        problems.extend(f"{operation_id} {error.instance_path}" for error in exact.iter_errors(answer))
        problems.extend(
            f"{operation_id} {place}"
            for place in validation.undocumented(pointer, answer)
            if not any(echo in place for echo in ECHOES)
        )
        return answer

    await look("list_trading_partners", "GET", "/api/v4/tradingpartners/")
    for entry in sample("trading_partners")["partners"]:
        await look("get_trading_partner", "GET", f"/api/v4/tradingpartners/{entry['id']}")
    await look("get_trading_partner", "GET", "/api/v4/tradingpartners/nobody")
    for member in [{}, {"id": "W0"}, *({"id": member["id"]} for member in sample("eligibility")["members"])]:
        await look("check_eligibility", "POST", "/api/v4/eligibility/", check | {"member": member})
    for partner in ("nobody", "claims_only_mutual", "aetna"):
        await look("check_eligibility", "POST", "/api/v4/eligibility/", check | {"trading_partner_id": partner})
    await look("check_eligibility", "POST", "/api/v4/eligibility/", {})
    for member_id in ("W1", "00001234"):
        sent = deepcopy(claim)
        sent["subscriber"]["member_id"] = member_id
        await look("submit_claim", "POST", "/api/v4/claims/", sent)
    claim_id = (await look("submit_claim", "POST", "/api/v4/claims/", claim))["data"]["id"]
    await look("submit_claim", "POST", "/api/v4/claims/", {})
    for _ in range(2):
        await look("update_activity", "PUT", f"/api/v4/activities/{claim_id}", {"transition": "cancel"})
    await look("get_activity", "GET", f"/api/v4/activities/{'0' * 24}")
    for seconds in (0, 300, 15, 15, 15, 45, 15, 15):
        clock.now += seconds
        page = await look("list_activities", "GET", "/api/v4/activities/?limit=100")
    for activity in page["data"]:
        await look("get_activity", "GET", f"/api/v4/activities/{activity['id']}")

    assert problems == []


async def ask(app: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test") as client:
        form = {
            "grant_type": "client_credentials",
            "client_id": Settings().client_id,
            "client_secret": Settings().client_secret,
        }
        token = (await client.post("/oauth2/token", data=form)).json()["access_token"]
        return await client.get("/api/v4/tradingpartners/x", headers={"authorization": f"Bearer {token}"})


def broken(_call: Call) -> Answer:
    return Answer({"id": 5, "name": "canary", "is_enabled": "canary"})


def failing(_call: Call) -> Answer:
    raise LookupError("canary")


@pytest.mark.parametrize(("function", "told"), [(broken, "/data"), (failing, "LookupError")])
async def test_a_misfit_is_the_sandbox_own_fault_and_logged_without_values(
    clock: Any, caplog: pytest.LogCaptureFixture, function: Callable[[Call], Answer], told: str
) -> None:
    handlers = {**HANDLERS, "get_trading_partner": Handler(function, activity="tradingpartners")}
    with caplog.at_level(logging.ERROR, logger="pokitdok_sandbox"):
        response = await ask(create_app(clock=clock, handlers=handlers))

    assert response.status_code == 500
    assert "sandbox itself is at fault" in response.json()["data"]["errors"]["general"]
    assert "get_trading_partner" in caplog.text
    assert told in caplog.text
    assert "canary" not in caplog.text + response.text


def test_findings_and_pointers_never_hold_a_value(contract: Contract) -> None:
    validation = Validation(contract)
    operation = next(operation for operation in contract.operations if operation.id == "submit_claim")
    body = {"claim": "canary", "subscriber": {"last_name": {"canary_key": 1}}, "trading_partner_id": ["canary"]}

    schema = operation.bodies[JSON]
    assert "canary" not in str(validation.findings(schema, body))
    assert "canary" not in str(validation.pointers(schema, body))


def test_evidence_comes_from_the_status_and_then_from_the_operation(contract: Contract) -> None:
    operations = {operation.id: operation for operation in contract.operations}

    assert operations["check_eligibility"].evidence_for(500) == "recorded"
    assert operations["check_eligibility"].evidence_for(422) == "documented"
    assert operations["check_eligibility"].evidence_for(418) == "inferred"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("2026-11-02T09:30:00", True),
        ("2026-11-02T09:30:00.120000", True),
        ("2026-11-02T09:30:00Z", True),
        ("2026-11-02T09:30:00+05:00", True),
        ("2026-11-02 09:30:00", False),
        ("2026-11-02", False),
        ("20261102T093000", False),
        ("2026-W45-1T09:30:00", False),
        ("2026-02-30T09:30:00", False),
    ],
)
def test_date_time_is_written_as_on_the_wire(text: str, fits: bool) -> None:
    assert _is_wire_time(text) is fits
