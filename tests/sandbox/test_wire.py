"""Content types, redirects, faults, warnings: what goes over the wire around an answer."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox import Settings
from pokitdok_sandbox.contract import load_contract
from pokitdok_sandbox.faults import NAMES
from pokitdok_sandbox.wire import Wire

if TYPE_CHECKING:
    import httpx

ACTIVITIES = "/api/v4/activities/"
CHECK = "/api/v4/eligibility/"


async def test_json_after_authentication_calls_itself_html(api: httpx.AsyncClient) -> None:
    response = await api.get(ACTIVITIES)

    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["mimetype"] == "application/json"
    assert response.headers["charset"] == "utf-8"
    assert response.headers["x-sandbox-evidence"] == "recorded"
    assert response.json()["meta"].keys() == {
        "activity_id",
        "application_mode",
        "processing_time",
        "rate_limit_amount",
        "rate_limit_cap",
        "rate_limit_reset",
        "result_count",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_missing_final_slash_is_redirected_before_the_token_is_looked_at(
    bare: httpx.AsyncClient, method: str
) -> None:
    response = await bare.request(method, "/api/v4/activities?limit=3&q=a%20b", headers={"host": "elsewhere.test:81"})

    assert response.status_code == 301
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["location"] == "http://elsewhere.test:81/api/v4/activities/?limit=3&q=a%20b"


def test_a_redirect_page_holds_no_markup_of_the_caller() -> None:
    body = bytes(Wire(modern=False).moved('http://sandbox.test/?q="><b>').body)

    assert b"<b>" not in body
    assert b'"&gt;' not in body


async def test_a_wrong_method_answers_405_in_html_with_allow(bare: httpx.AsyncClient) -> None:
    response = await bare.delete(ACTIVITIES)

    assert response.status_code == 405
    assert response.headers["content-type"] == "text/html"
    assert response.headers["allow"] == "HEAD, OPTIONS, GET"
    assert (await bare.get("/oauth2/token")).headers["allow"] == "OPTIONS, POST"


async def test_head_and_options_answer_as_allow_says(api: httpx.AsyncClient) -> None:
    head = await api.head(f"{ACTIVITIES}5317f51527a27620f2ec7533")
    assert (head.status_code, head.content) == (200, b"")

    options = await api.options(f"{ACTIVITIES}5317f51527a27620f2ec7533")
    assert (options.status_code, options.headers["allow"]) == (200, "HEAD, OPTIONS, GET, PUT")


async def test_an_address_outside_the_contract_answers_404_in_html(api: httpx.AsyncClient) -> None:
    response = await api.get("/api/v4/nowhere/")

    assert (response.status_code, response.headers["content-type"]) == (404, "text/html")
    assert response.headers["x-sandbox-evidence"] == "inferred"


async def test_modern_answers_say_what_they_are(make_app: Any, sign_in: Any, open_client: Any) -> None:
    app = make_app(modern=True)
    async with sign_in(app) as api, open_client(app) as bare:
        answers = [
            await api.get(ACTIVITIES),
            await api.get("/api/v4/activities"),
            await api.delete(ACTIVITIES),
            await api.get("/api/v4/nowhere/"),
            await bare.get(ACTIVITIES),
        ]

    assert [answer.status_code for answer in answers] == [200, 301, 405, 404, 401]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert all(answer.json() for answer in answers)
    assert "mimetype" not in answers[0].headers
    assert answers[4].headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("unauthorized", 401, {"message": "Unauthorized"}),
        ("payment_required", 402, {"message": "Payment Required"}),
        ("rate_limit", 403, {"message": "Forbidden (Rate Limited)"}),
    ],
)
async def test_a_bare_fault_replaces_the_call(
    api: httpx.AsyncClient, check: dict[str, Any], fault: str, status: int, body: dict[str, str]
) -> None:
    response = await api.post(CHECK, json=check, headers={"x-sandbox-fault": fault})

    assert (response.status_code, response.json()) == (status, body)
    assert response.headers["content-type"] == "application/json"
    assert [entry["name"] for entry in (await api.get(ACTIVITIES)).json()["data"]] == ["claims", "activities"]
    assert (await api.get("/_sandbox/state")).json()["faults"] == {fault: 1}


async def test_server_faults_come_enveloped_or_as_html(api: httpx.AsyncClient) -> None:
    enveloped = await api.get(ACTIVITIES, headers={"x-sandbox-fault": "server_error"})
    assert (enveloped.status_code, list(enveloped.json()["data"]["errors"])) == (500, ["general"])

    page = await api.get(ACTIVITIES, headers={"x-sandbox-fault": "html_500"})
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html")
    assert page.text.startswith("<!DOCTYPE HTML")


async def test_a_truncated_answer_has_been_carried_out(api: httpx.AsyncClient, claim: dict[str, Any]) -> None:
    response = await api.post("/api/v4/claims/", json=claim, headers={"x-sandbox-fault": "truncated_json"})

    assert response.status_code == 200
    assert int(response.headers["content-length"]) == len(response.content)
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert [entry["name"] for entry in (await api.get(ACTIVITIES)).json()["data"]].count("claims") == 2


async def test_an_unknown_fault_is_refused_with_the_known_ones(api: httpx.AsyncClient) -> None:
    response = await api.get(ACTIVITIES, headers={"x-sandbox-fault": "canary"})

    assert response.status_code == 400
    assert all(name in response.json()["message"] for name in NAMES)
    assert "canary" not in response.text


async def test_faults_reach_the_token_endpoint_too(bare: httpx.AsyncClient) -> None:
    response = await bare.post("/oauth2/token", headers={"x-sandbox-fault": "html_500"})

    assert response.status_code == 500
    assert (await bare.get("/_sandbox/state")).json()["token_requests"] == 1


async def test_undocumented_fields_and_codes_are_answered_and_warned_of(
    api: httpx.AsyncClient, check: dict[str, Any]
) -> None:
    check["member"]["shoe_size"] = "canary"
    check["service_types"] = ["health_benefit_plan_coverage", "canary"]
    response = await api.post(f"{CHECK}?page=canary", json=check | {"naïve\r\nx": 1})

    assert response.status_code == 200
    assert response.headers["x-sandbox-warning"] == (
        "undocumented query parameter ?page; undocumented /member/shoe_size; "
        "undocumented /service_types/1; undocumented /na%C3%AFve%0D%0Ax"
    )
    assert (await api.get("/_sandbox/state")).json()["warnings"] == 4


async def test_many_warnings_are_cut_short(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    response = await api.post(CHECK, json=check | {f"x{n}": n for n in range(500)})

    assert response.headers["x-sandbox-warning"].endswith("undocumented /x19; and 480 more")


async def test_strict_refuses_what_is_not_documented(make_app: Any, sign_in: Any, check: dict[str, Any]) -> None:
    async with sign_in(make_app(strict=True)) as api:
        response = await api.post(CHECK, json=check | {"shoe_size": "canary"})
        query = await api.get(f"{ACTIVITIES}?page=2")
        clean = await api.post(CHECK, json=check)

    assert (response.status_code, query.status_code, clean.status_code) == (422, 422, 200)
    assert list(response.json()["data"]["errors"]["validation"]) == ["/shoe_size"]
    assert list(query.json()["data"]["errors"]["validation"]) == ["page"]
    assert "canary" not in response.text


async def test_state_counts_requests_by_operation_and_reset_starts_over(
    api: httpx.AsyncClient, check: dict[str, Any]
) -> None:
    await api.post(CHECK, json=check)
    await api.post(CHECK, json=check)
    await api.get(ACTIVITIES)
    state = (await api.get("/_sandbox/state")).json()
    served = state.pop("rules") + state.pop("examples")
    assert sorted(served) == sorted(operation.id for operation in load_contract().operations)
    assert state == {
        "token_requests": 1,
        "tokens_issued": {"client_credentials": 1},
        "tokens_refused": {},
        "requests": {"create_token": 1, "check_eligibility": 2, "list_activities": 1},
        "executed": {"create_token": 1, "check_eligibility": 2, "list_activities": 1},
        "rate_limited": 0,
        "warnings": 0,
        "faults": {},
        "credits_billed": 2,
    }

    assert (await api.post("/_sandbox/reset")).json()["requests"] == {}
    assert (await api.get(ACTIVITIES)).status_code == 401


async def test_the_rate_is_counted_per_minute_of_the_clock(api: httpx.AsyncClient, clock: Any) -> None:
    first = (await api.get(ACTIVITIES)).json()["meta"]
    second = (await api.get(ACTIVITIES)).json()["meta"]
    clock.now = first["rate_limit_reset"]
    later = (await api.get(ACTIVITIES)).json()["meta"]

    assert [meta["rate_limit_amount"] for meta in (first, second, later)] == [1, 2, 1]
    assert later["rate_limit_reset"] == first["rate_limit_reset"] + 60


async def test_nothing_a_person_sent_is_logged(
    api: httpx.AsyncClient, check: dict[str, Any], claim: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="pokitdok_sandbox")
    for body in (check, {**check, "member": "Perdita"}, {**check, "provider": {"npi": "Perdita"}}):
        await api.post(CHECK, json=body)
    await api.post("/api/v4/claims/", json=claim | {"subscriber": {"last_name": 5}})

    assert "Perdita" not in caplog.text
    assert "Moss" not in caplog.text


def test_settings_never_show_the_secret() -> None:
    assert "canary" not in repr(Settings(client_secret="canary"))


@pytest.mark.parametrize(
    ("choices", "word"),
    [
        ({"speed": 0}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"client_id": "a:b"}, "colon"),
        ({"client_secret": ""}, "secret"),
    ],
)
def test_a_choice_that_makes_no_sense_is_named(choices: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Settings(**choices)
