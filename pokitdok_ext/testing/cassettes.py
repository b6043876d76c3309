"""Cassettes that people can read and may publish: how they are written, what never gets in, how they are checked.

For vcrpy 9 and pytest-recording. Credentials, tokens and what the contract marks as patient data never reach a file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pokitdok_ext.testing._quiet import quiet
from pokitdok_ext.testing._readable import Dumper, as_recorded, media_type, readable
from pokitdok_ext.testing._scrubbing import Scrubber
from pokitdok_ext.testing.contract import Contract, Finding

REFUSALS = frozenset({400, 406, 422})
"""Statuses that say that the request was at fault: whether it fits the contract is then no question."""


def vcr_settings(*, invented_at: Collection[str] = (), contract: Contract | None = None) -> dict[str, Any]:
    """Settings for vcrpy under which no credential, no token and no patient data reaches a file or a message.

    Give them to ``vcr.VCR(**vcr_settings())`` or return them from pytest-recording's ``vcr_config`` fixture. They name
    no record mode, since one named here would beat ``--record-mode``. vcrpy's loggers are told to be silent below
    warnings, and pytest to leave out frames of vcrpy and httpx, since both would print whole requests.

    What is masked is what the contract marks (``x-phi``, ``x-secret``), what it does not know at all, and every body
    that is no data, such as X12; a stand-in has the type of what it stands for. Requests that differ only in what is
    masked are alike, and are played in the order in which they were recorded.

    Args:
        invented_at: Addresses of sandboxes, scheme and host: people there are invented and stay readable.
        contract: Whose marks hold; by default that of the generated client.
    """
    quiet()
    scrubber = Scrubber(_contract if contract is None else lambda: contract, invented_at=invented_at)
    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "before_record_request": scrubber.request,
        "before_save_interaction": scrubber.interaction,
        "decode_compressed_response": True,
    }


@cache
def _contract() -> Contract:
    return Contract()


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
