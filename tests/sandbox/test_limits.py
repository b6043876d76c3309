"""Applications beside each other, their mode, credits and rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox import Application, Settings

if TYPE_CHECKING:
    import httpx

ACTIVITIES = "/api/v4/activities/"
CHECK = "/api/v4/eligibility/"
POOR = Application("poor", "secret", mode="production", credits=1)


async def token_of(client: httpx.AsyncClient, application: Application) -> dict[str, str]:
    response = await client.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(application.client_id, application.client_secret),
    )
    return {"authorization": f"Bearer {response.json()['access_token']}"}


async def test_each_application_has_its_own_secret(make_app: Any, open_client: Any) -> None:
    one, other = Application("one", "1"), Application("other", "2")
    async with open_client(make_app(applications=(one, other))) as client:
        statuses = [
            (await client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=login)).status_code
            for login in (("one", "1"), ("other", "2"), ("one", "2"), ("other", "1"))
        ]
        state = (await client.get("/_sandbox/state")).json()

    assert statuses == [200, 200, 400, 400]
    assert (state["tokens_issued"], state["tokens_refused"]) == ({"client_credentials": 2}, {"invalid_client": 2})


async def test_an_application_gets_no_scope_beyond_its_own(make_app: Any, open_client: Any) -> None:
    limited = Application("limited", "secret", scopes=frozenset({"user_schedule"}))
    async with open_client(make_app(applications=(limited,))) as client:
        answers = [
            await client.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials", "scope": scope},
                auth=(limited.client_id, limited.client_secret),
            )
            for scope in ("user_schedule", "user_schedule business_schedule")
        ]

    assert answers[0].json()["scope"] == "user_schedule"
    assert (answers[1].status_code, answers[1].json()) == (400, {"error": "invalid_scope"})


async def test_a_token_lives_as_long_as_chosen(make_app: Any, sign_in: Any, clock: Any) -> None:
    async with sign_in(make_app(token_life=5)) as api:
        clock.now += 4.5
        assert (await api.get(ACTIVITIES)).status_code == 200
        clock.now += 0.5
        assert (await api.get(ACTIVITIES)).status_code == 401


async def test_production_without_credits_is_refused_before_anything_happens(
    make_app: Any, open_client: Any, check: dict[str, Any]
) -> None:
    async with open_client(make_app(applications=(POOR,))) as client:
        poor, rich = await token_of(client, POOR), await token_of(client, Settings().registered[0])
        answers = [await client.post(CHECK, json=check, headers=poor) for _ in range(3)]
        unbilled = await client.get(ACTIVITIES, headers=poor)
        other = await client.post(CHECK, json=check, headers=rich)
        state = (await client.get("/_sandbox/state")).json()

    assert [answer.status_code for answer in answers] == [200, 402, 402]
    assert answers[0].json()["meta"]["application_mode"] == "production"
    assert answers[0].json()["meta"]["credits_remaining"] == 0
    assert answers[1].json() == {"message": "Payment Required"}
    assert answers[1].headers["content-type"] == "application/json"
    assert unbilled.status_code == 200
    assert other.json()["meta"] | {"application_mode": "test", "credits_remaining": 9999} == other.json()["meta"]
    assert state["executed"]["check_eligibility"] == 2
    assert state["requests"]["check_eligibility"] == 4


async def test_test_mode_may_owe_credits_as_recorded(make_app: Any, sign_in: Any, check: dict[str, Any]) -> None:
    async with sign_in(make_app(credits=1)) as api:
        left = [(await api.post(CHECK, json=check)).json()["meta"]["credits_remaining"] for _ in range(3)]

    assert left == [0, -1, -2]


async def test_above_the_rate_limit_a_call_is_refused_until_the_next_minute(
    make_app: Any, sign_in: Any, clock: Any, check: dict[str, Any]
) -> None:
    async with sign_in(make_app(rate_limit=2)) as api:
        answers = [await api.post(CHECK, json=check) for _ in range(4)]
        meta = answers[1].json()["meta"]
        clock.now = meta["rate_limit_reset"]
        later = await api.post(CHECK, json=check)
        state = (await api.get("/_sandbox/state")).json()

    assert [answer.status_code for answer in answers] == [200, 200, 403, 403]
    assert answers[2].json() == {"message": "Forbidden (Rate Limited)"}
    assert (meta["rate_limit_amount"], meta["rate_limit_cap"]) == (2, 2)
    assert later.json()["meta"]["rate_limit_amount"] == 1
    assert (state["rate_limited"], state["executed"]["check_eligibility"]) == (2, 3)


async def test_the_rate_is_counted_by_application(make_app: Any, open_client: Any) -> None:
    async with open_client(make_app(rate_limit=1, applications=(POOR,))) as client:
        headers = [await token_of(client, application) for application in (POOR, Settings().registered[0])]
        statuses = [(await client.get(ACTIVITIES, headers=each)).status_code for each in [*headers, *headers]]

    assert statuses == [200, 200, 403, 403]


@pytest.mark.parametrize(
    ("choices", "word"),
    [
        ({"token_life": 0}, "token life"),
        ({"rate_limit": 0}, "rate limit"),
        ({"consent": "perhaps"}, "consent"),
        ({"application_mode": "live"}, "mode"),
        ({"redirect_uris": ("/relative",)}, "redirect URI"),
        ({"redirect_uris": ("https://a.example/#b",)}, "redirect URI"),
        ({"applications": (Application("a", "b"), Application("a", "c"))}, "same client id"),
    ],
)
def test_a_choice_that_makes_no_sense_is_named(choices: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Settings(**choices)


def test_an_application_never_shows_its_secret_and_has_a_known_mode() -> None:
    assert "canary" not in repr(Settings(applications=(Application("a", "canary"),)))
    mode: Any = "live"
    with pytest.raises(ValueError, match="mode"):
        Application("a", "b", mode=mode)
