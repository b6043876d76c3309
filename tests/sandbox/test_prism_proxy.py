"""A validator by other hands, the proxy of Prism, between client and sandbox: it sees nothing outside the contract."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from rich.console import Console

from pokitdok_sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PRISM = ROOT / "tools" / "node_modules" / ".bin" / "prism"
CASSETTES = [
    file
    for file in sorted((ROOT / "tests" / "contract" / "cassettes").glob("*/*.yaml"))
    if file.parent.name != "test_operations"  # X12 and multipart, which Prism does not read, and errors made on purpose
]
START_SECONDS = 60
ANSWER_SECONDS = 60
"""Prism reads the contract anew for each operation that it meets, which takes seconds on a busy machine."""

sys.path.insert(0, str(ROOT / "scripts"))

import demonstration  # noqa: E402 - a script, found by the line above

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(modern=True, speed=200) as running:
        yield running


def proxy(sandbox: Sandbox, *options: str) -> Iterator[str]:
    """Start the proxy before the sandbox; it says that it is ready by answering."""
    if shutil.which("node") is None or not PRISM.exists():
        message = "Prism is not installed; with Node 20 or newer: npm ci --prefix tools"
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(PRISM), "proxy", "--host", "127.0.0.1", "--port", str(port), *options]
    command += [str(ROOT / "openapi.yaml"), sandbox.url]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    assert process.poll() is None, "Prism ended by itself"
                    assert time.monotonic() < deadline, f"Prism did not answer within {START_SECONDS} s"
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def refusing(sandbox: Sandbox) -> Iterator[str]:
    """A proxy that answers a violation with an error in place of the answer."""
    yield from proxy(sandbox, "--errors")


@pytest.fixture(scope="module")
def telling(sandbox: Sandbox) -> Iterator[str]:
    """A proxy that lets everything through and tells of violations in a header."""
    yield from proxy(sandbox)


@pytest.mark.peer
def test_the_demo_runs_through_the_proxy(refusing: str, sandbox: Sandbox) -> None:
    behind: Any = SimpleNamespace(url=refusing, client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    before = sum(sandbox.state()["requests"].values())
    facts = demonstration.demonstrate(behind, Console(quiet=True))

    assert facts["claim"]["state"] == "completed"
    assert facts["eligibility"]["valid_request"] is True
    assert sum(sandbox.state()["requests"].values()) >= before + 5


@pytest.mark.peer
def test_the_proxy_sees_what_is_outside_the_contract(telling: str, sandbox: Sandbox) -> None:
    headers = {"authorization": f"Bearer {sign_in(sandbox)}"}
    with httpx.Client(base_url=telling, headers=headers, timeout=ANSWER_SECONDS) as client:
        answer = client.get("/api/v4/activities/", params={"limit": "many"})

    assert violations(answer, "request")


@pytest.mark.peer
@pytest.mark.parametrize("cassette", CASSETTES, ids=[file.stem for file in CASSETTES])
def test_no_answer_to_a_recorded_call_is_outside_the_contract(telling: str, sandbox: Sandbox, cassette: Path) -> None:
    interactions = yaml.safe_load(cassette.read_text(encoding="utf-8"))["interactions"]
    ids: dict[str, str] = {}
    wrong = []
    headers = {"authorization": f"Bearer {sign_in(sandbox)}"}
    with httpx.Client(base_url=telling, headers=headers, timeout=ANSWER_SECONDS) as client:
        for interaction in interactions:
            recorded, expected = interaction["request"], interaction["response"]
            answer = send_again(client, recorded, sandbox, ids)
            problems = violations(answer, "response")
            if expected["status"]["code"] < 400 and not unauthenticated(recorded):
                problems += violations(answer, "request")
            wrong += [(recorded["method"], urlsplit(recorded["uri"]).path, problem) for problem in problems]
            remember(ids, expected["body"], answer)

    assert interactions
    assert wrong == []


def sign_in(sandbox: Sandbox) -> str:
    form = {"grant_type": "client_credentials"}
    login = (sandbox.client_id, sandbox.client_secret)
    token: str = httpx.post(f"{sandbox.url}/oauth2/token", data=form, auth=login).json()["access_token"]
    return token


def unauthenticated(recorded: dict[str, Any]) -> bool:
    """Tell whether this is a token request, whose credentials the cassette does not hold."""
    return bool(urlsplit(recorded["uri"]).path == "/oauth2/token")


def send_again(client: httpx.Client, recorded: dict[str, Any], sandbox: Sandbox, ids: dict[str, str]) -> httpx.Response:
    """Send a recorded request with the credentials and ids of this sandbox in place of those of the cassette."""
    url = urlsplit(recorded["uri"])
    path = "/".join(ids.get(step, step) for step in url.path.split("/"))
    body = recorded["body"] or {}
    accept = {"accept": recorded["headers"]["accept"][0]} if "accept" in recorded["headers"] else {}
    if unauthenticated(recorded):
        login = (sandbox.client_id, sandbox.client_secret)
        return client.post(path, data={"grant_type": body["form"]["grant_type"]}, auth=login, headers=accept)
    content = {"json": body["json"]} if "json" in body else {}
    return client.request(recorded["method"], path, params=url.query or None, headers=accept, **content)


def remember(ids: dict[str, str], recorded: Any, answer: httpx.Response) -> None:
    """Learn which id of this sandbox stands for which of the cassette."""
    theirs, ours = (recorded or {}).get("json"), answer.json()
    for part, name in (("meta", "activity_id"), ("data", "id")):
        pair = [body.get(part) if isinstance(body, dict) else None for body in (theirs, ours)]
        if all(isinstance(member, dict) and name in member for member in pair):
            ids[pair[0][name]] = pair[1][name]  # type: ignore[index]


def violations(answer: httpx.Response, side: str) -> list[str]:
    """Return what Prism says is wrong with the request or the response."""
    found = json.loads(answer.headers.get("sl-violations", "[]"))
    return [f"{one['location']}: {one['message']}" for one in found if one["location"][0] == side]
