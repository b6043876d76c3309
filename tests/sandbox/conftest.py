"""An in-process sandbox with a clock that the tests move, and a client that holds a token."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pokitdok_sandbox import Settings, create_app
from pokitdok_sandbox.applications import Application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.applications import Starlette

NOON = 1_700_000_000.25
FIRST = Settings().registered[0]
SECOND = Application("second-client-id", "second-client-secret")


class Clock:
    """Unix time that moves when told to."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def posts() -> list[tuple[str, dict[str, Any]]]:
    """The callbacks that an app of make_app has posted: address and content."""
    return []


@pytest.fixture
def make_app(clock: Clock, posts: list[tuple[str, dict[str, Any]]]) -> Callable[..., Starlette]:
    def post(url: str, content: bytes) -> None:
        posts.append((url, json.loads(content)))

    def make(**choices: Any) -> Starlette:
        return create_app(Settings(**choices), clock=clock, random=Random(7), post=post)

    return make


def client_for(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test")


async def token_from(client: httpx.AsyncClient, application: Application = FIRST, scope: str = "") -> str:
    response = await client.post(
        "/oauth2/token",
        data={
            "grant_type": "client_credentials",
            **({"scope": scope} if scope else {}),
            "client_id": application.client_id,
            "client_secret": application.client_secret,
        },
    )
    assert response.status_code == 200, response.text
    token: str = response.json()["access_token"]
    return token


@pytest.fixture
def sign_in() -> Callable[..., Any]:
    """Gives a client that holds a token for the app it is given."""

    @asynccontextmanager
    async def signed_in(
        app: Starlette, *, application: Application = FIRST, scope: str = ""
    ) -> AsyncIterator[httpx.AsyncClient]:
        async with client_for(app) as client:
            client.headers["authorization"] = f"Bearer {await token_from(client, application, scope)}"
            yield client

    return signed_in


@pytest.fixture
def open_client() -> Callable[[Starlette], httpx.AsyncClient]:
    """Gives a client without a token for the app it is given."""
    return client_for


@pytest.fixture
async def bare(make_app: Callable[..., Starlette]) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_for(make_app()) as client:
        yield client


@pytest.fixture
async def api(make_app: Callable[..., Starlette], sign_in: Callable[..., Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token."""
    async with sign_in(make_app()) as client:
        yield client


@pytest.fixture
async def two_applications(
    make_app: Callable[..., Starlette], sign_in: Callable[..., Any]
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Clients of two applications of one sandbox, each with a token of its own that has all scopes."""
    app = make_app(applications=(SECOND,))
    scope = "user_schedule business_schedule"
    async with sign_in(app, scope=scope) as one, sign_in(app, application=SECOND, scope=scope) as other:
        yield one, other


@pytest.fixture
def check() -> dict[str, Any]:
    """An eligibility request about an invented member whom the sandbox does not know."""
    return {
        "trading_partner_id": "MOCKPAYER",
        "member": {"id": "W555000111", "first_name": "Perdita", "last_name": "Moss", "birth_date": "1966-04-30"},
        "provider": {"first_name": "Orla", "last_name": "Winterbourne", "npi": "1234567893"},
    }


@pytest.fixture
def claim() -> dict[str, Any]:
    """A claim about the same invented member."""
    return {
        "trading_partner_id": "MOCKPAYER",
        "transaction_code": "chargeable",
        "billing_provider": {"organization_name": "Heron Clinic", "npi": "1234567893", "tax_id": "000000001"},
        "subscriber": {
            "first_name": "Perdita",
            "last_name": "Moss",
            "member_id": "W555000111",
            "birth_date": "1966-04-30",
        },
        "claim": {
            "total_charge_amount": 60.0,
            "service_lines": [
                {
                    "procedure_code": "99213",
                    "charge_amount": 60.0,
                    "unit_count": 1.0,
                    "diagnosis_codes": ["J10.1"],
                    "service_date": "2023-11-10",
                }
            ],
        },
    }


@pytest.fixture
def program() -> Callable[[str], str]:
    """Gives the path of a program; the test is skipped where it is absent, and fails where peers are required."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
                pytest.fail(f"POKITDOK_REQUIRE_PEERS=1 but {name} is not installed", pytrace=False)
            pytest.skip(f"{name} is not installed")
        return path

    return find
