"""A sandbox without sample records: what is there is what somebody made, and what everybody looks up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx
    from starlette.applications import Starlette

RECORDS = (
    "/api/v4/identity/",
    "/api/v4/identity/881bc095-2068-43cb-9783-cce630364122",
    "/api/v4/payments/",
    "/api/v4/schedule/appointments/",
    "/api/v4/oop/insurance-load-price",
    "/api/v4/appregistrations",
)
DIRECTORIES = (
    "/api/v4/tradingpartners/",
    "/api/v4/providers/",
    "/api/v4/plans/",
    "/api/v4/mpc/",
    "/api/v4/schedule/schedulers/",
)


@pytest.fixture
async def empty(make_app: Callable[..., Starlette], sign_in: Callable[..., Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an empty sandbox whose token has all scopes."""
    async with sign_in(make_app(empty=True), scope="user_schedule business_schedule") as client:
        yield client


@pytest.mark.parametrize("url", RECORDS)
async def test_there_are_no_records_that_nobody_made(empty: httpx.AsyncClient, url: str) -> None:
    assert (await empty.get(url)).json()["data"] == []


async def test_the_activities_are_those_of_the_calls_alone(empty: httpx.AsyncClient) -> None:
    (only,) = (await empty.get("/api/v4/activities/")).json()["data"]
    await empty.post("/_sandbox/reset")

    assert only["name"] == "activities"


@pytest.mark.parametrize("url", DIRECTORIES)
async def test_directories_stay(empty: httpx.AsyncClient, url: str) -> None:
    assert (await empty.get(url)).json()["data"]


async def test_what_is_made_is_found(empty: httpx.AsyncClient) -> None:
    await empty.post("/api/v4/identity/", json={"last_name": "Moss"})

    assert [one["last_name"] for one in (await empty.get("/api/v4/identity/")).json()["data"]] == ["Moss"]
