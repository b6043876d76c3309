"""What the stock generator, without our templates, makes of openapi.yaml: docs/other-generators.md says so.

The generator runs twice into a temporary directory: with no configuration, and with the one that the page advises.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import openapi_python_client
import pytest
import yaml
from openapi_python_client.config import Config, ConfigFile, MetaType

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "other-generators.md").read_text(encoding="utf-8")
DOCUMENT = yaml.load((ROOT / "openapi.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
OPERATIONS = {
    operation["operationId"]: (f"{method.upper()} {path}", operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
SYNTHETIC = {name: node["value"] for name, node in DOCUMENT["components"]["examples"].items()}

NOT_MADE = {
    "create_app_registrations_from_csv": "its only body is `text/csv`, which the generator does not know",
    "submit_file": (
        "two of its bodies are known, and the module made for two cannot be imported: "
        "it names `Unset` without importing it"
    ),
}
"""Operations that a run without configuration does not give, with the reasons that the page gives."""


SENT = {"application/json", "multipart/form-data", "application/x-www-form-urlencoded", "text/csv"}
"""Media types of bodies that come out with the advised configuration."""


@dataclass(frozen=True)
class Stock:
    """A client made by the stock generator."""

    package: str
    folder: Path
    complaints: tuple[tuple[str, str], ...]

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def operation(self, name: str) -> ModuleType:
        return self.module(f"api.{OPERATIONS[name][1]['tags'][0]}.{name}")

    def model(self, name: str) -> Any:
        return getattr(self.module("models"), name)

    def client(self, status: int, content: str | bytes) -> Any:
        transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
        arguments = {"httpx_args": {"transport": transport}, "token": "invented"}
        return self.module("client").AuthenticatedClient(base_url="http://sandbox.invalid", **arguments)


def generated(folder: Path, package: str, **settings: Any) -> Stock:
    config = Config.from_sources(
        config_file=ConfigFile(post_hooks=[], **settings),
        meta_type=MetaType.NONE,
        document_source=ROOT / "openapi.yaml",
        file_encoding="utf-8",
        overwrite=False,
        output_path=folder / package,
    )
    complaints = openapi_python_client.generate(config=config)
    return Stock(package, folder, tuple((each.header, each.detail or "") for each in complaints))


@pytest.fixture(scope="module")
def importable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stock")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] in {"stock_plain", "stock_advised"}]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def plain(importable: Path) -> Stock:
    return generated(importable, "stock_plain")


@pytest.fixture(scope="module")
def advised(importable: Path) -> Stock:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return generated(importable, "stock_advised", **yaml.safe_load(block))


def outcome(stock: Stock, name: str) -> str:
    try:
        module = stock.operation(name)
    except (ModuleNotFoundError, NameError) as error:
        return type(error).__name__
    return "made" if callable(module.sync_detailed) else "empty"


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def media(operation: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The media types of its body and of its answer 200."""
    nodes = operation.get("requestBody", {}), operation["responses"].get("200", {})
    sent, answered = ([*node.get("content", {})] for node in nodes)
    return sent, answered


def raised(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the kind of it is what is asked
        return type(error).__name__
    return "nothing"


def test_the_page_speaks_of_the_installed_version() -> None:
    assert f"openapi-python-client {importlib.metadata.version('openapi-python-client')}" in PAGE


def test_without_configuration_every_operation_comes_out_but_those_of_the_table(plain: Stock) -> None:
    assert {name for name in OPERATIONS if outcome(plain, name) != "made"} == NOT_MADE.keys()


def test_the_page_lists_the_operations_that_do_not_come_out() -> None:
    listed = {name.strip("`"): reason for name, reason in rows("Operations that do not come out")}
    assert listed == NOT_MADE


def test_with_the_advised_configuration_every_operation_comes_out(advised: Stock) -> None:
    assert {name: outcome(advised, name) for name in OPERATIONS if outcome(advised, name) != "made"} == {}


def test_the_page_lists_the_bodies_and_answers_that_are_lost(advised: Stock) -> None:
    complained: dict[str, set[str]] = {}
    for header, detail in advised.complaints:
        [place] = re.findall(r"parsing (\S+ \S+) within", header)
        [kind] = re.findall(r"Unsupported content type (\S+)", detail)
        complained.setdefault(place, set()).add(kind)
    expected = {}
    for name, (place, operation) in OPERATIONS.items():
        sent, answered = media(operation)
        # A body that was renamed to be left out is complained of under the name it was given.
        bodies = set(sent) - SENT
        if bodies or len(answered) > 1:
            expected[name] = (bodies, set(answered[1:]))
        assert bool(bodies) == (place in complained), place
        assert complained.get(place, set()) <= bodies
    listed = {
        name.strip("`"): (set(re.findall(r"`([^`]+)`", bodies)), set(re.findall(r"`([^`]+)`", answers)))
        for name, bodies, answers in rows("Bodies and answers that are lost")
    }
    assert listed == expected


def test_a_raw_body_has_to_be_a_file_whatever_its_annotation(advised: Stock) -> None:
    operation = advised.operation("create_app_registrations_from_csv")
    client = advised.client(200, json.dumps(SYNTHETIC["AppRegistrationListEnvelope"]))
    assert raised(lambda: operation.sync(client=client, body="npi\n1234567893\n")) == "AttributeError"
    body = advised.module("types").File(payload=BytesIO(b"npi\n1234567893\n"))
    assert operation.sync_detailed(client=client, body=body).status_code == 200


def request_of(stock: Stock, first_name: str = "Nora") -> Any:
    request = {"trading_partner_id": "MOCKPAYER", "provider": {"npi": "1234567893"}}
    return stock.model("EligibilityRequest").from_dict({**request, "member": {"first_name": first_name}})


def test_errors_are_returned_as_if_they_were_answers(advised: Stock) -> None:
    error = json.dumps({"meta": SYNTHETIC["EligibilityEnvelope"]["meta"], "data": {"errors": {"general": "No."}}})
    for status in (200, 422, 500):
        client = advised.client(status, error)
        answer = advised.operation("check_eligibility").sync(client=client, body=request_of(advised))
        assert type(answer).__name__ == "ErrorEnvelope"


def test_an_answer_that_is_not_json_raises_an_error_of_the_parser(advised: Stock) -> None:
    for status in (200, 403, 503):
        client = advised.client(status, "<html>")
        call = partial(advised.operation("check_eligibility").sync, client=client, body=request_of(advised))
        assert raised(call) == "JSONDecodeError"


def test_an_answer_in_another_media_type_than_the_first_is_taken_for_json(advised: Stock) -> None:
    client = advised.client(200, "ISA*00*~IEA*1*000000001~")
    assert raised(lambda: advised.operation("get_payment_data").sync("invented", client=client)) == "JSONDecodeError"


def test_unknown_codes_nulls_and_odd_dates_make_an_answer_unreadable(advised: Stock) -> None:
    known = {"trading_partner_id": "MOCKPAYER", "valid_request": True}
    response, member = advised.model("EligibilityResponse"), advised.model("EligibilityMember")
    assert raised(lambda: response.from_dict(known)) == "nothing"
    assert raised(lambda: response.from_dict({**known, "reject_reason": "planted"})) == "ValueError"
    assert raised(lambda: response.from_dict({**known, "payer": None})) == "TypeError"
    assert raised(lambda: response.from_dict({**known, "service_types": None})) == "TypeError"
    assert raised(lambda: member.from_dict({"birth_date": "0000-00-00"})) == "ValueError"


def test_a_union_takes_the_first_member_that_does_not_fail(advised: Stock) -> None:
    result = SYNTHETIC["EligibilityEnvelope"]["data"]
    activity = SYNTHETIC["ActivityEnvelope"]
    content = json.dumps({**activity, "data": {**activity["data"], "result": result}})
    answer = advised.operation("get_activity").sync("invented", client=advised.client(200, content))
    assert type(answer.data.result).__name__ != "EligibilityResponse"
    assert answer.data.result.to_dict() == result


def test_patient_data_and_tokens_are_printed(advised: Stock) -> None:
    assert "canary-patient" in repr(request_of(advised, "canary-patient"))
    assert "invented" in repr(advised.client(200, ""))


def test_there_is_no_timeout_unless_one_is_given(advised: Stock) -> None:
    assert advised.client(200, "").get_httpx_client().timeout == httpx.Timeout(None)


def test_nothing_tells_retired_operations_or_unsafe_ones_from_others(advised: Stock) -> None:
    retired = [name for name, (_, operation) in OPERATIONS.items() if operation.get("deprecated")]
    sources = [Path(str(advised.operation(name).__file__)).read_text(encoding="utf-8").lower() for name in retired]
    assert len(sources) > 1
    assert [source for source in sources if re.search(r"deprecat|x-retry|unsafe", source)] == []


def test_generated_package_is_smaller_than_what_stock_makes(advised: Stock) -> None:
    """In bytes and in lines of Python. Nobody counts the contract that ours carries as data."""
    ours, theirs = (
        [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
        for folder in (ROOT / "generated" / "pokitdok_api", advised.folder)
    )
    assert sum(map(len, ours)) < sum(map(len, theirs))
    assert sum(text.count("\n") for text in ours) < sum(text.count("\n") for text in theirs)
