"""What is said of a request of which it is not known whether the API has acted on it, and with which code it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from pokitdok_api import _operations
from pokitdok_api.errors import InvalidResponseError, PaymentRequiredError, RateLimitError, ServerError, error_for
from pokitdok_ext import ConfigurationError, TokenError
from pokitdok_ext._retries import Finding, finding_of_answer, finding_of_exception
from pokitdok_ext.cli import _exits
from pokitdok_ext.testing import Contract
from pokitdok_sandbox import Sandbox

Run = Callable[..., Any]

CLAIM = json.dumps({"trading_partner_id": "MOCKPAYER", "subscriber": {"last_name": "Canary"}})
QUESTION = json.dumps({"trading_partner_id": "MOCKPAYER", "member": {"id": "CANARY"}})
LATER_QUESTION = json.dumps({**json.loads(QUESTION), "async": True})

ACTS = {
    "claims submit": (("claims", "submit", "-"), CLAIM),
    "request POST": (("request", "POST", "/claims/", "-d", "-"), CLAIM),
    "request PUT": (("request", "PUT", "/activities/5317f51527a27620f2ec7533", "-d", "-"), '{"transition": "cancel"}'),
    "request DELETE": (("request", "DELETE", "/schedule/slots/5317f515"), ""),
    "request outside the contract": (("request", "POST", "/no/such/path", "-d", "-"), CLAIM),
    "eligibility, async": (("eligibility", "--from", "-"), LATER_QUESTION),
    "claims status, async": (("claims", "status", "-"), LATER_QUESTION),
    "request POST, async": (("request", "POST", "/eligibility/", "-d", "-"), LATER_QUESTION),
}
ASKS = {
    "eligibility": (("eligibility", "--from", "-"), QUESTION),
    "claims status": (("claims", "status", "-"), QUESTION),
    "request GET": (("request", "GET", "/activities/"), ""),
    "request POST of a question": (("request", "POST", "/eligibility/", "-d", "-"), QUESTION),
    "trading-partners": (("trading-partners",), ""),
}


class Failure(NamedTuple):
    """What the server does, and the codes of an operation that acts and of one that asks.

    The answer is bytes, a word of `RawServer`, or arguments of its `http_answer`.
    """

    answer: bytes | str | tuple[Any, ...]
    acts: int
    asks: int


def failures() -> dict[str, Failure]:
    unknown, refused = (_exits.MAY_HAVE_ACTED, _exits.LATER), (_exits.NO, _exits.NO)
    limited = b'{"message": "Forbidden (Rate Limited)"}'
    return {
        "reset": Failure("reset", *unknown),
        "silence": Failure("silence", *unknown),
        "no answer at all": Failure(b"", *unknown),
        "cut off in the headers": Failure(b"HTTP/1.1 200 OK\r\nContent-Le", *unknown),
        "cut off in the body": Failure((b'{"meta": {', "200 OK", "X: y", 900), *unknown),
        "not HTTP": Failure(b"SSH-2.0-OpenSSH\r\n", *unknown),
        "broken JSON": Failure((b'{"meta": {',), *unknown),
        "HTML with status 200": Failure((b"<h1>Welcome to the hotel</h1>",), *unknown),
        "status 200 and nothing": Failure((b"",), *unknown),
        "wrong content encoding": Failure(
            (
                b"{}",
                "200 OK",
                "Content-Encoding: gzip",
            ),
            *unknown,
        ),
        "500": Failure(
            (
                b"<h1>Oops</h1>",
                "500 Internal Server Error",
            ),
            *unknown,
        ),
        "502": Failure(
            (
                b"",
                "502 Bad Gateway",
            ),
            *unknown,
        ),
        "504": Failure((b'{"message": "upstream"}', "504 Gateway Timeout"), *unknown),
        "408": Failure((b"", "408 Request Timeout"), *unknown),
        "rate limit": Failure((limited, "403 Forbidden"), _exits.LATER, _exits.LATER),
        "422": Failure((b'{"data": {"errors": {"validation": {}}}}', "422 Unprocessable Entity"), *refused),
        "400 in a form of its own": Failure((b'{"detail": "no"}', "400 Bad Request"), *refused),
        "402": Failure((b"{}", "402 Payment Required"), _exits.CREDENTIALS, _exits.CREDENTIALS),
    }


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("failure", failures())
@pytest.mark.parametrize("name", [*ACTS, *ASKS])
def test_failure_says_whether_it_may_have_been_acted_on(pokitdok: Run, server: Any, name: str, failure: str) -> None:
    answer, acts, asks = failures()[failure]
    server.answer = server.http_answer(*answer) if isinstance(answer, tuple) else answer
    arguments, stdin = {**ACTS, **ASKS}[name]
    ran = pokitdok("--timeout", "0.3" if answer == "silence" else "60", *arguments, stdin=stdin)
    wanted = acts if name in ACTS else asks
    assert ran.code == wanted, ran.err
    assert ("may have been acted on: look before you repeat it" in ran.err) is (wanted == _exits.MAY_HAVE_ACTED)
    assert ("pokitdok request GET /activities/ -q dir=descending" in ran.err) is (wanted == _exits.MAY_HAVE_ACTED)
    assert "canary" not in ran.err.lower()
    if name in ACTS and failure != "rate limit":
        assert len(server.bodies) == 1, "it is sent once"
    assert "no connection" not in ran.err or not server.bodies


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("token_answer", ["reset", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("name", [*ACTS, *ASKS])
def test_without_a_token_nothing_was_sent(pokitdok: Run, server: Any, name: str, token_answer: Any) -> None:
    server.token_answer = token_answer
    arguments, stdin = {**ACTS, **ASKS}[name]
    ran = pokitdok("--no-token-file", *arguments, stdin=stdin)
    assert ran.code == _exits.LATER
    assert "acted on" not in ran.err
    assert server.bodies == []


def test_server_that_went_away_was_not_reached(pokitdok: Run, server: Any) -> None:
    assert pokitdok("token").code == 0
    server.close()
    ran = pokitdok("claims", "submit", "-", stdin=CLAIM)
    assert ran.code == _exits.LATER
    assert "no connection (ConnectError)" in ran.err
    assert "acted on" not in ran.err


def test_activity_that_the_answer_names_is_where_to_look(pokitdok: Run, server: Any) -> None:
    server.answer = server.http_answer(b'{"meta": {"activity_id": "5317f515"}, "data": {"errors": {}}}', "500 Oops")
    assert "with pokitdok activity watch 5317f515\n" in pokitdok("claims", "submit", "-", stdin=CLAIM).err
    server.answer = server.http_answer(b'{"meta": {"activity_id": "$(reboot)"}, "data": {"errors": {}}}', "500 Oops")
    ran = pokitdok("claims", "submit", "-", stdin=CLAIM)
    assert (ran.code, "reboot" in ran.err) == (_exits.MAY_HAVE_ACTED, False)


def test_command_that_looks_shows_the_claim(connected: Sandbox, pokitdok: Run) -> None:
    contract = Contract()
    content = contract.document["paths"]["/api/v4/claims/"]["post"]["requestBody"]["content"]["application/json"]
    claim = contract.resolve(content["examples"]["synthetic"])["value"]
    order = {"name": "reset_after", "operations": ["submit_claim"], "count": 1}
    httpx.post(f"{connected.url}/_sandbox/faults", json=order).raise_for_status()
    ran = pokitdok("claims", "submit", "-", stdin=json.dumps(claim))
    assert ran.code == _exits.MAY_HAVE_ACTED
    look = ran.err.rstrip().rpartition(" with pokitdok ")[2]
    newest = pokitdok(*look.split()).json["data"]
    assert any(
        activity.get("parameters", {}).get("subscriber", {}).get("member_id") == claim["subscriber"]["member_id"]
        for activity in newest
    )


def test_no_content_is_an_answer(pokitdok: Run, server: Any) -> None:
    server.answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    assert pokitdok("request", "DELETE", "/schedule/slots/5317f515") == (0, "", "")


@pytest.mark.parametrize("json_option", [(), ("--json",)], ids=["", "--json"])
@pytest.mark.parametrize("body", [b"null", b"[1, 2]", b'"x"', b"{}", b'{"meta": {}, "data": null}', None])
def test_success_that_names_no_activity_does_not_say_what_became_of_a_claim(
    pokitdok: Run, server: Any, body: bytes | None, json_option: tuple[str, ...]
) -> None:
    nothing = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    server.answer = nothing if body is None else server.http_answer(body)
    ran = pokitdok("claims", "submit", "-", *json_option, stdin=CLAIM)
    assert ran.code == _exits.MAY_HAVE_ACTED
    assert "may have been acted on: look before you repeat it" in ran.err
    assert "None" not in ran.out + ran.err


def test_answer_to_a_claim_is_shown_without_being_asked_for(pokitdok: Run, server: Any) -> None:
    server.answer = server.http_answer(b"<h1>Oops</h1>", "500 Internal Server Error")
    ran = pokitdok("claims", "submit", "-", stdin=CLAIM)
    assert "<h1>Oops</h1>" in ran.out
    assert "--json" not in ran.err


@pytest.mark.parametrize("arguments", [("activity", "watch", "5317f515"), ("trading-partners",)], ids=" ".join)
def test_error_is_shown_in_json_by_each_command_that_says_so(
    pokitdok: Run, server: Any, arguments: tuple[str, ...]
) -> None:
    server.answer = server.http_answer(b'{"detail": "no such thing"}', "404 Not Found")
    assert "--json shows the answer" in pokitdok(*arguments).err
    assert json.loads(pokitdok(*arguments, "--json").out) == {"detail": "no such thing"}


def test_reader_that_has_gone_after_a_claim_was_filed_is_no_error(server: Any) -> None:
    server.answer = server.http_answer(b'{"meta": {"activity_id": "5317f515"}, "data": {"id": "5317f515"}}')
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pokitdok_ext.cli", "claims", "submit", "-"]
    with open(writing, "wb") as output:  # noqa: PTH123 - a pipe
        ran = subprocess.run(
            command, input=CLAIM.encode(), stdout=output, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert ran.returncode == _exits.DONE
    assert b"pokitdok activity watch 5317f515" in ran.stderr


def test_ctrl_c_after_the_send_says_so(pokitdok: Run, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("pokitdok_api.Client.call", interrupted)
    ran = pokitdok("claims", "submit", "-", stdin=CLAIM)
    assert ran.code == _exits.INTERRUPTED
    assert "may have been acted on: look before you repeat it" in ran.err
    assert "acted on" not in pokitdok("eligibility", "--from", "-", stdin=QUESTION).err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_claim_whose_answer_cannot_be_written_was_filed(server: Any) -> None:
    server.answer = server.http_answer(b'{"meta": {"activity_id": "5317f515"}, "data": {"id": "5317f515"}}')
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        ran = subprocess.run(
            [sys.executable, "-m", "pokitdok_ext.cli", "claims", "submit", "-", "--json"],
            input=CLAIM.encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            timeout=60,
            check=False,
        )
    assert ran.returncode == _exits.MAY_HAVE_ACTED
    assert b"POST /api/v4/claims/ may have been acted on: look before you repeat it" in ran.stderr


# ---------------------------------------------------------------- the finding


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (httpx.ConnectError("x"), "never_left"),
        (httpx.ConnectTimeout("x"), "never_left"),
        (httpx.PoolTimeout("x"), "never_left"),
        (httpx.ReadError("x"), "unknown"),
        (httpx.WriteError("x"), "unknown"),
        (httpx.ReadTimeout("x"), "unknown"),
        (httpx.RemoteProtocolError("x"), "unknown"),
        (httpx.DecodingError("x"), "unknown"),
        (httpx.UnsupportedProtocol("x"), "final"),
        (ConfigurationError("x"), "final"),
        (TokenError("x"), "final"),
        (KeyError("x"), "unknown"),
        (InvalidResponseError(operation=_operations.SUBMIT_CLAIM, status_code=200, place="x"), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_finding_of_an_exception(error: Exception, finding: Finding) -> None:
    assert finding_of_exception(error) == finding


@pytest.mark.parametrize("status", [*range(400, 432), 451, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "document", [None, {"message": "Forbidden (Rate Limited)"}, {"data": {"errors": {"query": "x"}}}]
)
def test_answer_and_its_exception_mean_the_same(status: int, document: Any) -> None:
    response = httpx.Response(status, json=document) if document else httpx.Response(status)
    error = error_for(_operations.SUBMIT_CLAIM, status, {}, document)
    assert error is not None
    assert finding_of_exception(error) == finding_of_answer(_operations.SUBMIT_CLAIM, response)


@pytest.mark.parametrize("status", [501, 505, 507, 520, 599])
def test_server_error_that_is_not_sent_again_may_have_acted_too(status: int) -> None:
    error = error_for(_operations.SUBMIT_CLAIM, status, {}, None)
    assert error is not None
    assert _exits.acted(_operations.SUBMIT_CLAIM, error)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (ServerError, 500, _exits.LATER),
        (RateLimitError, 403, _exits.LATER),
        (PaymentRequiredError, 402, _exits.CREDENTIALS),
    ],
)
def test_code_of_an_error_of_a_question(kind: Any, status: int, code: int) -> None:
    error = kind(operation=_operations.CHECK_ELIGIBILITY, status_code=status, headers={}, body=None, activity_id=None)
    assert (_exits.code_for(error), _exits.acted(_operations.CHECK_ELIGIBILITY, error)) == (code, False)
