"""The public types, as a caller sees them. Type-checked and never run; `assert_type` fails the check, not a test."""

from collections.abc import Mapping
from typing import Any, assert_type

import httpx

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity, list_activities
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import Activity, ActivityListEnvelope, EligibilityEnvelope, EligibilityRequest
from pokitdok_api.types import Response
from pokitdok_ext import (
    Clock,
    ConnectedClient,
    InvalidRequestError,
    InvalidResponseError,
    RedisStore,
    Retry,
    ScopeError,
    TokenError,
    TokenState,
    TokenThrottledError,
    compat,
    connect,
)
from pokitdok_ext.activities import wait_for_activity
from pokitdok_ext.bulk import Outcome, run
from pokitdok_ext.fast import FastTransport
from pokitdok_ext.generic import request
from pokitdok_ext.pacing import Pacer
from pokitdok_ext.paging import aitems, items, pages
from pokitdok_ext.testing import Contract, Finding, HeldClock, InProcessSandbox, PostedCallback


def text_provider() -> str:
    return "token"


def mapping_provider() -> Mapping[str, Any]:
    return {"access_token": "token", "expires_in": 3600}


async def async_provider() -> str:
    return "token"


def connecting() -> None:
    assert_type(connect("id", "secret"), ConnectedClient)
    assert_type(connect(client_id="id", client_secret="secret", client_auth="body"), ConnectedClient)
    connect(token="token", base_url="https://api.example.com", timeout=30)
    connect(token_provider=text_provider, timeout=None)
    connect(token_provider=mapping_provider, timeout=httpx.Timeout(10, read=60))
    connect(token_provider=async_provider)
    connect("id", lambda: "from a vault", scope=["user_schedule"])
    connect("id", "secret", "token")  # type: ignore[call-arg]
    connect("id", "secret", client_auth="header")  # type: ignore[arg-type]
    connect("id", "secret", httpx_args={"verify": False}, transport=httpx.HTTPTransport())
    connect("id", "secret", async_transport=httpx.AsyncHTTPTransport())


def moving() -> None:
    old = compat.connect("id", "secret", base="https://api.example.com", token={"access_token": "x"})
    assert_type(old.eligibility({"trading_partner_id": "MOCKPAYER"}), dict[str, Any])
    assert_type(old.token, dict[str, Any])
    assert_type(old.status_code, int)
    assert_type(old.typed, ConnectedClient)
    old.cancel_appointment()  # type: ignore[call-arg]


def closing() -> None:
    with connect() as client:
        assert_type(client, ConnectedClient)
        assert_type(client.tokens.state(), TokenState)
        assert_type(client.tokens.state().fetches, int)
        print(client.tokens.state().fetched)  # type: ignore[attr-defined]


async def closing_async() -> None:
    async with connect() as client:
        assert_type(client, ConnectedClient)
        assert_type(client.tokens.state(), TokenState)


def errors(
    error: TokenError,
    throttled: TokenThrottledError,
    invalid: InvalidRequestError,
    unreadable: InvalidResponseError,
    scope: ScopeError,
) -> None:
    assert_type(invalid.content, bytes)
    assert_type(unreadable.content, bytes)
    assert_type(unreadable.headers, Mapping[str, str])
    assert_type(scope.scope, str | None)
    assert_type(scope.messages, dict[str, list[str]])
    assert_type(error.transient, bool)
    assert_type(throttled.retry_after, float | None)
    assert_type(invalid.messages, dict[str, list[str]])


def calling(client: Client, connected: ConnectedClient) -> None:
    assert_type(client.tokens.state(), object)
    get_activity.sync("id", client=connected)


def state(state: TokenState) -> None:
    assert_type(state.fetches, int)
    assert_type(state.seconds_left, float | None)
    assert_type(state.last_error, str | None)


def walking(client: Client) -> None:
    for activity in items(list_activities.sync, client=client, limit=100):
        assert_type(activity, Activity)
    for page in pages(list_activities.sync, client=client):
        assert_type(page, ActivityListEnvelope)
    items(list_activities.sync, client=client, limits=100)  # type: ignore[call-arg]
    items(get_activity.sync, "id", client=client)  # type: ignore[arg-type]


async def walking_async(client: Client) -> None:
    async for activity in aitems(list_activities.asyncio, client=client):
        assert_type(activity, Activity)


def in_bulk(client: Client, questions: list[EligibilityRequest]) -> None:
    async def ask(question: EligibilityRequest) -> EligibilityEnvelope:
        return await check_eligibility.asyncio(client=client, body=question)

    for outcome in run(ask, questions, client=client):
        assert_type(outcome, Outcome[EligibilityRequest, EligibilityEnvelope])
        assert_type(outcome.result(), EligibilityEnvelope)
    run(ask, ["text"], client=client)  # type: ignore[arg-type]


def waiting(client: Client) -> None:
    assert_type(wait_for_activity("id", client=client), Activity)
    assert_type(wait_for_activity("id", client=client, clock=HeldClock().clock()), Activity)
    connect(clock=Clock(wall=lambda: 0.0))
    connect(clock=12.0)  # type: ignore[arg-type]


def tests_of_others(sandbox: InProcessSandbox, contract: Contract) -> None:
    assert_type(sandbox.callbacks(), list[PostedCallback])
    assert_type(contract.check_answer("GET", "/", status=200, body=b""), list[Finding])
    sandbox.time.forward("a while")  # type: ignore[arg-type]


def anything(client: Client) -> None:
    assert_type(request(client, "GET", "/x", params={"a": 1}), Response[Any])
    request(client, "GET", "/x", query={})  # type: ignore[call-arg]
    connect(retry=Retry(budget=5.0), pace=Pacer(store=RedisStore("unix:///s")), async_transport=FastTransport())
    connect(retry=3)  # type: ignore[arg-type]
