"""Forms of requests and answers, scopes and paths, on a small invented contract whose every part is seen here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pokitdok_sandbox import Settings, create_app
from pokitdok_sandbox.calls import Answer, Handler
from pokitdok_sandbox.contract import Contract, load_contract
from pokitdok_sandbox.grants import create_token
from pokitdok_sandbox.reading import form_asked_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.applications import Starlette

X12 = "application/edi-x12"
X12_JSON = "application/vnd.pokitdok.v4+edi-x12-json"
JSON = "application/json"
INTERCHANGE = "ISA*00*~IEA*0*1~"

PATHS = """
/api/v4/boats/:
  post:
    operationId: weigh_boat
    requestBody:
      required: true
      content:
        application/json:
          schema: {type: object, required: [name], properties: {name: {type: string}}}
        application/vnd.pokitdok.v4+edi-x12-json: {schema: {type: object, properties: {x12: {type: string}}}}
        application/edi-x12: {schema: {type: string}}
    responses:
      '200':
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Envelope'}
            examples: {synthetic: {$ref: '#/components/examples/Boat'}}
          application/vnd.pokitdok.v4+edi-x12-json:
            schema: {type: object}
            examples: {synthetic: {value: {x12: ISA~}}}
          application/edi-x12:
            schema: {type: string}
            examples: {synthetic: {value: ISA~}}
      default: {$ref: '#/components/responses/Failure'}
/api/v4/boats/{boat_id}:
  parameters: [{name: boat_id, in: path, required: true, schema: {type: string}}]
  get:
    operationId: get_boat
    responses:
      '200': {$ref: '#/components/responses/Boat'}
      default: {$ref: '#/components/responses/Failure'}
  delete:
    operationId: sink_boat
    responses:
      '204': {description: Gone.}
      default: {$ref: '#/components/responses/Failure'}
/api/v4/boats/harbor:
  get:
    operationId: list_harbor
    parameters:
    - {name: berth, in: query, required: true, schema: {type: integer}}
    - {name: afloat, in: query, schema: {type: boolean}}
    - {name: kinds, in: query, schema: {$ref: '#/components/schemas/Kind'}}
    responses:
      '200':
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Envelope'}
            examples: {synthetic: {value: {meta: {result_count: 9, credits_billed: 3}, data: [one, two]}}}
      default: {$ref: '#/components/responses/Failure'}
/api/v4/boats/papers:
  post:
    operationId: file_papers
    requestBody:
      required: true
      content:
        multipart/form-data:
          schema:
            type: object
            required: [file, captain]
            properties: {file: {type: string, format: binary}, captain: {type: string}}
        text/plain: {schema: {type: string}}
    responses:
      '200': {description: Taken.}
      default: {$ref: '#/components/responses/Failure'}
/api/v4/boats/crew:
  get:
    operationId: list_crew
    security: [{oauth2: [deck, bridge]}, {oauth2: [owner]}]
    responses:
      '200': {$ref: '#/components/responses/Boat'}
      default: {$ref: '#/components/responses/Failure'}
"""
COMPONENTS = """
examples: {Boat: {value: {meta: {activity_id: invented}, data: an example}}}
responses:
  Boat:
    content:
      application/json:
        schema: {$ref: '#/components/schemas/Envelope'}
        examples: {synthetic: {$ref: '#/components/examples/Boat'}}
  Failure: {content: {application/json: {schema: {$ref: '#/components/schemas/Envelope'}}}}
schemas:
  Envelope: {type: object, required: [meta, data], properties: {meta: {type: object}, data: true}}
  Kind: {type: string, enum: [sloop, ketch]}
"""


@pytest.fixture
def harbor() -> Starlette:
    """A sandbox of the small contract, in which only weigh_boat has rules."""
    paths = yaml.safe_load(PATHS)
    for item in paths.values():
        for method in item.keys() - {"parameters"}:
            item[method]["x-evidence"] = "inferred"
    token = load_contract().document["paths"]["/oauth2/token"]
    components = load_contract().document["components"]
    mine = yaml.safe_load(COMPONENTS)
    document = {
        "security": [{"oauth2": []}],
        "paths": {"/oauth2/token": token, **paths},
        "components": {
            kind: {**components.get(kind, {}), **mine.get(kind, {})} for kind in components.keys() | mine.keys()
        },
    }
    handlers = {
        "create_token": Handler(create_token, activity=None),
        "weigh_boat": Handler(lambda call: Answer(call.body["name"]), activity="boats", billed=True),
    }
    return create_app(contract=Contract(document), handlers=handlers)


@pytest.fixture
async def boats(harbor: Starlette, sign_in: Callable[..., Any]) -> Any:
    async with sign_in(harbor) as client:
        yield client


async def weigh(client: httpx.AsyncClient, content: bytes | str, **headers: str) -> httpx.Response:
    return await client.post(
        "/api/v4/boats/", content=content, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def refused(response: httpx.Response) -> tuple[int, list[str]]:
    return response.status_code, sorted(response.json()["data"]["errors"]["validation"])


# ---------------------------------------------------------------- who answers


async def test_rules_answer_json_and_the_example_answers_the_rest(boats: httpx.AsyncClient) -> None:
    json_body, x12_json = json.dumps({"name": "Tern"}), json.dumps({"x12": INTERCHANGE})
    answers = [
        await weigh(boats, json_body, content_type=JSON),
        await weigh(boats, x12_json, content_type=X12_JSON),
        await weigh(boats, f"\n {INTERCHANGE}", content_type=f"{X12}; charset=utf-8"),
    ]

    told = [(answer.json()["data"], answer.headers["x-sandbox-answer"]) for answer in answers]
    assert told == [("Tern", "rules"), ("an example", "example"), ("an example", "example")]
    assert [answer.json()["meta"]["credits_billed"] for answer in answers] == [1, 1, 1]


async def test_an_example_gets_the_meta_of_its_call_and_makes_an_activity(
    boats: httpx.AsyncClient, harbor: Starlette
) -> None:
    meta = (await boats.get("/api/v4/boats/7")).json()["meta"]
    counted = (await boats.get("/api/v4/boats/harbor?berth=1")).json()["meta"]

    activity = harbor.state.world.store.activity(meta["activity_id"])
    assert (activity["name"], activity["ended"]) == ("pokitdok_api", "completed")
    assert "result_count" not in meta
    assert counted["result_count"] == 2
    assert "credits_billed" not in counted


async def test_answers_without_content_are_empty(boats: httpx.AsyncClient) -> None:
    gone = await boats.delete("/api/v4/boats/7", headers={"accept": X12})
    taken = await boats.post("/api/v4/boats/papers", content="a log", headers={"content-type": "text/plain"})

    assert [(answer.status_code, answer.content) for answer in (gone, taken)] == [(204, b""), (200, b"")]
    assert [answer.headers["x-sandbox-answer"] for answer in (gone, taken)] == ["example", "example"]


async def test_a_refusal_is_the_work_of_rules(boats: httpx.AsyncClient, open_client: Any, harbor: Starlette) -> None:
    wrong = await boats.get("/api/v4/boats/harbor")
    async with open_client(harbor) as client:
        stranger = await client.get("/api/v4/boats/harbor")

    assert (wrong.status_code, wrong.headers["x-sandbox-answer"]) == (422, "rules")
    assert (stranger.status_code, stranger.headers["x-sandbox-answer"]) == (401, "rules")


# ---------------------------------------------------------------- the form of the answer


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (X12, X12),
        ("Application/EDI-X12; charset=utf-8", X12),
        (f"application/xml, {X12_JSON};q=0.5, {X12} ; q=0.9", X12),
        (f"text/html, {X12_JSON}", X12_JSON),
        (f"{X12};q=0.2, */*;q=0.1", X12),
        (f"{X12};q=0.2, application/json", JSON),
        (f"*/*, {X12}", JSON),
        (f"{X12};q=0", JSON),
        (f"{X12};q=high", JSON),
        ("application/edi-x12-of-mine", JSON),
        ("text/html", JSON),
        ("", JSON),
        (";;,,", JSON),
    ],
)
async def test_accept_chooses_a_documented_form_by_its_exact_name_and_json_otherwise(
    harbor: Starlette, boats: httpx.AsyncClient, accept: str, form: str
) -> None:
    response = await weigh(boats, json.dumps({"name": "Tern"}), content_type=JSON, accept=accept)

    assert response.headers["content-type"] == (form if form != JSON else "text/html; charset=utf-8")
    body = {X12: "ISA~", X12_JSON: '{"x12": "ISA~"}'}
    assert response.text == body.get(form, response.text)
    assert response.headers["x-sandbox-answer"] == ("rules" if form == JSON else "example")


def test_a_form_without_an_example_is_not_offered() -> None:
    operation = next(one for one in load_contract().operations if one.id == "list_trading_partners")

    assert form_asked_for(operation, X12) == JSON


# ---------------------------------------------------------------- the form of the request


@pytest.mark.parametrize(
    ("content_type", "content", "fields"),
    [
        (JSON, "{", ["body"]),
        (JSON, "{}", ["name"]),
        ("application/xml", "<boat/>", ["body"]),
        (X12_JSON, "ISA*00*~", ["body"]),
        (X12_JSON, '{"x12": 5}', ["x12"]),
        (X12_JSON, '{"x12": "GS*HS~"}', ["x12"]),
        (X12, "GS*HS~", ["body"]),
        (X12, " \n", ["body"]),
        (X12, b"ISA*\xff~", ["body"]),
    ],
)
async def test_a_body_that_does_not_fit_its_form_is_refused_by_field(
    boats: httpx.AsyncClient, content_type: str, content: bytes | str, fields: list[str]
) -> None:
    assert refused(await weigh(boats, content, content_type=content_type)) == (422, fields)


@pytest.mark.parametrize(
    ("content", "data"),
    [('{"name": "Tern"}', "Tern"), (INTERCHANGE, "an example"), (f"\ufeff{INTERCHANGE}", "an example")],
)
async def test_without_a_content_type_the_body_decides(boats: httpx.AsyncClient, content: str, data: str) -> None:
    response = await weigh(boats, content.encode())

    assert response.json()["data"] == data


async def test_without_a_content_type_a_body_that_is_nothing_is_refused_as_no_json(boats: httpx.AsyncClient) -> None:
    response = await weigh(boats, b"boat")

    assert response.json()["data"]["errors"]["validation"] == {"body": ["Not JSON."]}


async def test_json_under_a_strange_content_type_is_read(boats: httpx.AsyncClient) -> None:
    assert (await weigh(boats, '{"name": "Tern"}', content_type="text/plain")).json()["data"] == "Tern"


PAPERS = "/api/v4/boats/papers"


async def test_multipart_takes_any_bytes_as_a_file_and_warns_of_strange_parts(boats: httpx.AsyncClient) -> None:
    response = await boats.post(
        PAPERS, files={"file": ("papers.bin", bytes(range(256)))}, data={"captain": "Orla", "ship": "canary"}
    )

    assert (response.status_code, response.headers["x-sandbox-warning"]) == (200, "undocumented /ship")


async def test_a_missing_part_is_named(boats: httpx.AsyncClient) -> None:
    without_file = await boats.post(PAPERS, files={"captain": (None, "Orla")})
    without_captain = await boats.post(PAPERS, files={"file": ("papers.bin", b"")})

    assert refused(without_file) == (422, ["file"])
    assert refused(without_captain) == (422, ["captain"])


@pytest.mark.parametrize(
    ("content_type", "remedy"),
    [
        ("multipart/form-data", "Not multipart/form-data."),
        ("multipart/form-data; boundary=b", "Not multipart/form-data."),
        (JSON, "Send it as multipart/form-data or text/plain."),
    ],
)
async def test_what_is_no_multipart_is_refused_with_the_remedy(
    boats: httpx.AsyncClient, content_type: str, remedy: str
) -> None:
    response = await boats.post(PAPERS, content=b"{}", headers={"content-type": content_type})

    assert response.status_code == 422
    assert response.json()["data"]["errors"]["validation"] == {"body": [remedy]}


# ---------------------------------------------------------------- queries, paths, scopes


@pytest.mark.parametrize(
    ("query", "fields"),
    [("", ["berth"]), ("berth=far", ["berth"]), ("berth=1&afloat=perhaps", ["afloat"])],
)
async def test_a_query_that_does_not_fit_is_refused_by_name(
    boats: httpx.AsyncClient, query: str, fields: list[str]
) -> None:
    assert refused(await boats.get(f"/api/v4/boats/harbor?{query}")) == (422, fields)


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("kinds=sloop", None),
        ("kinds=sloop,ketch&afloat=True", None),
        ("kinds=sloop,canary", "undocumented code in ?kinds"),
    ],
)
async def test_a_code_in_a_query_that_is_not_listed_is_warned_of(
    boats: httpx.AsyncClient, query: str, warning: str | None
) -> None:
    response = await boats.get(f"/api/v4/boats/harbor?berth=1&{query}")

    assert (response.status_code, response.headers.get("x-sandbox-warning")) == (200, warning)


async def test_a_word_in_a_path_goes_before_a_parameter(boats: httpx.AsyncClient) -> None:
    assert (await boats.get("/api/v4/boats/harbor?berth=1")).json()["data"] == ["one", "two"]
    assert (await boats.get("/api/v4/boats/harbour")).json()["data"] == "an example"
    assert (await boats.delete("/api/v4/boats/papers")).headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    ("asked", "missing"),
    [("", "bridge"), ("bridge", "deck"), ("deck anything", "bridge"), ("deck bridge", None), ("owner", None)],
)
async def test_an_operation_needs_all_scopes_of_one_of_its_sets(
    boats: httpx.AsyncClient, asked: str, missing: str | None
) -> None:
    form = {"grant_type": "client_credentials", "scope": asked}
    login = (Settings().client_id, Settings().client_secret)
    token = (await boats.post("/oauth2/token", data=form, auth=login)).json()["access_token"]
    response = await boats.get("/api/v4/boats/crew", headers={"authorization": f"Bearer {token}"})

    if missing is None:
        assert (response.status_code, response.json()["data"]) == (200, "an example")
    else:
        assert response.status_code == 403
        assert response.json()["data"] == {"errors": {"scope": f"'{missing}' scope required to access this API"}}
