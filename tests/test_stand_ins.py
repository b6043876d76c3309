"""Every generated function gets its typed answer: from a mock server by other hands (Prism), or from the sandbox.

Both read the contract. What is sent is its example of each request, and what comes its example of the answer.
"""

from __future__ import annotations

import inspect
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokitdok_api import Client, models
from pokitdok_api._operations import OPERATIONS, Operation
from pokitdok_api.api.eligibility import check_eligibility_x12_json
from pokitdok_api.api.payments import list_payments
from pokitdok_api.types import File
from pokitdok_ext import connect
from pokitdok_ext.testing import Contract
from pokitdok_sandbox import Sandbox

# Retired operations warn, and here they are called on purpose.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
PRISM = ROOT / "tools" / "node_modules" / ".bin" / "prism"
CONTRACT = Contract()
DOCUMENT = CONTRACT.document
START_SECONDS = 60

NOT_BY_PRISM = {"x12": "bare text", "x12_json": "an answer form of its own", "full_x12": "an answer form of its own"}
"""Forms whose media types Prism does not serialise; the sandbox serves them."""

REQUEST_MEDIA = {"x12": "application/edi-x12", "x12_json": "application/vnd.pokitdok.v4+edi-x12-json"}
"""What a form sends, where it is not the first media type of the operation."""


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    if shutil.which("node") is None or not PRISM.exists():
        message = "Prism is not installed; with Node 20 or newer: npm ci --prefix tools"
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(PRISM), "mock", "--host", "127.0.0.1", "--port", str(port), str(ROOT / "openapi.yaml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process)
            yield url
        finally:
            process.terminate()


X12 = ROOT / "tests" / "sandbox" / "x12"
X12_SENT = {
    "check_eligibility": "eligibility.270",
    "submit_claim": "claims.837",
    "check_claim_status": "status.276",
    "request_authorization": "review.278",
    "request_referral": "review.278",
    "submit_enrollment": "enrollment.834",
    "submit_file": "eligibility.270",
}
"""What the sandbox reads; the contract's examples of X12 have no more than a beginning and an end."""


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Prism has no way to tell that it is ready but to answer."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            assert process.poll() is None, "Prism ended by itself"
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"Prism did not answer within {START_SECONDS} s")


def definition(operation: Operation) -> Any:
    return DOCUMENT["paths"][operation.path][operation.method.lower()]


def arguments_of(operation: Operation, function: Any) -> tuple[list[str], dict[str, Any]]:
    """Path parameters, and what else the function cannot do without."""
    positional: list[str] = []
    keywords: dict[str, Any] = {}
    required = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty and name != "client"
    }
    for name, parameter in required.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            positional.append("5f0c1d2e3a4b5c6d7e8f9a0b")
        elif name == "body":
            keywords["body"] = body_of(operation)
        else:
            keywords[name] = query_value(operation, name)
    return positional, keywords


def body_of(operation: Operation) -> Any:
    content = CONTRACT.resolve(definition(operation)["requestBody"])["content"]
    media_type = REQUEST_MEDIA.get(operation.form, next(iter(content)))
    media = content[media_type]
    example = CONTRACT.resolve(media["examples"]["synthetic"])["value"]
    if isinstance(example, str):
        return example
    reference = media["schema"].get("anyOf", (media["schema"],))[0]["$ref"]
    model = getattr(models, reference.rpartition("/")[2])
    if media_type == "multipart/form-data":
        return model(**{**example, "file": File(example["file"].encode(), "file.x12")})
    return model.from_dict(example)


def of_x12(text: str, example: Any) -> Any:
    """*text* in the form of *example*: bare, in JSON, or as a file. JSON that asks for X12 stays as it is."""
    if isinstance(example, str | bytes):
        return text
    if hasattr(example, "x12"):
        example.x12 = text
    elif hasattr(example, "file"):
        example.file, example.trading_partner_id = File(text.encode(), "file.x12"), "MOCKPAYER"
    return example


def query_value(operation: Operation, name: str) -> Any:
    item = DOCUMENT["paths"][operation.path]
    given = (*item.get("parameters", ()), *definition(operation).get("parameters", ()))
    schema = next(CONTRACT.resolve(p)["schema"] for p in given if CONTRACT.resolve(p)["name"] == name)
    schema = CONTRACT.resolve(schema)
    return {"integer": 1, "number": 1.5, "boolean": True}.get(schema.get("type"), "x")


def call(name: str, client: Client, *, place: str | None = None) -> None:
    """Call the function and compare what comes with what it says it returns. *place*: what its path is to name."""
    operation = OPERATIONS[name]
    module = import_module(f"pokitdok_api.api.{operation.tag}.{name}")
    positional, keywords = arguments_of(operation, module.sync_detailed)
    positional = positional if place is None else [place]
    if operation.id in X12_SENT and operation.form in NOT_BY_PRISM:
        keywords["body"] = of_x12((X12 / X12_SENT[operation.id]).read_text(), keywords["body"])
    response = module.sync_detailed(*positional, client=client, **keywords)
    documented = {int(status) for status in definition(operation)["responses"] if status.startswith("2")}
    assert response.status_code in documented
    annotation = inspect.signature(module.sync).return_annotation
    if annotation == "None":
        assert response.parsed is None
    else:
        kinds = [str if part == "str" else getattr(models, part) for part in annotation.split(" | ")]
        assert isinstance(response.parsed, tuple(kinds))


@pytest.mark.peer
@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.form not in NOT_BY_PRISM])
def test_prism_answers_the_type_of_the_function(prism: str, name: str) -> None:
    authorization = "Basic eDp5" if OPERATIONS[name].id == "create_token" else "Bearer x"
    with Client(prism, headers={"authorization": authorization, "accept": "application/json"}) as client:
        call(name, client)


@pytest.fixture(scope="module")
def client_of_the_sandbox() -> Iterator[Client]:
    with Sandbox(port=0) as sandbox, connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        yield client


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.form in NOT_BY_PRISM])
def test_sandbox_answers_the_type_of_the_function(client_of_the_sandbox: Client, name: str) -> None:
    place = PLACES[name](client_of_the_sandbox) if name in PLACES else None
    call(name, client_of_the_sandbox, place=place)


def asked_in_x12(client: Client) -> str:
    """An activity that has X12 to show."""
    question = models.X12Document(x12=(X12 / X12_SENT["check_eligibility"]).read_text())
    meta = check_eligibility_x12_json.sync(client=client, body=question).meta
    assert isinstance(meta, models.Meta)
    return str(meta.activity_id)


def paid(client: Client) -> str:
    """A payment that the sandbox has from the start."""
    found = list_payments.sync(client=client).data
    assert isinstance(found, list)
    return str(found[0].id)


PLACES = {"get_activity_x12": asked_in_x12, "get_payment_data_x12": paid}
"""Forms that read what must exist first."""


def test_prism_reaches_every_operation() -> None:
    reached = {operation.id for operation in OPERATIONS.values() if operation.form not in NOT_BY_PRISM}
    assert reached == {operation.id for operation in CONTRACT.operations}
