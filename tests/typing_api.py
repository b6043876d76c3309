"""The public types, as a caller sees them. Type-checked and never run; `assert_type` fails the check, not a test."""

from collections.abc import Mapping
from typing import Any, assert_type

import httpx

from pokitdok_api import Client
from pokitdok_ext import InvalidRequestError, TokenError, TokenState, TokenThrottledError, compat, connect


def text_provider() -> str:
    return "token"


def mapping_provider() -> Mapping[str, Any]:
    return {"access_token": "token", "expires_in": 3600}


async def async_provider() -> str:
    return "token"


def connecting() -> None:
    assert_type(connect("id", "secret"), Client)
    assert_type(connect(client_id="id", client_secret="secret", client_auth="body"), Client)
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
    assert_type(old.typed, Client)
    old.cancel_appointment()  # type: ignore[call-arg]


def closing() -> None:
    with connect() as client:
        assert_type(client, Client)


async def closing_async() -> None:
    async with connect() as client:
        assert_type(client, Client)


def errors(error: TokenError, throttled: TokenThrottledError, invalid: InvalidRequestError) -> None:
    assert_type(error.transient, bool)
    assert_type(throttled.retry_after, float | None)
    assert_type(invalid.messages, dict[str, list[str]])


def state(state: TokenState) -> None:
    assert_type(state.fetches, int)
    assert_type(state.seconds_left, float | None)
    assert_type(state.last_error, str | None)
