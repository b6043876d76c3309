"""What is sent again: the decision as a table, and one matrix of operations, faults and attempts through a client."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import ClaimRequest, EligibilityRequest
from pokitdok_ext import (
    APIError,
    InvalidRequestError,
    InvalidResponseError,
    PaymentRequiredError,
    RateLimitError,
    Retry,
    ScopeError,
    ServerError,
    TradingPartnerRejectionError,
    connect,
    retrying,
)
from pokitdok_ext._clock import Clock
from pokitdok_ext._retries import DEFAULT_RETRY, asked_wait, wait_before_next
from pokitdok_ext._sending import ATTEMPTS, POLICY, RetryTransport

ROOT = "https://api.example.com"
NOW = 1_790_000_000.0
Step = Callable[[httpx.Request], httpx.Response]


@dataclass
class Script(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A network that meets each request with the next step, the last one again and again."""

    steps: list[Step]
    now: float = 0.0
    sent: list[httpx.Request] = field(default_factory=list)
    timeouts: list[dict[str, float]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        self.timeouts.append(dict(request.extensions.get("timeout", {})))
        return self.steps[min(len(self.sent), len(self.steps)) - 1](request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def client(self, retry: Retry | None = DEFAULT_RETRY, **options: Any) -> Client:
        transport = RetryTransport(
            self,
            self,
            retry=retry,
            clock=Clock(
                lambda: NOW + self.now, lambda: self.now, self.sleep, chance=lambda: 0.0, async_sleep=self.async_sleep
            ),
        )
        return Client(ROOT, transport=transport, async_transport=transport, **options)


def ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"meta": {"processing_time": 1}, "data": None})


def fails(kind: type[httpx.TransportError], cause: BaseException | None = None) -> Step:
    def step(request: httpx.Request) -> httpx.Response:
        raise kind("as ordered") from cause

    return step


def answers(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Step:
    content = json.dumps(body).encode() if body is not None else b"<html>no JSON</html>"
    return lambda _request: httpx.Response(status, content=content, headers=headers)


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends before its end."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"meta": {'
        raise httpx.RemoteProtocolError("as ordered")

    async def __aiter__(self) -> Any:
        yield b'{"meta": {'
        raise httpx.RemoteProtocolError("as ordered")


def cut_off(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=Broken())


def encoded_otherwise(status: int) -> Step:
    """A body that is not in the encoding that its header names; httpx finds out when it is read."""
    headers = {"Content-Encoding": "gzip"}
    return lambda _request: httpx.Response(status, headers=headers, stream=httpx.ByteStream(b'{"meta": {}}'))


def encoded_otherwise_at_once(_request: httpx.Request) -> httpx.Response:
    """As before; a response that is made from bytes is read while it is made."""
    return httpx.Response(200, headers={"Content-Encoding": "deflate"}, content=b'{"meta": {}}')


def half_a_json(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b'{"me')


def errors(**kinds: Any) -> dict[str, Any]:
    return {"meta": {"processing_time": 1}, "data": {"errors": kinds}}


class ServerDisconnectedError(Exception):
    """Named like the error of another library that its adapter passes on as a ConnectTimeout."""


REFUSED_CERTIFICATE = ssl.SSLCertVerificationError("as ordered")
RATE_LIMIT = {"message": "Forbidden (Rate Limited)"}

# fault: what happens, what is raised in the end, and whether a safe and an unsafe operation is sent again
FAULTS: dict[str, tuple[Step, type[Exception], bool, bool]] = {
    "no connection": (fails(httpx.ConnectError), httpx.ConnectError, True, True),
    "no connection in time": (fails(httpx.ConnectTimeout), httpx.ConnectTimeout, True, True),
    "no place in the pool": (fails(httpx.PoolTimeout), httpx.PoolTimeout, True, True),
    "certificate refused": (fails(httpx.ConnectError, REFUSED_CERTIFICATE), httpx.ConnectError, False, False),
    "lost, called a connect timeout": (
        fails(httpx.ConnectTimeout, ServerDisconnectedError()),
        httpx.ConnectTimeout,
        True,
        False,
    ),
    "reset while sending": (fails(httpx.WriteError), httpx.WriteError, True, False),
    "timeout while sending": (fails(httpx.WriteTimeout), httpx.WriteTimeout, True, False),
    "reset after sending": (fails(httpx.ReadError), httpx.ReadError, True, False),
    "timeout after sending": (fails(httpx.ReadTimeout), httpx.ReadTimeout, True, False),
    "closed without an answer": (fails(httpx.RemoteProtocolError), httpx.RemoteProtocolError, True, False),
    "answer cut off": (cut_off, httpx.RemoteProtocolError, True, False),
    "answer in another encoding": (encoded_otherwise(200), httpx.RemoteProtocolError, True, False),
    "answer in another encoding, at once": (encoded_otherwise_at_once, httpx.RemoteProtocolError, True, False),
    "422 in another encoding": (encoded_otherwise(422), httpx.RemoteProtocolError, True, False),
    "answer is half a JSON": (half_a_json, InvalidResponseError, False, False),
    "our own mistake": (fails(httpx.LocalProtocolError), httpx.LocalProtocolError, False, False),
    "400": (answers(400, errors(validation={"member": ["required"]})), InvalidRequestError, False, False),
    "402": (answers(402, {"message": "Payment Required"}), PaymentRequiredError, False, False),
    "403 of the rate limit": (answers(403, RATE_LIMIT), RateLimitError, True, True),
    "403 of a scope": (answers(403, errors(scope="no")), ScopeError, False, False),
    "403 of a firewall": (answers(403), APIError, False, False),
    "403 of a gateway": (answers(403, {"message": "Forbidden"}), APIError, False, False),
    "403 of a gateway that misses a token": (
        answers(403, {"message": "Missing Authentication Token"}),
        APIError,
        False,
        False,
    ),
    "408": (answers(408), APIError, True, False),
    "429 of a gateway": (answers(429), APIError, True, False),
    "500": (answers(500, errors(general="no")), ServerError, True, False),
    "500 that is a rejection": (
        answers(500, errors(parsing={"acknowledgment": "R"})),
        TradingPartnerRejectionError,
        False,
        False,
    ),
    "501": (answers(501, errors(general="not offered")), ServerError, False, False),
    "502 in HTML": (answers(502), ServerError, True, False),
    "503": (answers(503), ServerError, True, False),
    "504": (answers(504), ServerError, True, False),
}

CLAIM = ClaimRequest.from_dict({"trading_partner_id": "MOCKPAYER"})
CALLS: dict[str, tuple[Any, dict[str, Any], bool]] = {
    "question": (check_eligibility, {"body": EligibilityRequest.from_dict({"trading_partner_id": "MOCKPAYER"})}, True),
    "listing": (list_trading_partners, {}, True),
    "claim": (submit_claim, {"body": CLAIM}, False),
}


def call(door: str, module: Any, client: Client, arguments: dict[str, Any]) -> Any:
    if door == "sync":
        return module.sync_detailed(client=client, **arguments)
    return asyncio.run(module.asyncio_detailed(client=client, **arguments))


@pytest.mark.parametrize("door", ["sync", "asyncio"])
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", CALLS)
def test_fault_matrix(kind: str, fault: str, times: int, door: str) -> None:
    """After *times* faults the network is well again: what is sent, how often, and what comes of it."""
    module, arguments, safe = CALLS[kind]
    step, error, if_safe, if_unsafe = FAULTS[fault]
    network = Script([step] * times + [ok])
    replayed = if_safe if safe else if_unsafe
    client = network.client()
    if replayed and times < DEFAULT_RETRY.attempts:
        assert call(door, module, client, arguments).status_code == 200
        assert len(network.sent) == times + 1
    else:
        with pytest.raises(error) as caught:
            call(door, module, client, arguments)
        assert type(caught.value) is error
        expected = DEFAULT_RETRY.attempts if replayed else 1
        assert len(network.sent) == expected
        assert attempts_told(caught.value) == expected
    assert network.slept == [0.5, 1.0][: len(network.sent) - 1]
    assert len({request.read() for request in network.sent}) == 1


def attempts_told(error: Exception) -> int:
    if isinstance(error, APIError | InvalidResponseError):
        assert (f"sent {error.attempts} times" in str(error)) is (error.attempts > 1)
        return error.attempts
    assert isinstance(error, httpx.RequestError)
    attempts: int = error.request.extensions[ATTEMPTS]
    assert ("was sent once" if attempts == 1 else f"was sent {attempts} times") in error.__notes__[0]
    return attempts


@pytest.mark.parametrize("step", [fails(httpx.ReadTimeout), cut_off, encoded_otherwise(200)])
def test_claim_that_may_have_been_acted_on_says_why_it_is_not_sent_again(step: Step) -> None:
    with pytest.raises(httpx.TransportError) as caught:
        submit_claim.sync(client=Script([step]).client(), body=CLAIM)
    assert "the API may have acted on it" in caught.value.__notes__[0]


class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body of which the first part is enough to see that it is not in its encoding."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"Quillfeather, in no encoding"

    async def __aiter__(self) -> Any:
        while True:
            yield b"Quillfeather, in no encoding"

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("door", ["sync", "asyncio"])
def test_answer_in_another_encoding_gives_its_connection_back_and_is_not_shown(door: str) -> None:
    body = Endless()
    network = Script([lambda _request: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=body)])
    with pytest.raises(httpx.RemoteProtocolError, match="Content-Encoding") as caught:
        call(door, submit_claim, network.client(), {"body": CLAIM})
    assert body.closed
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "httpx's own error leads to frames that hold the body"


# ---------------------------------------------------------------- how long


@pytest.mark.parametrize(
    ("attempt", "asked", "left", "chance", "wait"),
    [
        pytest.param(1, None, 30.0, 0.0, 0.5, id="first wait"),
        pytest.param(2, None, 30.0, 0.0, 1.0, id="doubled"),
        pytest.param(1, None, 30.0, 1.0, 0.25, id="half shorter by chance"),
        pytest.param(7, None, 30.0, 0.0, 8.0, id="no longer than the longest wait"),
        pytest.param(1, 20.0, 30.0, 0.0, 20.0, id="as the server asks"),
        pytest.param(1, 0.1, 30.0, 0.0, 0.5, id="no sooner than the own wait"),
        pytest.param(1, 31.0, 30.0, 0.0, None, id="refused where the server asks for more than is left"),
        pytest.param(1, None, 0.4, 0.0, None, id="no time left"),
        pytest.param(9, None, 30.0, 0.0, None, id="no attempt left"),
    ],
)
def test_wait_before_the_next_attempt(
    attempt: int, asked: float | None, left: float, chance: float, wait: float | None
) -> None:
    retry = Retry(attempts=9)
    assert wait_before_next(retry, True, "unknown", attempt, asked=asked, left=left, chance=chance) == wait


IN_TEN_SECONDS = "Mon, 21 Sep 2026 14:13:30 GMT"
SERVER_IS_BEHIND = "Mon, 21 Sep 2026 14:12:20 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "reset", "asked"),
    [
        pytest.param(503, {"Retry-After": "7"}, None, 7.0, id="seconds"),
        pytest.param(503, {"Retry-After": IN_TEN_SECONDS}, None, 10.0, id="a date"),
        pytest.param(
            503,
            {"Retry-After": IN_TEN_SECONDS, "Date": SERVER_IS_BEHIND},
            None,
            70.0,
            id="by the clock of the server",
        ),
        pytest.param(503, {"Retry-After": SERVER_IS_BEHIND}, None, 0.0, id="a date that is over"),
        pytest.param(503, {"Retry-After": "soon"}, None, None, id="neither"),
        pytest.param(503, {}, NOW + 5, None, id="the rate limit is not at fault"),
        pytest.param(403, {}, NOW + 5, 5.0, id="when the rate limit starts over"),
        pytest.param(403, {"Retry-After": "7"}, NOW + 5, 7.0, id="the header wins"),
        pytest.param(403, {}, NOW - 5, None, id="an old announcement"),
    ],
)
def test_wait_that_the_server_asks_for(
    status: int, headers: dict[str, str], reset: float | None, asked: float | None
) -> None:
    assert asked_wait(httpx.Response(status, headers=headers), reset, NOW) == asked


def test_rate_limit_is_waited_out_as_earlier_answers_announced() -> None:
    meta = {"processing_time": 1, "rate_limit_reset": NOW + 12}
    announcing = answers(200, {"meta": {**meta, "rate_limit_reset": int(NOW + 12)}, "data": []})
    network = Script([announcing, answers(403, RATE_LIMIT), ok])
    client = network.client()
    list_trading_partners.sync(client=client)
    submit_claim.sync(client=client, body=CLAIM)
    assert network.slept == [12.0]


def test_rate_limit_that_lasts_longer_than_the_budget_is_raised_at_once() -> None:
    network = Script([answers(403, RATE_LIMIT, {"Retry-After": "31"}), ok])
    with pytest.raises(RateLimitError):
        list_trading_partners.sync(client=network.client())
    assert (len(network.sent), network.slept) == (1, [])


def test_attempts_end_with_the_timeout_of_the_call() -> None:
    network = Script([answers(503, None, {"Retry-After": "3"}), answers(503, None, {"Retry-After": "3"}), ok])
    with pytest.raises(ServerError):
        list_trading_partners.sync(client=network.client(), timeout=5.0)
    assert network.slept == [3.0]


def test_later_attempts_get_what_is_left_of_the_timeout() -> None:
    network = Script([answers(503, None, {"Retry-After": "3"}), ok])
    list_trading_partners.sync(client=network.client(), timeout=httpx.Timeout(5.0, connect=1.0))
    assert network.timeouts[0] == {"connect": 1.0, "read": 5.0, "write": 5.0, "pool": 5.0}
    assert network.timeouts[1] == {"connect": 1.0, "read": 2.0, "write": 2.0, "pool": 2.0}


# ---------------------------------------------------------------- switches


def test_retries_can_be_off_for_a_client() -> None:
    network = Script([answers(503), ok])
    with pytest.raises(ServerError):
        list_trading_partners.sync(client=network.client(retry=None))
    assert len(network.sent) == 1


def test_retries_can_be_off_for_some_calls() -> None:
    network = Script([answers(503), ok])
    with retrying(None), pytest.raises(ServerError):
        list_trading_partners.sync(client=network.client())
    assert len(network.sent) == 1
    list_trading_partners.sync(client=network.client())


def test_request_brings_its_own_policy() -> None:
    network = Script([answers(503)])
    http = network.client().get_httpx_client()
    request = http.build_request("GET", f"{ROOT}/api/v4/tradingpartners/")
    listed = Script([ok])
    list_trading_partners.sync(client=listed.client())
    request.extensions = {**request.extensions, "pokitdok.operation": listed.sent[0].extensions["pokitdok.operation"]}
    request.extensions[POLICY] = Retry(attempts=5)
    assert http.send(request).status_code == 503
    assert len(network.sent) == 5


def test_request_of_no_operation_passes_untouched() -> None:
    network = Script([answers(503), ok])
    assert network.client().get_httpx_client().get(ROOT).status_code == 503
    assert len(network.sent) == 1


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"budget": -1.0}, {"first_wait": float("nan")}])
def test_impossible_policy_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Retry(**wrong)


def test_replay_after_a_401_is_counted_and_keeps_the_timeouts() -> None:
    unauthorized = answers(401, {"message": "Unauthorized"})
    network = Script([unauthorized, answers(500, errors(general="no"))])
    tokens = iter(("one", "two"))
    client = connect(token_provider=lambda: next(tokens), base_url=ROOT, transport=network, retry=None)
    with pytest.raises(ServerError) as caught:
        list_trading_partners.sync(client=client)
    assert caught.value.attempts == 2


def test_answer_has_its_elapsed_time() -> None:
    seen: list[float] = []
    options = {"event_hooks": {"response": [lambda response: seen.append(response.elapsed.total_seconds())]}}
    list_trading_partners.sync(client=Script([ok]).client(httpx_args=options))
    assert seen == [0.0]
