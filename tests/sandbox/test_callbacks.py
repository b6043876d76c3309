"""Callbacks: the activity is posted to the address its caller gave, each time an outcome comes."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pokitdok_sandbox import Sandbox, Settings, create_app
from pokitdok_sandbox.callbacks import CallbackError, post_by_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.applications import Starlette

HERE = "https://app.example.com/done"
Posts = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on this machine: its address, and what it was sent; /gone answers 410, /away redirects."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response({"/gone": 410, "/away": 302}.get(self.path, 200))
            if self.path == "/away":
                self.send_header("location", "/done")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_paid_claim_is_posted_twice_as_its_outcomes_come(
    make_app: Callable[..., Starlette], sign_in: Any, claim: dict[str, Any], clock: Any, posts: Posts
) -> None:
    app = make_app()
    claim |= {"callback_url": HERE, "application_data": {"mock_claim_payment": True, "mine": 7}}
    counts = []
    async with sign_in(app) as api:
        claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
        for seconds in (0, 419, 1, 0, 29, 1, 1000):
            clock.now += seconds
            counts.append(app.state.world.callbacks.post_due())
        seen = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]

    assert counts == [0, 0, 1, 0, 0, 1, 0]
    assert [(url, content["id"]) for url, content in posts] == [(HERE, claim_id)] * 2
    assert [content["tracking_description"] for _, content in posts] == ["acknowledged", "paid"]
    assert posts[1][1] == seen | {"application_data": claim["application_data"]}


@pytest.mark.parametrize("advance", ["polls", "at once"])
async def test_each_outcome_is_posted_by_itself_even_when_they_come_together(
    make_app: Callable[..., Starlette], sign_in: Any, claim: dict[str, Any], posts: Posts, advance: str
) -> None:
    app = make_app(advance=advance)
    claim |= {"callback_url": HERE, "application_data": {"mock_claim_payment": True}}
    async with sign_in(app) as api:
        claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
        for _ in range(8):
            await api.get(f"/api/v4/activities/{claim_id}")
    app.state.world.callbacks.post_due()

    assert [content["tracking_description"] for _, content in posts] == ["acknowledged", "paid"]


async def test_an_answer_given_later_is_posted_and_so_is_one_given_at_once(
    make_app: Callable[..., Starlette], sign_in: Any, check: dict[str, Any], clock: Any, posts: Posts
) -> None:
    app = make_app()
    async with sign_in(app) as api:
        await api.post("/api/v4/eligibility/", json=check | {"callback_url": HERE, "async": True})
        await api.post("/api/v4/eligibility/", json=check | {"callback_url": HERE})
        app.state.world.callbacks.post_due()
        assert len(posts) == 1
        clock.now += 3
        app.state.world.callbacks.post_due()

    assert [content["result"]["valid_request"] for _, content in posts] == [True, True]


async def test_refused_and_canceled_work_is_not_posted(
    make_app: Callable[..., Starlette], sign_in: Any, claim: dict[str, Any], clock: Any, posts: Posts
) -> None:
    app = make_app()
    async with sign_in(app) as api:
        claim_id = (await api.post("/api/v4/claims/", json=claim | {"callback_url": HERE})).json()["data"]["id"]
        await api.put(f"/api/v4/activities/{claim_id}", json={"transition": "cancel"})
        claim["claim"]["total_charge_amount"] = "much"
        await api.post("/api/v4/claims/", json=claim | {"callback_url": HERE})
    clock.now += 1000

    assert (app.state.world.callbacks.post_due(), posts) == (0, [])


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://app.example.com/x", True),
        ("http://localhost:9/x", True),
        ("http://127.0.0.1:9/x", True),
        ("http://[::1]:9/x", True),
        ("http://app.example.com/x", False),
        ("http://10.0.0.1/x", False),
        ("ftp://app.example.com/x", False),
        ("https:///x", False),
        ("https://[x", False),
    ],
)
async def test_only_https_or_this_machine_is_called_back(
    api: httpx.AsyncClient, check: dict[str, Any], url: str, allowed: bool
) -> None:
    response = await api.post("/api/v4/eligibility/", json=check | {"callback_url": url})

    assert response.status_code == (200 if allowed else 422)
    if not allowed:
        assert list(response.json()["data"]["errors"]["validation"]) == ["callback_url"]


async def test_a_failed_callback_is_told_in_the_activity_and_logged_without_what_it_held(
    clock: Any, sign_in: Any, check: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_url: str, _content: bytes) -> None:
        raise CallbackError("answered with status 503")

    app = create_app(Settings(), clock=clock, post=refuse)
    check["member"]["first_name"] = "canary"
    async with sign_in(app) as api:
        answer = await api.post("/api/v4/eligibility/", json=check | {"callback_url": f"{HERE}/canary"})
        activity_id = answer.json()["meta"]["activity_id"]
        app.state.world.callbacks.post_due()
        seen = (await api.get(f"/api/v4/activities/{activity_id}")).json()["data"]

    assert seen["callback_error"] == f"{HERE}/canary: answered with status 503"
    assert activity_id in caplog.text
    assert "canary" not in caplog.text


def test_what_waits_survives_a_restart(
    make_app: Callable[..., Starlette], sign_in: Any, claim: dict[str, Any], clock: Any, posts: Posts, tmp_path: Any
) -> None:
    db = str(tmp_path / "sandbox.db")

    async def send() -> None:
        async with sign_in(make_app(db=db)) as api:
            await api.post("/api/v4/claims/", json=claim | {"callback_url": HERE})

    asyncio.run(send())
    clock.now += 420

    assert make_app(db=db).state.world.callbacks.post_due() == 1
    assert make_app(db=db).state.world.callbacks.post_due() == 0


def test_a_receiver_gets_the_activity_over_http(
    receiver: tuple[str, list[dict[str, Any]]], check: dict[str, Any]
) -> None:
    address, got = receiver
    with Sandbox(advance="at once") as sandbox, httpx.Client(base_url=sandbox.url) as client:
        login = (sandbox.client_id, sandbox.client_secret)
        token = client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=login).json()
        client.headers["authorization"] = f"Bearer {token['access_token']}"
        answer = client.post("/api/v4/eligibility/", json=check | {"async": True, "callback_url": f"{address}/done"})
        for _ in range(100):
            if got:
                break
            client.get("/healthz")

    assert [content["id"] for content in got] == [answer.json()["data"]["id"]]


@pytest.mark.parametrize(("path", "status"), [("/gone", 410), ("/away", 302)])
def test_a_receiver_that_refuses_or_redirects_did_not_take_it(
    receiver: tuple[str, list[dict[str, Any]]], path: str, status: int
) -> None:
    address, got = receiver
    with pytest.raises(CallbackError, match=str(status)):
        post_by_http(f"{address}{path}", b"{}")

    assert got == [{}]
