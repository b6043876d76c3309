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

from pokitdok_sandbox import Settings, create_app
from pokitdok_sandbox.app import HANDLERS
from pokitdok_sandbox.contract import FORM, JSON, X12_JSON, Operation, load_contract
from pokitdok_sandbox.reading import MULTIPART
from pokitdok_sandbox.settings import WELL_KNOWN_ACTIVITY
from pokitdok_sandbox.x12 import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from starlette.applications import Starlette

CONTRACT = load_contract()
SCHEMAS = jsonschema_rs.Registry([("urn:exact", CONTRACT.document)])

REGISTRATION = {
    "trading_partner_id": "MOCKPAYER",
    "transaction_set_name": "eligibility",
    "npi": "1234567893",
    "tax_id": ["123456789"],
    "claims_roles": ["billing"],
    "address_lines": ["12 Harbor Lane"],
    "city": "Charleston",
    "state": "SC",
    "zipcode": "29401",
    "organization_name": "Harbor Family Clinic",
}
OWN_BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "create_app_registration": (REGISTRATION, "its rules take personal names or an organization, as documented"),
    "update_app_registration": (REGISTRATION, "its rules take personal names or an organization, as documented"),
    "register_schedule_patient": (
        {
            "pd_patient_uuid": "500ef469-2767-4901-b705-425e9b6f7f83",
            "pd_provider_uuid": "b691b7f9-bfa8-486d-a689-214ae47ea6f8",
            "location": [32.78811, -79.932364],
        },
        "its rules know the users and providers of this sandbox alone",
    ),
    "update_activity": ({"transition": "cancel"}, "its rules know this transition alone"),
    "create_token": (
        {
            "grant_type": "client_credentials",
            "client_id": Settings().client_id,
            "client_secret": Settings().client_secret,
        },
        "its rules know the credentials of this sandbox alone",
    ),
}
"""Operations whose rules do not take any body that the contract allows: what they are sent instead, and why."""

PAYMENT = "59a000010000000000000001"
APPOINTMENT = "ef987691-0a19-447f-814d-f8f3abbf4859"
PATHS = {
    "get_activity": WELL_KNOWN_ACTIVITY,
    "get_trading_partner": "MOCKPAYER",
    "get_provider": "1467560003",
    "get_medical_procedure": "99213",
    "convert_icd_code": "250.12",
    "get_payment": PAYMENT,
    "get_payment_data": PAYMENT,
    "update_identity": "881bc095-2068-43cb-9783-cce630364122",
    "get_match_config": "test_name_and_zipcode",
    "update_match_config": "test_name_and_zipcode",
    "delete_match_config": "test_name_and_zipcode",
    "submit_identity_match_source": "test_name_and_zipcode",
    "find_canonical_identity": "test_name_and_zipcode",
    "get_scheduler": "967d207f-b024-41cc-8cac-89575a1f6fef",
    "get_appointment_type": "ef987691-0a19-447f-814d-f8f3abbf4860",
    "get_appointment": APPOINTMENT,
    "book_appointment": APPOINTMENT,
    "delete_slot": APPOINTMENT,
}
"""Ids that rules look up; an example answers for any id. update_activity gets a claim of this very test."""

PRICE = {"cpt_code": "99385", "zip_code": "29412"}
PDP = {"trading_partner_id": "medicare_national", "plan_number": "S5820003"}
QUERIES: dict[str, dict[str, str]] = {
    "list_cash_prices": PRICE,
    "list_insurance_prices": PRICE,
    "list_pharmacy_plans": PDP,
    "list_pharmacy_formulary": {**PDP, "drug": "simvastatin"},
    "list_pharmacy_drug_costs": {**PDP, "drug": "simvastatin"},
}
"""What rules want in the query; elsewhere a required parameter is anything."""

SAMPLES = Path(__file__).parent / "x12"
X12_BODIES = {
    "check_eligibility": "eligibility.270",
    "submit_claim": "claims.837",
    "convert_claims": "claims.837",
    "check_claim_status": "status.276",
    "request_authorization": "review.278",
    "request_referral": "review.278",
    "submit_enrollment": "enrollment.834",
    "create_enrollment_snapshot": "enrollment.834",
    "submit_file": "eligibility.270",
}
"""X12 that rules read; that of the contract's examples has no more than a beginning and an end."""

MATCH = "/api/v4/identity/match/test_name_and_zipcode"


async def matched(client: httpx.AsyncClient) -> dict[str, str]:
    document = {"first_name": "Mira", "last_name": "Oakes", "address": {"postal_code": "29401"}}
    source_id = (await client.post(MATCH, json=document)).json()["data"]["_source_id"]
    person = (await client.post(f"{MATCH}/find", json=document)).json()["data"]
    return {"algorithm_id": "test_name_and_zipcode", "source_id": source_id, "canonical_id": person["record_id"]}


async def booked(client: httpx.AsyncClient) -> dict[str, str]:
    await client.put(f"/api/v4/schedule/appointments/{APPOINTMENT}", json={"patient": {"last_name": "Oakes"}})
    return {"pd_appointment_uuid": APPOINTMENT}


async def priced(client: httpx.AsyncClient) -> dict[str, str]:
    price = {"trading_partner_id": "MOCKPAYER", "cpt_bundle": ["99385"], "price": {"amount": "130.50"}}
    loaded = await client.post("/api/v4/oop/insurance-load-price", json=price)
    return {"price_uuid": loaded.json()["data"]["uuid"]}


async def registered(client: httpx.AsyncClient) -> dict[str, str]:
    return {"uuid": (await client.post("/api/v4/appregistrations", json=REGISTRATION)).json()["data"]["_uuid"]}


async def provider_registered(client: httpx.AsyncClient) -> dict[str, str]:
    await client.post("/api/v4/providers/registration/", json={"npi": "1234567893", "last_name": "Oakes"})
    return {"npi": "1234567893"}


async def drafted(client: httpx.AsyncClient) -> dict[str, str]:
    draft = CONTRACT.resolve("#/components/examples/ClaimDraftRequest")[1]["value"]
    return {"id": (await client.post("/api/v4/claims/drafts/", json=draft)).json()["data"]["id"]}


async def snapshot_taken(client: httpx.AsyncClient) -> dict[str, str]:
    file = {"file": ("sample.834", (SAMPLES / "enrollment.834").read_bytes())}
    url = "/api/v4/enrollment/snapshot"
    activity = (await client.post(url, files=file, data={"trading_partner_id": "MOCKPAYER"})).json()["data"]["id"]
    for _ in range(5):
        await client.get(f"/api/v4/activities/{activity}")
    return {"id": (await client.get(url)).json()["data"][0]["snapshot_id"]}


MADE: dict[str, Callable[[httpx.AsyncClient], Awaitable[dict[str, str]]]] = {
    "get_canonical_identity": matched,
    "list_canonical_identity_sources": matched,
    "get_identity_match_source": matched,
    "list_source_canonical_identities": matched,
    "get_claim_draft": drafted,
    "update_claim_draft": drafted,
    "delete_claim_draft": drafted,
    "validate_claim_draft": drafted,
    "get_enrollment_snapshot": snapshot_taken,
    "get_enrollment_snapshot_data": snapshot_taken,
    "cancel_appointment": booked,
    "get_oop_price": priced,
    "delete_oop_price": priced,
    "get_app_registration": registered,
    "update_app_registration": registered,
    "delete_app_registration": registered,
    "undelete_app_registration": registered,
    "get_provider_registration": provider_registered,
    "update_provider_registration": provider_registered,
    "delete_provider_registration": provider_registered,
}
"""Operations on something that has to be made first: makes it and gives the values of the path."""


async def questionnaire(client: httpx.AsyncClient) -> dict[str, Any]:
    person = CONTRACT.resolve("#/components/examples/IdentityProofRequest")[1]["value"]
    asked = (await client.post("/api/v4/identity/proof/questions/generate/", json=person)).json()["data"]
    return {"questionnaire_id": asked["questionnaire_id"], "question_id": 1, "answer": 1}


BODIES: dict[str, Callable[[httpx.AsyncClient], Awaitable[dict[str, Any]]]] = {"score_proof_question": questionnaire}
"""Operations whose body names something that has to be made first: makes it and gives the body."""

ANY_SCOPE = "user_schedule business_schedule"


def example_of_request(operation: Operation, media_type: str) -> Any:
    if operation.id in OWN_BODIES:
        return OWN_BODIES[operation.id][0]
    if operation.id in X12_BODIES and media_type != JSON:
        text = (SAMPLES / X12_BODIES[operation.id]).read_text()
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


async def ask(
    client: httpx.AsyncClient, operation: Operation, media_type: str, claim: Mapping[str, Any], accept: str = "*/*"
) -> httpx.Response:
    made = await MADE[operation.id](client) if operation.id in MADE else {}
    known = PATHS.get(operation.id, "1")
    if operation.id == "update_activity":
        known = (await client.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    if operation.id in BODIES:
        sent = written(media_type, await BODIES[operation.id](client))
    else:
        sent = written(media_type, example_of_request(operation, media_type)) if media_type else {}
    return await client.request(
        operation.method,
        re.sub(r"\{([^}]+)\}", lambda name: made.get(name[1], known), operation.path),
        params=QUERIES.get(operation.id)
        or {name: "1" for name, parameter in operation.parameters.items() if parameter.required},
        **{**sent, "headers": {**sent.get("headers", {}), "accept": accept}},
    )


REQUESTS = [
    pytest.param(operation, media_type, id=f"{operation.id} {media_type}".strip())
    for operation in CONTRACT.operations
    for media_type in operation.bodies or [""]
]


@pytest.mark.parametrize(("operation", "media_type"), REQUESTS)
async def test_the_example_of_each_request_is_answered_with_success_that_fits_the_contract(
    app: Starlette, scoped: httpx.AsyncClient, claim: dict[str, Any], operation: Operation, media_type: str
) -> None:
    response = await ask(scoped, operation, media_type, claim)

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
    scoped: httpx.AsyncClient, claim: dict[str, Any], operation: Operation, form: str
) -> None:
    media_type = JSON if operation.bodies else ""
    response = await ask(scoped, operation, media_type, claim, accept=form)

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
    api: httpx.AsyncClient, claim: dict[str, Any], operation: Operation
) -> None:
    response = await ask(api, operation, next(iter(operation.bodies), ""), claim)

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
    named = {*OWN_BODIES, *PATHS, *QUERIES, *MADE, *BODIES}
    assert named <= {operation.id for operation in CONTRACT.operations}
