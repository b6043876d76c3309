"""The recordings of the real platform, through the typed functions and back: nothing is lost, nothing is added.

Request bodies become models and must leave as they were recorded; answers become models and must be written back equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
from pokitdok_ext.testing import Contract

pytestmark = pytest.mark.shared

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "platform" / "recordings"
CONTRACT = Contract()


@dataclass(frozen=True)
class Recording:
    """One recorded interaction of an operation that the contract has."""

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
            if CONTRACT.operation(request["method"], request["uri"]) is None:
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


def test_the_recordings_of_these_operations_are_found() -> None:
    assert len(RECORDED) >= 67


@pytest.mark.parametrize("recording", RECORDED, ids=lambda recording: recording.name)
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
        parsed = outcome(function.sync, arguments, {"client": client, **keywords}, status=recording.status)

    assert parsed.to_dict() == json.loads(recording.answer)
    [request] = seen
    assert request.url.path == urlsplit(recording.url).path
    assert dict(request.url.params) == dict(parse_qsl(urlsplit(recording.url).query))
    if recording.request:
        assert body_of(request.content.decode(), recording.media_type) == body_of(
            recording.request, recording.media_type
        )


def outcome(function: Any, arguments: list[str], keywords: dict[str, Any], *, status: int) -> Any:
    """What the call gives: the parsed answer, or the parsed body of the error that it has to raise."""
    if status < 400:
        return function(*arguments, **keywords)
    with pytest.raises(APIError) as caught:
        function(*arguments, **keywords)
    assert caught.value.status_code == status
    return caught.value.body


def call_of(recording: Recording, template: str, definition: Any) -> tuple[list[str], dict[str, Any]]:
    """The arguments with which a caller of the typed function makes the recorded request."""
    parts = zip(template.split("/"), urlsplit(recording.url).path.split("/"), strict=True)
    arguments = [actual for expected, actual in parts if expected.startswith("{")]
    keywords: dict[str, Any] = dict(parse_qsl(urlsplit(recording.url).query))
    if "requestBody" in definition:
        [content] = definition["requestBody"]["content"].values()
        model = getattr(import_module("pokitdok_api.models"), content["schema"]["$ref"].rpartition("/")[2])
        keywords["body"] = model.from_dict(body_of(recording.request, recording.media_type))
    return arguments, keywords


def body_of(text: str, media_type: str | None) -> Any:
    return dict(parse_qsl(text)) if media_type and "urlencoded" in media_type else json.loads(text)
