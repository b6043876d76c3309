"""The generic request: everything of a typed call for what the contract does not name."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from pokitdok_api.types import Response
from pokitdok_ext import InvalidRequestError, NotFoundError, ServerError, connect
from pokitdok_ext.generic import OriginError, arequest, request

ROOT = "https://api.example.com"


class Network(httpx.MockTransport):
    def __init__(self, *answers: httpx.Response) -> None:
        self.sent: list[httpx.Request] = []
        self.answers = list(answers) or [httpx.Response(200, json={"meta": {}, "data": 1})]
        super().__init__(self.answer)

    def answer(self, sent: httpx.Request) -> httpx.Response:
        self.sent.append(sent)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


def ask(network: Network, method: str, path: str, **options: Any) -> Response[Any]:
    """By both doors, which must do the same."""
    client = connect(token="t", base_url=ROOT, transport=network, async_transport=network)
    answer = request(client, method, path, **options)
    again = asyncio.run(arequest(client, method, path, **options))
    assert again.parsed == answer.parsed
    one, other = network.sent[-2:]
    assert (one.method, one.url, one.content) == (other.method, other.url, other.content)
    return answer


def test_request_is_signed_and_decoded() -> None:
    network = Network()
    answer = ask(network, "get", "/api/v4/things/", params={"q": "a b", "n": [1, 2], "yes": True})
    assert answer.parsed == {"meta": {}, "data": 1}
    assert network.sent[0].method == "GET"
    assert str(network.sent[0].url) == f"{ROOT}/api/v4/things/?q=a+b&n=1&n=2&yes=true"


def test_body_is_json_or_as_it_is() -> None:
    network = Network()
    ask(network, "POST", "/api/v4/things/", json={"name": "Ü"})
    assert json.loads(network.sent[0].content) == {"name": "Ü"}
    assert network.sent[0].headers["Content-Type"] == "application/json"
    ask(network, "POST", "/api/v4/things/", content=b"ISA*", media_type="application/EDI-X12", accept="text/plain")
    assert (network.sent[2].content, network.sent[2].headers["Content-Type"]) == (b"ISA*", "application/EDI-X12")
    assert network.sent[2].headers["Accept"] == "text/plain"


@pytest.mark.parametrize(
    ("content", "parsed"), [(b"", None), (b"ISA*00*", "ISA*00*"), (b"[1]", [1]), (b'{"a": nul', '{"a": nul')]
)
def test_answer_is_json_text_or_nothing(content: bytes, parsed: Any) -> None:
    assert ask(Network(httpx.Response(200, content=content)), "GET", "/api/v4/things/").parsed == parsed


def test_errors_are_those_of_typed_calls() -> None:
    errors = {"data": {"errors": {"validation": {"name": ["required"]}}}}
    with pytest.raises(InvalidRequestError) as caught:
        ask(Network(httpx.Response(400, json=errors)), "POST", "/api/v4/things/", json={})
    assert caught.value.messages == {"name": ["required"]}


@pytest.mark.parametrize(
    ("method", "path", "retry", "sent"),
    [
        ("GET", "/api/v4/things/", None, 2),
        ("POST", "/api/v4/things/", None, 1),
        ("POST", "/api/v4/things/", "safe", 2),
        ("GET", "/api/v4/things/", "unsafe", 1),
        ("POST", "/api/v4/eligibility/", None, 2),
        ("POST", "/api/v4/claims/", None, 1),
    ],
)
def test_what_is_sent_again_is_told_by_the_contract_or_the_method(
    method: str, path: str, retry: Any, sent: int
) -> None:
    network = Network(httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(200, json={}))
    client = connect(token="t", base_url=ROOT, transport=network)
    options = {} if retry is None else {"retry": retry}
    with nullcontext() if sent > 1 else pytest.raises(ServerError):
        request(client, method, path, **options)
    assert len(network.sent) == sent


@pytest.mark.parametrize(
    "body", [{"json": {"async": True}}, {"content": b'{"async": true}', "media_type": "application/json"}]
)
def test_question_to_be_answered_later_acts_and_is_sent_once(body: dict[str, Any]) -> None:
    """The contract's eligibility only asks; with `async` it starts work."""

    def lost(sent: httpx.Request) -> httpx.Response:
        requests.append(sent)
        raise httpx.ReadTimeout("late", request=sent)

    requests: list[httpx.Request] = []
    client = connect(token="t", base_url=ROOT, transport=httpx.MockTransport(lost))
    with pytest.raises(httpx.ReadTimeout):
        request(client, "POST", "/api/v4/eligibility/", **body)
    assert len(requests) == 1


def test_values_of_the_path_are_quoted_and_stay_out_of_texts_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    network = Network(httpx.Response(404, json={"message": "no"}))
    client = connect(token="t", base_url=ROOT, transport=network)
    with caplog.at_level(logging.INFO), pytest.raises(NotFoundError) as caught:
        request(client, "GET", "/api/v4/people/{name}", path_values={"name": "Canary/name"}, params={"born": "1931"})
    assert network.sent[0].url.raw_path == b"/api/v4/people/Canary%2Fname?born=1931"
    shown = f"{caught.value} {caplog.text}"
    assert "/api/v4/people/{name}" in shown
    assert "Canary" not in shown
    assert "1931" not in shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/v4/providers/1999999984", "/api/v4/providers/{npi}"),
        ("/api/v4/people/Canaryname", "/api/v4/people/{...}"),
        ("/api/v4/things/", "/api/v4/things/"),
    ],
)
def test_values_written_into_the_path_are_not_shown_either(path: str, shown: str) -> None:
    client = connect(token="t", base_url=ROOT, transport=Network(httpx.Response(404, json={"message": "no"})))
    with pytest.raises(NotFoundError) as caught:
        request(client, "GET", path)
    assert caught.value.path == shown


def test_address_on_the_host_is_taken_whole() -> None:
    network = Network()
    ask(network, "GET", f"{ROOT}/api/v4/things/?offset=20&name=a%20b")
    assert dict(network.sent[0].url.params) == {"offset": "20", "name": "a b"}


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/api/v4/things/",
        "http://api.example.com/api/v4/things/",
        "https://api.example.com:444/x",
        "https://api.example.com@evil.example/x",
    ],
)
def test_address_on_another_host_is_refused_unsent(address: str) -> None:
    network = Network()
    with pytest.raises(OriginError, match=r"not to https://api\.example\.com"):
        request(connect(token="t", base_url=ROOT, transport=network), "GET", address)
    assert network.sent == []


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        ("api/v4/things/", {}, "begins with /"),
        ("/api/v4/things/?q=1", {}, "params"),
        ("/api/v4/{a}", {}, "differ in: a"),
        ("/api/v4/", {"path_values": {"b": 1}}, "differ in: b"),
        ("/api/v4/{a}", {"path_values": {"a": ".."}}, "dot segment"),
        ("/api/v4/", {"json": {}, "content": b""}, "two bodies"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(path: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        request(connect(token="t", base_url=ROOT, transport=Network()), "POST", path, **options)
