"""Faults: for one request by header, for all by switch, before and after the call is carried out."""

from __future__ import annotations

import json
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pokitdok_sandbox import Sandbox, Settings, create_app
from pokitdok_sandbox.faults import AFTERWARDS, INSTEAD, NAMES, SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIVITIES = "/api/v4/activities/"
CLAIMS = "/api/v4/claims/"
GRANT = {
    "grant_type": "client_credentials",
    "client_id": Settings().client_id,
    "client_secret": Settings().client_secret,
}

LOST: dict[str, type[httpx.TransportError]] = {
    "reset_before": httpx.ReadError,
    "reset_after": httpx.ReadError,
    "timeout_before": httpx.ReadTimeout,
    "timeout_after": httpx.ReadTimeout,
    "truncated_body": httpx.RemoteProtocolError,
}
"""Faults after which a client has no answer, and what httpx says then."""


async def state(api: httpx.AsyncClient) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.get("/_sandbox/state")).json()
    return answer


async def switch(api: httpx.AsyncClient, **order: Any) -> None:
    response = await api.post("/_sandbox/faults", json=order)
    assert response.status_code == 201, response.text


# ---------------------------------------------------------------- lost answers


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def secure() -> Iterator[Sandbox]:
    with Sandbox(tls=True) as running:
        yield running


def executed(sandbox: Sandbox) -> int:
    count: int = sandbox.state()["executed"].get("submit_claim", 0)
    return count


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("fault", LOST)
def test_on_a_socket_an_answer_is_lost_and_only_after_faults_carry_the_call_out(
    request: pytest.FixtureRequest, claim: dict[str, Any], fault: str, scheme: str
) -> None:
    sandbox: Sandbox = request.getfixturevalue("sandbox" if scheme == "http" else "secure")
    before = executed(sandbox)
    asked = sandbox.state()["requests"].get("submit_claim", 0)
    context = ssl.create_default_context(cafile=sandbox.ca_file if scheme == "https" else None)
    expected = {LOST[fault]}
    patience = 0.5 if fault.startswith("timeout") else 30  # short where silence is what is waited for
    if scheme == "https" and fault.startswith("reset"):
        expected.add(httpx.RemoteProtocolError)  # as which Python's ssl reads a reset, at least since OpenSSL 3
    with httpx.Client(base_url=sandbox.url, verify=context, timeout=30) as client:
        token = client.post("/oauth2/token", data=GRANT).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        with pytest.raises(tuple(expected)):
            client.post(CLAIMS, json=claim, headers={"x-sandbox-fault": fault}, timeout=patience)
        assert client.get(ACTIVITIES).status_code == 200, "the next request is served"

    assert executed(sandbox) - before == (1 if fault in AFTERWARDS else 0)
    assert sandbox.state()["requests"]["submit_claim"] == asked + 1


def test_a_reset_is_a_reset_and_no_end_of_the_stream(sandbox: Sandbox) -> None:
    with httpx.Client(base_url=sandbox.url) as client, pytest.raises(httpx.ReadError) as caught:
        client.get(ACTIVITIES, headers={"x-sandbox-fault": "reset_before"})

    chain, error = [], caught.value.__cause__ or caught.value.__context__
    while error is not None:
        chain.append(type(error))
        error = error.__cause__ or error.__context__
    assert ConnectionResetError in chain


def test_a_silence_ends_with_a_reset_when_its_seconds_are_over(sandbox: Sandbox) -> None:
    with httpx.Client(base_url=sandbox.url, timeout=5) as client, pytest.raises(httpx.ReadError):
        client.get(ACTIVITIES, headers={"x-sandbox-fault": "timeout_before=0.05"})


@pytest.mark.parametrize("fault", LOST)
async def test_in_process_the_caller_sees_the_same_exception(
    api: httpx.AsyncClient, claim: dict[str, Any], fault: str
) -> None:
    with pytest.raises(LOST[fault]):
        await api.post(CLAIMS, json=claim, headers={"x-sandbox-fault": fault})

    counted = await state(api)
    assert counted["requests"]["submit_claim"] == 1
    assert counted["executed"].get("submit_claim", 0) == (1 if fault in AFTERWARDS else 0)
    assert counted["faults"] == {fault: 1}


async def test_an_answer_without_a_body_has_no_middle_and_is_reset(bare: httpx.AsyncClient) -> None:
    token = (await bare.post("/oauth2/token", data=GRANT)).json()["access_token"]
    headers = {"authorization": f"Bearer {token}", "x-sandbox-fault": "truncated_body"}
    with pytest.raises(httpx.ReadError):
        await bare.post("/oauth2/revoke", json={"token": token}, headers=headers)


# ---------------------------------------------------------------- latency, clock, tokens


async def test_latency_carries_the_call_out_at_once_and_answers_later(clock: Any, claim: dict[str, Any]) -> None:
    waited: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        waited.append((seconds, app.state.world.counters.executed["submit_claim"]))

    app = create_app(clock=clock, sleep=sleep)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test") as api:
        token = (await api.post("/oauth2/token", data=GRANT)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}", "x-sandbox-fault": "latency=2.5"}
        assert (await api.post(CLAIMS, json=claim, headers=headers)).status_code == 200
        await api.get(ACTIVITIES, headers=headers | {"x-sandbox-fault": "latency"})

    assert waited == [(2.5, 1), (SECONDS["latency"], 1)]


async def test_a_wrong_clock_shows_in_date_and_expires_alone(bare: httpx.AsyncClient, clock: Any) -> None:
    right = await bare.post("/oauth2/token", data=GRANT)
    wrong = await bare.post("/oauth2/token", data=GRANT, headers={"x-sandbox-fault": "clock_skew=-7200"})
    dates = [parsedate_to_datetime(answer.headers["date"]).timestamp() for answer in (right, wrong)]

    assert dates == [int(clock.now), int(clock.now) - 7200]
    assert wrong.json()["expires"] == right.json()["expires"] - 7200
    assert wrong.json()["expires_in"] == right.json()["expires_in"]
    headers = {"authorization": f"Bearer {wrong.json()['access_token']}"}
    assert (await bare.get(ACTIVITIES, headers=headers)).status_code == 200


async def test_every_answer_has_one_date(api: httpx.AsyncClient) -> None:
    for path in (ACTIVITIES, "/healthz", "/nowhere", ACTIVITIES[:-1]):
        assert len((await api.get(path)).headers.get_list("date")) == 1


def test_on_a_socket_too_every_answer_has_one_date(sandbox: Sandbox) -> None:
    for path in ("/healthz", ACTIVITIES):
        assert len(httpx.get(sandbox.url + path).headers.get_list("date")) == 1


async def test_a_revoked_token_stays_revoked_and_another_one_works(api: httpx.AsyncClient) -> None:
    refused = await api.get(ACTIVITIES, headers={"x-sandbox-fault": "token_revoked"})
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
    assert (await api.get(ACTIVITIES)).status_code == 401

    fresh = (await api.post("/oauth2/token", data=GRANT)).json()["access_token"]
    assert (await api.get(ACTIVITIES, headers={"authorization": f"Bearer {fresh}"})).status_code == 200


async def test_all_tokens_are_withdrawn_at_once(api: httpx.AsyncClient) -> None:
    await api.post("/oauth2/token", data=GRANT)

    assert (await api.post("/_sandbox/revoke-tokens")).json() == {"revoked": 2}
    assert (await api.get(ACTIVITIES)).status_code == 401


# ---------------------------------------------------------------- switches


async def test_the_token_endpoint_goes_down_and_comes_back(api: httpx.AsyncClient) -> None:
    await switch(api, name="unavailable", operations=["create_token"])
    down = await api.post("/oauth2/token", data=GRANT)
    meanwhile = await api.get(ACTIVITIES)
    await api.delete("/_sandbox/faults")
    back = await api.post("/oauth2/token", data=GRANT)

    assert [answer.status_code for answer in (down, meanwhile, back)] == [503, 200, 200]
    counted = await state(api)
    assert counted["faults"] == {"unavailable": 1}
    assert counted["executed"]["create_token"] == 2
    assert counted["requests"]["create_token"] == 3


async def test_a_switch_counts_down_and_is_gone(api: httpx.AsyncClient) -> None:
    await switch(api, name="html_500", count=2)
    listed = (await api.get("/_sandbox/faults")).json()["faults"]
    assert listed == [{"name": "html_500", "seconds": 0.0, "share": 1.0, "operations": [], "count": 2, "fired": 0}]

    assert [(await api.get(ACTIVITIES)).status_code for _ in range(3)] == [500, 500, 200]
    assert (await api.get("/_sandbox/faults")).json() == {"faults": []}


async def test_a_share_of_requests_is_drawn_with_the_sandboxs_own_chance(make_app: Any, sign_in: Any) -> None:
    async def run() -> list[int]:
        async with sign_in(make_app()) as api:
            await switch(api, name="server_error", share=0.3)
            return [(await api.get(ACTIVITIES)).status_code for _ in range(100)]

    first, second = await run(), await run()
    assert first == second, "the same seed draws the same requests"
    assert 15 <= first.count(500) <= 45
    assert first.count(500) + first.count(200) == 100


async def test_a_share_of_nothing_never_fires(api: httpx.AsyncClient) -> None:
    await switch(api, name="reset_before", share=0)

    assert [(await api.get(ACTIVITIES)).status_code for _ in range(20)] == [200] * 20


async def test_one_fault_ends_a_call_and_latency_and_clock_come_on_top(clock: Any) -> None:
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    app = create_app(clock=clock, sleep=sleep)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test") as api:
        for order in (
            {"name": "latency", "seconds": 1},
            {"name": "server_error", "count": 1},
            {"name": "html_500", "count": 1},
            {"name": "latency", "seconds": 2},
            {"name": "clock_skew", "seconds": 60},
        ):
            await switch(api, **order)
        first = await api.get(ACTIVITIES)
        second = await api.get(ACTIVITIES)
        counted = await state(api)

    assert [answer.headers["content-type"] for answer in (first, second)] == ["text/html; charset=utf-8", "text/html"]
    assert "data" in first.json()
    assert waited == [3, 3]
    assert parsedate_to_datetime(first.headers["date"]).timestamp() == int(clock.now) + 60
    assert counted["faults"] == {"latency": 4, "server_error": 1, "html_500": 1, "clock_skew": 2}


async def test_a_header_comes_before_the_switches(api: httpx.AsyncClient) -> None:
    await switch(api, name="html_500", count=1)

    assert (await api.get(ACTIVITIES, headers={"x-sandbox-fault": "unauthorized"})).status_code == 401
    assert (await api.get(ACTIVITIES)).status_code == 500


async def test_faults_leave_the_sandboxs_own_addresses_alone(api: httpx.AsyncClient) -> None:
    await switch(api, name="reset_before")

    assert (await api.get("/healthz")).status_code == 200
    assert (await api.post("/_sandbox/reset")).json()["faults"] == {}
    assert (await api.get("/_sandbox/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({"name": "canary"}, "reset_before"),
        ({}, "no fault"),
        ({"name": "latency", "share": 2}, "share"),
        ({"name": "latency", "share": "canary"}, "share"),
        ({"name": "latency", "share": True}, "share"),
        ({"name": "latency", "count": 0}, "count"),
        ({"name": "latency", "count": 1.5}, "count"),
        ({"name": "latency", "operations": ["canary"]}, "operationIds"),
        ({"name": "latency", "operations": [{}]}, "operations"),
        ({"name": "latency", "seconds": -1}, "seconds"),
        ({"name": "html_500", "seconds": 1}, "latency"),
        ({"name": "latency", "canary": 1}, "operations"),
        (["canary"], "JSON object"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_and_told_what_would(
    bare: httpx.AsyncClient, order: Any, word: str
) -> None:
    response = await bare.post("/_sandbox/faults", content=json.dumps(order))

    assert response.status_code == 400
    assert word in response.json()["message"]
    assert "canary" not in response.text
    assert (await bare.get("/_sandbox/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    "header", ["latency=canary", "latency=-1", "latency=inf", "html_500=1", "", "=", "latency=nan"]
)
async def test_a_header_that_makes_no_sense_is_refused_and_nothing_is_carried_out(
    api: httpx.AsyncClient, header: str
) -> None:
    response = await api.get(ACTIVITIES, headers={"x-sandbox-fault": header})

    assert response.status_code == 400
    assert "canary" not in response.text
    assert "list_activities" not in (await state(api))["executed"]


def test_every_fault_has_a_place() -> None:
    assert {*NAMES} == INSTEAD.keys() | AFTERWARDS.keys() | {"latency", "clock_skew"}
    assert SECONDS.keys() < {*NAMES}


# ---------------------------------------------------------------- settings at run time


async def test_settings_change_while_it_runs_and_a_reset_restores_them(api: httpx.AsyncClient, clock: Any) -> None:
    started = (await api.get("/_sandbox/settings")).json()
    assert started["token_life"] == 3600

    changed = await api.patch("/_sandbox/settings", json={"token_life": 5, "rate_limit": 1})
    assert changed.json() == started | {"token_life": 5, "rate_limit": 1}
    assert (await api.post("/oauth2/token", data=GRANT)).json()["expires_in"] == 5
    assert [(await api.get(ACTIVITIES)).status_code for _ in range(2)] == [200, 403]

    await api.post("/_sandbox/reset")
    assert (await api.get("/_sandbox/settings")).json() == started


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"token_life": "5"}, "token_life"),
        ({"token_life": 0}, "token life"),
        ({"strict": 1}, "strict"),
        ({"credits": True}, "credits"),
        ({"client_secret": "canary"}, "token_life"),
        ([], "JSON object"),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(bare: httpx.AsyncClient, change: Any, word: str) -> None:
    before = (await bare.get("/_sandbox/settings")).json()
    response = await bare.patch("/_sandbox/settings", content=json.dumps(change))

    assert response.status_code == 400
    assert word in response.json()["message"]
    assert "canary" not in response.text
    assert (await bare.get("/_sandbox/settings")).json() == before
