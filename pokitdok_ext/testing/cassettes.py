"""Cassettes that people can read and may publish: how they are written, what never gets in, how they are checked.

For vcrpy 9 and pytest-recording. Scrubbing covers credentials and tokens; it cannot know patients, so record with
invented ones only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pokitdok_ext.testing._readable import Dumper, as_recorded, media_type, readable
from pokitdok_ext.testing._scrubbing import scrub_interaction, scrub_request
from pokitdok_ext.testing.contract import Contract, Finding

REFUSALS = frozenset({400, 406, 422})
"""Statuses that say that the request was at fault: whether it fits the contract is then no question."""


def vcr_settings() -> dict[str, Any]:
    """Settings for vcrpy under which no credential and no token reaches a file.

    Give them to ``vcr.VCR(**vcr_settings())`` or return them from pytest-recording's ``vcr_config`` fixture. They name
    no record mode, since one named here would beat ``--record-mode``.
    """
    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "before_record_request": scrub_request,
        "before_save_interaction": scrub_interaction,
        "decode_compressed_response": True,
    }


class ReadableYaml:
    """A vcrpy serializer that writes JSON, forms and multipart as YAML, so that a changed cassette can be reviewed.

    Register it under the name ``yaml``: ``vcr.register_serializer("yaml", ReadableYaml(origin))``.

    Args:
        origin: Where the traffic comes from; stands at the top of each file.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def serialize(self, cassette: Mapping[str, Any]) -> str:
        """Write a cassette; called by vcrpy."""
        interactions = [_bodies(interaction, readable) for interaction in cassette["interactions"]]
        document = {"origin": self.origin, "version": cassette["version"], "interactions": interactions}
        return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)

    def deserialize(self, text: str) -> dict[str, Any]:
        """Read a cassette; called by vcrpy."""
        document = yaml.load(text, Loader=yaml.CSafeLoader)
        interactions = [_as_vcr(interaction) for interaction in document["interactions"]]
        return {"version": document["version"], "interactions": interactions}


@dataclass(frozen=True)
class Recorded:
    """One interaction of a cassette."""

    method: str
    url: str
    media_type: str
    """Content-Type of the request, empty without one."""
    body: bytes
    """Of the request."""
    status: int
    answer_type: str
    """Content-Type of the answer, empty without one."""
    answer: bytes


def read_cassette(path: Path) -> list[Recorded]:
    """The interactions of a cassette, of `ReadableYaml` or as vcrpy writes it.

    Raises:
        ValueError: It is none; the text names the file, and nothing in it.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return [_recorded(_as_vcr(each)) for each in document["interactions"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        reason = f"{path} cannot be read as a cassette: record it anew"
    raise ValueError(reason)


def check_cassette(path: Path, contract: Contract) -> list[Finding]:
    """Compare every request and answer of a cassette with the contract.

    A request that was answered 400, 406 or 422 need not fit.
    Reads the files of `ReadableYaml` as well as vcrpy's own.

    Raises:
        ValueError: It is no cassette.
    """
    return [finding for each in read_cassette(path) for finding in check_interaction(each, contract)]


def check_interaction(each: Recorded, contract: Contract) -> Iterator[Finding]:
    """Compare one request and its answer with the contract, as `check_cassette` does."""
    if each.status not in REFUSALS:
        yield from contract.check_request(each.method, each.url, media_type=each.media_type, body=each.body)
    yield from contract.check_answer(
        each.method, each.url, status=each.status, body=each.answer, media_type=each.answer_type
    )


def _bodies(interaction: Mapping[str, Any], shown: Any) -> dict[str, Any]:
    """An interaction with its bodies as *shown* gives them."""
    request, response = dict(interaction["request"]), dict(interaction["response"])
    request["body"] = shown(request.get("body"), request["headers"])
    response["body"] = shown(response["body"].get("string"), response["headers"])
    return {"request": request, "response": response}


def _as_vcr(interaction: Mapping[str, Any]) -> dict[str, Any]:
    """An interaction as vcrpy has it, whichever way it was written."""
    request, response = dict(interaction["request"]), dict(interaction["response"])
    request["body"] = as_recorded(request.get("body"))
    body = response["body"]
    response["body"] = body if isinstance(body, dict) and "string" in body else {"string": as_recorded(body)}
    return {"request": request, "response": response}


def _recorded(interaction: Mapping[str, Any]) -> Recorded:
    request, response = interaction["request"], interaction["response"]
    return Recorded(
        method=request["method"],
        url=request["uri"],
        media_type=media_type(request["headers"]),
        body=_bytes(request["body"]),
        status=response["status"]["code"],
        answer_type=media_type(response["headers"]),
        answer=_bytes(response["body"]["string"]),
    )


def _bytes(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""
