"""Listings to their end: pages and items, both worlds, by address or offset, and never to another host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity, list_activities
from pokitdok_api.api.plans import list_plans
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_ext import connect
from pokitdok_ext.generic import OriginError, adocuments, documents
from pokitdok_ext.paging import PagingError, aitems, apages, items, pages
from pokitdok_sandbox import Sandbox

ROOT = "https://api.example.com"


class Listing:
    """Serves *total* activities; what it says of the next page can be changed."""

    def __init__(self, total: int, *, next_: Callable[[int], str | None] | None = None, count: bool = True) -> None:
        self.total, self.count = total, count
        self.next_ = next_ or (lambda offset: f"{ROOT}/api/v4/activities/?parent_id=5&limit=2&offset={offset}")
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        self.asked.append(asked)
        offset, limit = int(asked.get("offset", 0)), int(asked.get("limit", 2))
        numbers = range(offset, min(offset + limit, self.total))
        meta: dict[str, Any] = {"processing_time": 1}
        if self.count:
            meta["result_count"] = self.total
        if offset + limit < self.total and (following := self.next_(offset + limit)) is not None:
            meta["next"] = following
        data = [{"id": f"{number:024x}", "name": "claims"} for number in numbers]
        return httpx.Response(200, json={"meta": meta, "data": data})

    def client(self) -> Client:
        network = httpx.MockTransport(self)
        return connect(token="t", base_url=ROOT, transport=network, async_transport=network, retry=None)


def collected(steps: AsyncIterator[Any]) -> list[Any]:
    async def collect() -> list[Any]:
        return [step async for step in steps]

    return asyncio.run(collect())


def walk_sync(client: Client, **filters: Any) -> list[str]:
    return [str(activity.id) for activity in items(list_activities.sync, client=client, **filters)]


def walk_async(client: Client, **filters: Any) -> list[str]:
    return [activity.id for activity in collected(aitems(list_activities.asyncio, client=client, **filters))]


both = pytest.mark.parametrize("walk", [walk_sync, walk_async])
Walk = Callable[..., list[str]]


@both
@pytest.mark.parametrize("total", [0, 1, 2, 5, 6])
def test_every_item_comes_once_and_filters_stay(walk: Walk, total: int) -> None:
    listing = Listing(total)
    found = walk(listing.client(), parent_id="5", limit=2)
    assert found == [f"{number:024x}" for number in range(total)]
    assert len(listing.asked) == max(1, (total + 1) // 2)
    assert all(asked["parent_id"] == "5" and asked["limit"] == "2" for asked in listing.asked)


@both
def test_walk_goes_by_offset_where_no_address_is_given(walk: Walk) -> None:
    listing = Listing(5, next_=lambda _offset: None)
    assert len(walk(listing.client(), limit=2)) == 5


@both
def test_walk_begins_at_the_offset_that_is_given(walk: Walk) -> None:
    assert len(walk(Listing(5).client(), limit=2, offset=3)) == 2


@both
def test_listing_that_grows_with_each_call_comes_to_an_end(walk: Walk) -> None:
    listing = Listing(4)

    def grown(request: httpx.Request) -> httpx.Response:
        listing.total += 1
        assert listing.total < 50
        return listing(request)

    network = httpx.MockTransport(grown)
    client = connect(token="t", base_url=ROOT, transport=network, async_transport=network)
    assert len(walk(client, limit=1)) == 5


@both
@pytest.mark.parametrize(
    ("address", "error", "says"),
    [
        ("https://evil.example/api/v4/activities/?offset=2", OriginError, "https://evil.example"),
        ("http://api.example.com/api/v4/activities/?offset=2", OriginError, "http://api.example.com"),
        ("https://api.example.com:8443/api/v4/activities/?offset=2", OriginError, "not to https://api.example.com"),
        ("https://me@api.example.com/api/v4/activities/?offset=2", OriginError, "not followed"),
        ("//evil.example/api/v4/activities/?offset=2", OriginError, "evil.example"),
        (f"{ROOT}/api/v4/claims/?offset=2", PagingError, "not under /api/v4/activities/"),
        (f"{ROOT}/api/v4/activities/?page=2", PagingError, "no offset"),
        (f"{ROOT}/api/v4/activities/?offset=0", PagingError, "said to be at 0"),
    ],
)
def test_address_that_leads_astray_is_not_followed(walk: Walk, address: str, error: type[Exception], says: str) -> None:
    listing = Listing(5, next_=lambda _offset: address)
    with pytest.raises(error, match=says):
        walk(listing.client(), limit=2)
    assert len(listing.asked) == 1


def test_address_from_the_root_is_followed() -> None:
    listing = Listing(5, next_=lambda offset: f"/api/v4/activities/?limit=2&offset={offset}")
    assert len(walk_sync(listing.client(), limit=2)) == 5


def test_pages_are_asked_for_when_they_are_needed() -> None:
    listing = Listing(6)
    walk = pages(list_activities.sync, client=listing.client(), limit=2)
    next(walk)
    assert len(listing.asked) == 1
    assert len(list(walk)) == 2


def test_pages_are_the_envelopes() -> None:
    page = next(pages(list_activities.sync, client=Listing(5).client()))
    assert page.meta
    assert page.meta.result_count == 5
    first = collected(apages(list_activities.asyncio, client=Listing(1).client()))[0]
    assert len(first.data) == 1


@pytest.mark.parametrize("function", [get_activity.sync, list_trading_partners.sync, list_activities.sync_detailed])
def test_function_that_is_no_listing_is_refused_with_those_that_are(function: Any) -> None:
    with pytest.raises(TypeError, match="list_activities, list_plans, list_providers"):
        next(pages(function, client=Listing(1).client()))


@pytest.mark.filterwarnings("ignore:Last documented")
def test_sandbox_listings_are_walked_to_their_end() -> None:
    with Sandbox() as box, connect(box.client_id, box.client_secret, base_url=box.url) as client:
        for _ in range(7):
            list_trading_partners.sync(client=client)
        ids = [activity.id for activity in items(list_activities.sync, client=client, limit=3)]
        assert len(ids) >= 8
        assert len(set(ids)) == len(ids)
        assert all(plan for plan in items(list_plans.sync, client=client))
        raw = [
            item["id"]
            for page in documents(client, "/api/v4/activities/", params={"limit": 3})
            for item in page["data"]
        ]
        assert set(ids) <= set(raw)


def test_decoded_pages_are_walked_by_address() -> None:
    listing = Listing(5)
    path = "/api/v4/activities/"
    walked = list(documents(listing.client(), path, params={"limit": 2, "parent_id": "5"}))
    assert [len(page["data"]) for page in walked] == [2, 2, 1]
    assert walked == collected(adocuments(listing.client(), path, params={"limit": 2, "parent_id": "5"}))


def test_decoded_pages_never_leave_the_host_and_never_go_round() -> None:
    with pytest.raises(OriginError):
        list(documents(Listing(5, next_=lambda _offset: "https://evil.example/x").client(), "/api/v4/things/"))
    circle = Listing(5, next_=lambda _offset: f"{ROOT}/api/v4/things/?offset=2")
    assert len(list(documents(circle.client(), "/api/v4/things/"))) == 2
