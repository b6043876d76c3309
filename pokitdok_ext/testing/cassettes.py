"""Cassettes that people can read and may publish: how they are written, what never gets in, how they are checked.

For vcrpy 9 and pytest-recording. Scrubbing covers credentials and tokens; it cannot know patients, so record with
invented ones only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import yaml

from pokitdok_ext.testing.contract import Contract, Finding

REDACTED = "REDACTED"

_SECRET_MEMBERS = frozenset({"client_secret", "access_token", "refresh_token", "code", "token"})
# Headers that change from run to run or tell about the machine; none of them matters to a replay.
_DROPPED_HEADERS = frozenset(
    {"content-length", "user-agent", "date", "server", "set-cookie", "cookie", "accept-encoding", "connection", "host"}
)

Interaction = dict[str, Any]


def vcr_settings() -> dict[str, Any]:
    """Settings for vcrpy under which no credential and no token reaches a file.

    Give them to ``vcr.VCR(**vcr_settings())`` or return them from pytest-recording's ``vcr_config`` fixture. They name
    no record mode, since one named here would beat ``--record-mode``.
    """
    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "before_record_request": _scrub_request,
        "before_save_interaction": _scrub_interaction,
        "decode_compressed_response": True,
    }


class ReadableYaml:
    """A vcrpy serializer that writes JSON and form bodies as YAML, so that a changed cassette can be reviewed.

    Register it under the name ``yaml``: ``vcr.register_serializer("yaml", ReadableYaml(origin))``.

    Args:
        origin: Where the traffic comes from; stands at the top of each file.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def serialize(self, cassette: Mapping[str, Any]) -> str:
        """Write a cassette; called by vcrpy."""
        interactions = [_readable(interaction) for interaction in cassette["interactions"]]
        document = {"origin": self.origin, "version": cassette["version"], "interactions": interactions}
        return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)

    def deserialize(self, text: str) -> dict[str, Any]:
        """Read a cassette; called by vcrpy."""
        document = yaml.load(text, Loader=yaml.CSafeLoader)
        interactions = [_as_recorded(interaction) for interaction in document["interactions"]]
        return {"version": document["version"], "interactions": interactions}


def check_cassette(path: Path, contract: Contract) -> list[Finding]:
    """Compare every request and answer of a cassette with the contract.

    Reads the files of `ReadableYaml` as well as vcrpy's own.
    """
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    findings: list[Finding] = []
    for interaction in map(_as_recorded, document["interactions"]):
        request, response = interaction["request"], interaction["response"]
        method, url = request["method"], request["uri"]
        media_type = {name.lower(): values for name, values in request["headers"].items()}.get("content-type", [None])[
            0
        ]
        findings += contract.check_request(method, url, media_type=media_type, body=_bytes(request.get("body")))
        status = response["status"]["code"]
        findings += contract.check_answer(method, url, status=status, body=_bytes(response["body"].get("string")))
    return findings


def _readable(interaction: Interaction) -> Interaction:
    request, response = dict(interaction["request"]), dict(interaction["response"])
    request["body"] = _parsed(request.get("body"), request["headers"])
    response["body"] = _parsed(response["body"].get("string"), {})
    return {"request": request, "response": response}


def _as_recorded(interaction: Interaction) -> Interaction:
    request, response = dict(interaction["request"]), dict(interaction["response"])
    request["body"] = _written(request.get("body"))
    if "string" not in response["body"]:
        response["body"] = {"string": _written(response["body"])}
    return {"request": request, "response": response}


def _parsed(body: bytes | str | None, headers: Mapping[str, str | list[str]]) -> Any:
    """A body as YAML shows it: ``{json: ...}``, ``{form: ...}``, ``{text: ...}``, or None."""
    if not body:
        return None
    text = body.decode() if isinstance(body, bytes) else body
    if any(
        "urlencoded" in value for name, values in headers.items() if name.lower() == "content-type" for value in values
    ):
        return {"form": dict(parse_qsl(text, keep_blank_values=True))}
    try:
        return {"json": json.loads(text)}
    except ValueError:
        return {"text": text}


def _written(body: Any) -> Any:
    match body:
        case {"json": value}:
            return json.dumps(value)
        case {"form": value}:
            return urlencode(value)
        case {"text": value}:
            return value
        case None:
            return ""
    return body


def _media_type(headers: Mapping[str, str | list[str]]) -> str | None:
    """Content-Type among the headers of a live request (text) or of a recorded one (lists of text)."""
    for name, value in headers.items():
        if name.lower() == "content-type":
            return value if isinstance(value, str) else value[0]
    return None


def _is_form(headers: Mapping[str, str | list[str]]) -> bool:
    return (_media_type(headers) or "").startswith("application/x-www-form-urlencoded")


def _bytes(body: bytes | str | None) -> bytes | None:
    return body.encode() if isinstance(body, str) else body


def _scrub_request(request: Any) -> Any:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _DROPPED_HEADERS}
    request.headers = {name: REDACTED if name.lower() == "authorization" else value for name, value in headers.items()}
    if "urlencoded" in str(headers.get("content-type", headers.get("Content-Type", ""))):
        body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        form = [
            (name, REDACTED if name in _SECRET_MEMBERS else value)
            for name, value in parse_qsl(body, keep_blank_values=True)
        ]
        request.body = urlencode(form).encode()
    return request


def _scrub_interaction(request: Any, response: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    headers = {name: values for name, values in response["headers"].items() if name.lower() not in _DROPPED_HEADERS}
    return request, {**response, "headers": headers, "body": {"string": _without_tokens(response["body"]["string"])}}


def _without_tokens(body: bytes | str) -> bytes | str:
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not isinstance(value, dict) or not _SECRET_MEMBERS & value.keys():
        return body
    scrubbed = {name: REDACTED if name in _SECRET_MEMBERS else member for name, member in value.items()}
    return json.dumps(scrubbed).encode()
