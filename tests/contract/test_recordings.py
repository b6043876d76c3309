"""The recordings of the real platform, through the typed functions and back: nothing is lost, nothing is added.

Request bodies become models and must leave as they were recorded; answers become models and must be written back equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import yaml

from pokitdok_api import Client
from pokitdok_api.errors import APIError
from pokitdok_api.types import File
from pokitdok_ext.testing import Contract
from pokitdok_ext.testing._bodies import read_body

# Retired operations warn, and here they are called on purpose.
pytestmark = [pytest.mark.shared, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

WIRE_FACTS = {301, 405}
"""Redirects and refused methods: HTML outside of the typed contract, and the sandbox's business."""

DIFFERENT = {"ruby-scheduling_scoped-4": "the old Ruby client sent {} with a DELETE, and nothing reads it"}
"""Recordings that do not fit the contract, with the reason."""

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "platform" / "recordings"
CONTRACT = Contract()


@dataclass(frozen=True)
class Recording:
    """One recorded interaction of the typed API."""

    name: str
    method: str
    url: str
    media_type: str | None
    request: str
    status: int
    answer: bytes


def recordings() -> Iterator[Recording]:
    for file in sorted(RECORDINGS.glob("*/*.yaml")):
        for number, interaction in enumerate(yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["interactions"]):
            request, response = interaction["request"], interaction["response"]
            if response["status"]["code"] in WIRE_FACTS:
                continue
            yield Recording(
                name=f"{file.parent.name}-{file.stem}-{number}",
                method=request["method"],
                url=request["uri"],
                media_type=(request["headers"].get("Content-Type") or [None])[0],
                request=request.get("body") or "",
                status=response["status"]["code"],
                answer=(response["body"].get("string") or "").encode(),
            )


RECORDED = list(recordings()) if RECORDINGS.is_dir() else []


def test_all_recordings_are_there_and_at_most_two_in_a_hundred_do_not_fit() -> None:
    assert len(RECORDED) == 189
    assert set(DIFFERENT) <= {recording.name for recording in RECORDED}
    assert len(DIFFERENT) <= len(RECORDED) * 0.02


@pytest.mark.parametrize("recording", [r for r in RECORDED if r.name not in DIFFERENT], ids=lambda r: r.name)
def test_recording_fits_the_contract(recording: Recording) -> None:
    """Undocumented properties count as failures."""
    findings = CONTRACT.check_request(
        recording.method, recording.url, media_type=recording.media_type, body=recording.request.encode()
    )
    findings += CONTRACT.check_answer(recording.method, recording.url, status=recording.status, body=recording.answer)
    assert [str(finding) for finding in findings] == []


@pytest.mark.parametrize("recording", RECORDED, ids=lambda recording: recording.name)
def test_recording_survives_the_typed_function(recording: Recording) -> None:
    operation = CONTRACT.operation(recording.method, recording.url)
    assert operation is not None
    seen: list[httpx.Request] = []

    def platform(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(recording.status, content=recording.answer, headers={"content-type": "text/html"})

    function = import_module(f"pokitdok_api.api.{operation.definition['tags'][0]}.{operation.id}")
    arguments, keywords = call_of(recording, operation.path, operation.definition)
    with Client("https://platform.invalid", transport=httpx.MockTransport(platform)) as client:
        parsed = outcome(lambda: function.sync(*arguments, client=client, **keywords), recording)

    if recording.answer:
        assert parsed.to_dict() == json.loads(recording.answer)
    else:
        assert parsed is None
    [request] = seen
    assert request.url.path == urlsplit(recording.url).path
    assert dict(request.url.params) == dict(parse_qsl(urlsplit(recording.url).query))
    if recording.request and recording.name not in DIFFERENT:
        sent = read_body(request.headers["content-type"], request.content)
        assert sent == read_body(recording.media_type or "", recording.request.encode())


def outcome(call: Callable[[], Any], recording: Recording) -> Any:
    """What the call gives: the parsed answer, or the parsed body of the error that it has to raise."""
    answer = json.loads(recording.answer) if recording.answer else {}
    data = answer.get("data")
    if recording.status < 400 and not (isinstance(data, dict) and "errors" in data):
        return call()
    with pytest.raises(APIError) as caught:
        call()
    assert caught.value.status_code == recording.status
    return caught.value.body


def call_of(recording: Recording, template: str, definition: Any) -> tuple[list[str], dict[str, Any]]:
    """The arguments with which a caller of the typed function makes the recorded request."""
    parts = zip(template.split("/"), urlsplit(recording.url).path.split("/"), strict=True)
    arguments = [actual for expected, actual in parts if expected.startswith("{")]
    keywords: dict[str, Any] = dict(parse_qsl(urlsplit(recording.url).query))
    if "requestBody" in definition:
        content = next(iter(definition["requestBody"]["content"].values()))
        read = read_body(recording.media_type or "", recording.request.encode())
        model = model_of(content["schema"], read)
        if "multipart" in (recording.media_type or ""):
            read = {**read, "file": File(read["file"].encode())}
            keywords["body"] = model(**read)
        else:
            keywords["body"] = model.from_dict(read)
    return arguments, keywords


def model_of(schema: Any, value: Any) -> Any:
    """The model for a request; of several the one that knows all members."""
    references = [part["$ref"].rpartition("/")[2] for part in schema.get("anyOf", (schema,))]
    fitting = [name for name in references if not CONTRACT.check_component(name, value)]
    return getattr(import_module("pokitdok_api.models"), fitting[0])
