"""Every operation of the contract, asked with the contract's own example: it answers its success, in every form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import jsonschema_rs
import pytest
import yaml

from pokitdok_sandbox import Settings, create_app
from pokitdok_sandbox.app import HANDLERS
from pokitdok_sandbox.contract import FORM, JSON, X12_JSON, Operation, load_contract
from pokitdok_sandbox.reading import MULTIPART
from pokitdok_sandbox.x12 import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.applications import Starlette

CONTRACT = load_contract()
SCHEMAS = jsonschema_rs.Registry([("urn:exact", CONTRACT.document)])

HERE = Path(__file__).parent
SENT = yaml.safe_load((HERE.parent / "operations.yaml").read_text(encoding="utf-8"))
OPERATIONS = {operation.id: operation for operation in CONTRACT.operations}

ANY_SCOPE = "user_schedule business_schedule"


def example_of_request(operation: Operation, media_type: str, made: Mapping[str, Any]) -> Any:
    if operation.id in SENT["bodies"]:
        own: dict[str, Any] = SENT["bodies"][operation.id]
        return own | {name: value for name, value in made.items() if name in own}
    if operation.id in SENT["x12"] and media_type != JSON:
        text = (HERE / "x12" / SENT["x12"][operation.id]).read_text()
        forms = {MULTIPART: {"file": text, "trading_partner_id": "MOCKPAYER"}, X12_JSON: {"x12": text}}
        if operation.id == "convert_claims":
            del forms[MULTIPART]["trading_partner_id"]
        return forms.get(media_type, text)
    pointer = operation.bodies[media_type].removesuffix("/schema")
    if "examples" not in CONTRACT.resolve(pointer)[1]:
        pytest.skip("the contract has no example of this request")
    return CONTRACT.resolve(f"{pointer}/examples/synthetic")[1]["value"]


def written(media_type: str, body: Any) -> dict[str, Any]:
    """Return what httpx needs to send a body in a media type."""
    if media_type == MULTIPART:
        files = {"file": ("sample.837", body["file"].encode())}
        fields = {name: value for name, value in body.items() if name != "file"}
        return {"files": files, "data": fields}
    if media_type == FORM:
        return {"data": body}
    content = json.dumps(body) if media_type.endswith("json") else body
    return {"content": content, "headers": {"content-type": media_type}}


def misfits(schema: str, answer: Any) -> list[str]:
    """Return where an answer does not fit the contract to the letter, code lists included."""
    pointer = quote(schema.removeprefix("#/"), safe="/~")
    validator = jsonschema_rs.Draft202012Validator({"$ref": f"urn:exact#/{pointer}"}, registry=SCHEMAS)
    return [f"{error.instance_path} {error.kind.name}" for error in validator.iter_errors(answer)]


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_app(Settings(advance="polls"), contract=CONTRACT)


@pytest.fixture
async def scoped(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose token has every scope; what earlier tests did is forgotten."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test") as client:
        await client.post("/_sandbox/reset")
        form = {"grant_type": "client_credentials", "scope": ANY_SCOPE}
        login = (Settings().client_id, Settings().client_secret)
        token = (await client.post("/oauth2/token", data=form, auth=login)).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client


async def ask(client: httpx.AsyncClient, operation: Operation, media_type: str, accept: str = "*/*") -> httpx.Response:
    """Ask after the steps that make what the request is about."""
    made: dict[str, Any] = {}
    for step in SENT["steps"].get(operation.id, ()):
        called = OPERATIONS[step["call"]]
        for _ in range(step.get("times", 1)):
            answer = (await ask_once(client, called, next(iter(called.bodies), ""), made)).json()
        made |= {name: member_of(answer, place) for name, place in step.get("gives", {}).items()}
    return await ask_once(client, operation, media_type, made, accept)


async def ask_once(
    client: httpx.AsyncClient, operation: Operation, media_type: str, made: Mapping[str, Any], accept: str = "*/*"
) -> httpx.Response:
    known = SENT["paths"].get(operation.id, "1")
    sent = written(media_type, example_of_request(operation, media_type, made)) if media_type else {}
    return await client.request(
        operation.method,
        re.sub(r"\{([^}]+)\}", lambda name: str(made.get(name[1], known)), operation.path),
        params=SENT["queries"].get(operation.id)
        or {name: "1" for name, parameter in operation.parameters.items() if parameter.required},
        **{**sent, "headers": {**sent.get("headers", {}), "accept": accept}},
    )


def member_of(answer: Any, place: str) -> Any:
    for step in place.split("."):
        answer = answer[int(step) if step.isdigit() else step]
    return answer


REQUESTS = [
    pytest.param(operation, media_type, id=f"{operation.id} {media_type}".strip())
    for operation in CONTRACT.operations
    for media_type in operation.bodies or [""]
]


@pytest.mark.parametrize(("operation", "media_type"), REQUESTS)
async def test_the_example_of_each_request_is_answered_with_success_that_fits_the_contract(
    app: Starlette, scoped: httpx.AsyncClient, operation: Operation, media_type: str
) -> None:
    response = await ask(scoped, operation, media_type)

    assert response.status_code == operation.success
    assert "undocumented" not in response.headers.get("x-sandbox-warning", "")
    by_rules = operation.id in HANDLERS and media_type in HANDLERS[operation.id].takes | {FORM}
    assert response.headers["x-sandbox-answer"] == ("rules" if by_rules else "example")
    if operation.forms:
        answer = response.json()
        assert misfits(operation.answers[str(operation.success)], answer) == []
        if "meta" in answer:
            assert app.state.world.store.activity(answer["meta"]["activity_id"]) is not None
    else:
        assert response.content == b""


FORMS = [
    pytest.param(operation, form, id=f"{operation.id} {form}")
    for operation in CONTRACT.operations
    for form in operation.forms
    if form != JSON
]


@pytest.mark.parametrize(("operation", "form"), FORMS)
async def test_each_other_form_that_is_asked_for_is_answered_in_that_form(
    scoped: httpx.AsyncClient, operation: Operation, form: str
) -> None:
    media_type = JSON if operation.bodies else ""
    response = await ask(scoped, operation, media_type, accept=form)

    assert (response.status_code, response.headers["content-type"]) == (operation.success, form)
    assert response.headers["x-sandbox-answer"] == "rules"
    assert response.headers["x-sandbox-evidence"] == "documented"
    if form.endswith("json"):
        assert misfits(operation.forms[form], response.json()) == []
    else:
        interchange = read(response.text)
        assert (interchange.flaws, len(interchange.transactions)) == ((), 1)


SCOPED = [pytest.param(operation, id=operation.id) for operation in CONTRACT.operations if any(operation.scopes)]


@pytest.mark.parametrize("operation", SCOPED)
async def test_without_its_scope_each_scoped_operation_is_refused_as_recorded(
    api: httpx.AsyncClient, operation: Operation
) -> None:
    response = await ask_once(api, operation, next(iter(operation.bodies), ""), {})

    assert response.status_code == 403
    (missing,) = operation.scopes[0]
    assert response.json()["data"] == {"errors": {"scope": f"'{missing}' scope required to access this API"}}
    assert response.json()["meta"].keys() == {
        "activity_id",
        "application_mode",
        "processing_time",
        "rate_limit_amount",
        "rate_limit_cap",
        "rate_limit_reset",
    }


async def test_every_collection_redirects_without_its_final_slash_and_every_path_refuses_a_strange_method(
    bare: httpx.AsyncClient,
) -> None:
    paths = {operation.path for operation in CONTRACT.operations}
    wrong = []
    for path in sorted(paths):
        if path.endswith("/") and path[:-1] not in paths:
            moved = await bare.get(path[:-1])
            wrong += [path] if (moved.status_code, moved.headers.get("location", "")[-1:]) != (301, "/") else []
        refused = await bare.request("TRACE", path.replace("{", "").replace("}", ""))
        methods = {operation.method for operation in CONTRACT.operations if operation.path == path}
        wrong += [path] if refused.status_code != 405 or not methods <= {*refused.headers["allow"].split(", ")} else []

    assert wrong == []


async def test_state_tells_rules_from_examples(bare: httpx.AsyncClient) -> None:
    state = (await bare.get("/_sandbox/state")).json()

    assert {*state["rules"]} == HANDLERS.keys()
    assert {*state["examples"]} == {operation.id for operation in CONTRACT.operations} - HANDLERS.keys()


def test_each_table_names_operations_of_the_contract() -> None:
    called = {step["call"] for steps in SENT["steps"].values() for step in steps}
    assert {*called, *(name for table in SENT.values() for name in table)} <= OPERATIONS.keys()
