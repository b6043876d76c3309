"""A mock server by other hands (Prism) reads the contract and serves every operation from its examples."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from pokitdok_ext.testing import Contract

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parent.parent
PRISM = ROOT / "tools" / "node_modules" / ".bin" / "prism"
CONTRACT = Contract()
DOCUMENT = CONTRACT.document
START_SECONDS = 60


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


def resolve(node: Any) -> Any:
    while "$ref" in node:
        kind, name = node["$ref"].split("/")[-2:]
        node = DOCUMENT["components"][kind][name]
    return node


def value_of(schema: Any) -> str:
    schema = resolve(schema)
    if "enum" in schema:
        return str(schema["enum"][0])
    by_format = {"date": "2026-11-02", "date-time-local": "2026-11-02T09:30:00"}
    by_type = {"integer": "1", "number": "1", "boolean": "true"}
    return by_format.get(schema.get("format"), by_type.get(schema.get("type"), "x"))


def request_for(operation: Any, path: str) -> dict[str, Any]:
    """The request of the contract's own example, in the first form that it documents."""
    parameters = [
        resolve(p) for p in (*DOCUMENT["paths"][path].get("parameters", ()), *operation.get("parameters", ()))
    ]
    query = {p["name"]: value_of(p["schema"]) for p in parameters if p["in"] == "query" and p.get("required")}
    anonymous = operation["operationId"] == "create_token"
    request: dict[str, Any] = {
        "url": re.sub(r"\{[^}]+\}", "5f0c1d2e3a4b5c6d7e8f9a0b", path),
        "params": query,
        "headers": {"authorization": "Basic eDp5" if anonymous else "Bearer x", "accept": "application/json"},
    }
    if "requestBody" in operation:
        media_type, media = next(iter(operation["requestBody"]["content"].items()))
        example = resolve(media["examples"]["synthetic"])["value"]
        request |= body_of(media_type, example)
        if "files" not in request:
            request["headers"]["content-type"] = media_type
    return request


def body_of(media_type: str, example: Any) -> dict[str, Any]:
    if media_type == "multipart/form-data":
        fields = {name: value for name, value in example.items() if name != "file"}
        return {"files": {"file": ("file.x12", example["file"].encode(), "application/octet-stream")}, "data": fields}
    if media_type == "application/x-www-form-urlencoded":
        return {"content": urlencode(example)}
    return {"json": example} if media_type.endswith("json") else {"content": example}


@pytest.mark.parametrize("operation", CONTRACT.operations, ids=lambda operation: operation.id)
def test_example_is_served_and_fits_the_contract(prism: str, operation: Any) -> None:
    request = request_for(operation.definition, operation.path)
    answer = httpx.request(operation.method, prism + request.pop("url"), **request)
    assert answer.is_success, answer.status_code
    if answer.content:
        findings = CONTRACT.check_answer(
            operation.method, str(answer.request.url), status=answer.status_code, body=answer.content
        )
        assert [str(finding) for finding in findings] == []
