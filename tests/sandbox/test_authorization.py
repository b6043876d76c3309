"""Codes, refresh tokens and withdrawal: a user's way to a token, from the consent page on."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pokitdok_sandbox import Application, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

HOME = "http://127.0.0.1:9/home?tab=1"
OTHER = Application("other", "other-secret", name='Harbor <b>"Kiosk"</b>', scopes=frozenset({"user_schedule"}))
ASK = {
    "response_type": "code",
    "client_id": "me",
    "redirect_uri": HOME,
    "scope": "user_schedule business_schedule",
    "state": "s t&1",
}
ME = ("me", "mine")
ACTIVITIES = "/api/v4/activities/"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"client_id": ME[0], "client_secret": ME[1], "applications": (OTHER,)}


@pytest.fixture
async def door(make_app: Any, open_client: Any, settings: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(make_app(**settings)) as client:
        yield client


async def decide(door: httpx.AsyncClient, decision: str = "allow", **changes: str) -> dict[str, str]:
    """Post the form of the page and return what the redirect carries."""
    response = await door.post("/oauth2/authorize", data={**ASK, **changes, "decision": decision})
    assert response.status_code == 302, response.text
    return answered(response)


def answered(response: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


async def trade(
    door: httpx.AsyncClient, auth: tuple[str, str] = ME, redirect_uri: str | None = HOME, **form: str
) -> httpx.Response:
    form = {"grant_type": "authorization_code", **form} | (
        {} if redirect_uri is None else {"redirect_uri": redirect_uri}
    )
    return await door.post("/oauth2/token", data=form, auth=auth)


async def refresh(door: httpx.AsyncClient, token: str, auth: tuple[str, str] = ME, **form: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token, **form}
    return await door.post("/oauth2/token", data=form, auth=auth)


async def status(door: httpx.AsyncClient, token: str) -> int:
    return (await door.get(ACTIVITIES, headers={"authorization": f"Bearer {token}"})).status_code


# ---------------------------------------------------------------- the page


async def test_the_page_names_application_scopes_and_destination_and_its_form_leads_to_a_code(
    door: httpx.AsyncClient,
) -> None:
    page = await door.get("/oauth2/authorize", params=ASK)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-sandbox-evidence"] == "inferred"
    text = unescape(page.text)
    assert "Sandbox application" in text
    assert HOME in text
    assert "Appointments of a user" in text, "the meaning of a scope, from the contract"
    assert "business_schedule" in text

    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', page.text))
    buttons = re.findall(r'<button name="decision" value="([a-z]+)">', page.text)
    assert buttons == ["allow", "deny"]
    form = {name: unescape(value) for name, value in hidden.items()} | {"decision": "allow"}
    response = await door.post(re.findall(r'action="([^"]+)"', page.text)[0], data=form)
    assert response.status_code == 302
    assert response.headers["location"].startswith(f"{HOME}&code=")
    assert answered(response)["state"] == ASK["state"]


async def test_what_the_request_says_is_shown_as_text(door: httpx.AsyncClient) -> None:
    ask = ASK | {"client_id": "other", "scope": "user_schedule", "state": '"><script>canary()</script>'}
    page = await door.get("/oauth2/authorize", params=ask)

    assert "<script" not in page.text
    assert "<b>" not in page.text
    assert OTHER.name in unescape(page.text)


async def test_deny_tells_the_application(door: httpx.AsyncClient) -> None:
    assert await decide(door, "deny") == {"tab": "1", "error": "access_denied", "state": ASK["state"]}


@pytest.mark.parametrize(("consent", "name"), [("allow", "code"), ("deny", "error")])
async def test_a_script_is_sent_on_without_a_person(
    make_app: Any, open_client: Any, settings: dict[str, Any], consent: str, name: str
) -> None:
    async with open_client(make_app(consent=consent, **settings)) as door:
        response = await door.get("/oauth2/authorize", params=ASK)

    assert response.status_code == 302
    assert name in answered(response)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": "nobody"}, "client_id"),
        ({"redirect_uri": ""}, "redirect_uri"),
        ({"redirect_uri": "https://app.example.org/home"}, "localhost"),
        ({"redirect_uri": "http://localhost.evil.example/"}, "localhost"),
        ({"redirect_uri": "http://127.0.0.1@evil.example/"}, "localhost"),
        ({"redirect_uri": "http://user@localhost/"}, "localhost"),
        ({"redirect_uri": "http://localhost/#part"}, "localhost"),
        ({"redirect_uri": "http://[broken/"}, "localhost"),
        ({"redirect_uri": "javascript:canary()"}, "localhost"),
    ],
)
async def test_nobody_is_sent_to_an_unknown_place(door: httpx.AsyncClient, changes: dict[str, str], word: str) -> None:
    for method, where in (("GET", "params"), ("POST", "data")):
        kept: dict[str, Any] = {where: ASK | changes | {"decision": "allow"}}
        response = await door.request(method, "/oauth2/authorize", **kept)
        assert response.status_code == 400
        assert "location" not in response.headers
        assert word in response.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"client_id": "other"}, "invalid_scope"),
    ],
)
async def test_other_mistakes_go_back_to_the_application(
    door: httpx.AsyncClient, changes: dict[str, str], error: str
) -> None:
    response = await door.get("/oauth2/authorize", params=ASK | changes)

    assert response.status_code == 302
    assert answered(response) == {"tab": "1", "error": error, "state": ASK["state"]}


async def test_a_registered_redirect_is_compared_character_by_character(make_app: Any, open_client: Any) -> None:
    registered = "https://app.example.org/home"
    async with open_client(make_app(redirect_uris=(registered,))) as door:
        ask = ASK | {"client_id": Settings().client_id}
        uris = (registered, f"{registered}/", registered.upper(), HOME)
        pages = [await door.get("/oauth2/authorize", params=ask | {"redirect_uri": uri}) for uri in uris]
        assert [page.status_code for page in pages] == [200, 400, 400, 400]

        del ask["redirect_uri"]
        only_one = await door.post("/oauth2/authorize", data=ask | {"decision": "allow"})
        assert only_one.headers["location"].startswith(registered)
        login = (Settings().client_id, Settings().client_secret)
        got = await trade(door, login, redirect_uri=None, code=answered(only_one)["code"])
        assert got.status_code == 200


# ---------------------------------------------------------------- the code


async def test_a_code_gives_a_token_with_its_scopes_and_a_refresh_token(door: httpx.AsyncClient) -> None:
    code = (await decide(door))["code"]
    response = await trade(door, code=code)

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"access_token", "token_type", "expires", "expires_in", "refresh_token", "scope"}
    assert body["scope"] == ASK["scope"]
    headers = {"authorization": f"Bearer {body['access_token']}"}
    assert (await door.get("/api/v4/schedule/appointments/", headers=headers)).status_code == 200
    assert (await door.get("/_sandbox/state")).json()["tokens_issued"] == {"authorization_code": 1}


async def test_a_code_is_good_once_and_a_second_use_ends_what_came_of_it(door: httpx.AsyncClient) -> None:
    code = (await decide(door))["code"]
    first = (await trade(door, code=code)).json()
    second = (await refresh(door, first["refresh_token"])).json()
    again = await trade(door, code=code)

    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert [await status(door, answer["access_token"]) for answer in (first, second)] == [401, 401]
    assert (await refresh(door, second["refresh_token"])).json() == {"error": "invalid_grant"}


async def test_a_code_ends_after_a_minute(door: httpx.AsyncClient, clock: Any) -> None:
    codes = [(await decide(door))["code"] for _ in range(2)]
    clock.now += 59
    assert (await trade(door, code=codes[0])).status_code == 200
    clock.now += 1
    assert (await trade(door, code=codes[1])).json() == {"error": "invalid_grant"}


async def test_a_code_belongs_to_its_application_and_redirect(door: httpx.AsyncClient) -> None:
    code = (await decide(door))["code"]
    refused = [
        await trade(door, (OTHER.client_id, OTHER.client_secret), code=code),
        await trade(door, code=code, redirect_uri="http://127.0.0.1:9/home"),
        await trade(door, code=code, redirect_uri=None),
        await trade(door, code="canary"),
    ]
    assert [answer.json() for answer in refused] == [{"error": "invalid_grant"}] * 4
    assert (await trade(door)).json() == {"error": "invalid_request"}
    assert (await trade(door, code=code)).status_code == 200, "a refusal does not use it up"


async def test_codes_refresh_tokens_and_access_tokens_are_not_taken_for_each_other(door: httpx.AsyncClient) -> None:
    code = (await decide(door))["code"]
    assert await status(door, code) == 401
    body = (await trade(door, code=code)).json()
    assert await status(door, body["refresh_token"]) == 401
    assert (await refresh(door, body["access_token"])).json() == {"error": "invalid_grant"}
    assert (await trade(door, code=body["refresh_token"])).json() == {"error": "invalid_grant"}


# ---------------------------------------------------------------- the refresh token


async def test_a_refresh_token_rotates_and_its_second_use_ends_the_family(door: httpx.AsyncClient) -> None:
    first = (await trade(door, code=(await decide(door))["code"])).json()
    second = (await refresh(door, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    assert [await status(door, answer["access_token"]) for answer in (first, second)] == [200, 200]

    assert (await refresh(door, first["refresh_token"])).json() == {"error": "invalid_grant"}
    assert (await refresh(door, second["refresh_token"])).json() == {"error": "invalid_grant"}
    assert [await status(door, answer["access_token"]) for answer in (first, second)] == [401, 401]


async def test_a_family_ends_alone(door: httpx.AsyncClient) -> None:
    one, other = [(await trade(door, code=(await decide(door))["code"])).json() for _ in range(2)]
    for _ in range(2):
        await refresh(door, one["refresh_token"])

    assert await status(door, one["access_token"]) == 401
    assert await status(door, other["access_token"]) == 200


async def test_a_refresh_may_narrow_scopes_for_once_and_never_widens_them(door: httpx.AsyncClient) -> None:
    first = (await trade(door, code=(await decide(door, scope="user_schedule x"))["code"])).json()
    wide = await refresh(door, first["refresh_token"], scope="user_schedule business_schedule")
    narrow = (await refresh(door, first["refresh_token"], scope="user_schedule")).json()
    whole = (await refresh(door, narrow["refresh_token"])).json()

    assert wide.json() == {"error": "invalid_scope"}
    assert (narrow["scope"], whole["scope"]) == ("user_schedule", "user_schedule x")


async def test_a_refresh_token_belongs_to_its_application(door: httpx.AsyncClient) -> None:
    token = (await trade(door, code=(await decide(door))["code"])).json()["refresh_token"]

    assert (await refresh(door, token, (OTHER.client_id, OTHER.client_secret))).json() == {"error": "invalid_grant"}
    assert (await refresh(door, "")).json() == {"error": "invalid_request"}
    assert (await refresh(door, token)).status_code == 200


async def test_families_outlive_a_restart(make_app: Any, open_client: Any, settings: Any, tmp_path: Any) -> None:
    file = str(tmp_path / "state.sqlite")
    async with open_client(make_app(db=file, **settings)) as door:
        first = (await trade(door, code=(await decide(door))["code"])).json()
        await refresh(door, first["refresh_token"])
    async with open_client(make_app(db=file, **settings)) as door:
        assert (await refresh(door, first["refresh_token"])).json() == {"error": "invalid_grant"}
        assert await status(door, first["access_token"]) == 401


# ---------------------------------------------------------------- withdrawal


async def bearer(door: httpx.AsyncClient, auth: tuple[str, str] = ME) -> str:
    token: str = (await door.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=auth)).json()[
        "access_token"
    ]
    return token


async def test_a_token_withdraws_itself_as_the_old_client_does(door: httpx.AsyncClient) -> None:
    token, kept = await bearer(door), await bearer(door)
    headers = {"authorization": f"Bearer {token}"}
    response = await door.post("/oauth2/revoke", json={"token": token}, headers=headers)

    assert (response.status_code, response.content) == (200, b"")
    assert [await status(door, token), await status(door, kept)] == [401, 200]
    assert (await door.post("/oauth2/revoke", json={"token": kept}, headers=headers)).status_code == 401


@pytest.mark.parametrize("style", ["basic", "body"])
async def test_client_credentials_withdraw_a_token_as_in_rfc_7009(door: httpx.AsyncClient, style: str) -> None:
    token = await bearer(door)
    form = {"token": token, "token_type_hint": "access_token"}
    if style == "basic":
        response = await door.post("/oauth2/revoke", data=form, auth=ME)
    else:
        response = await door.post("/oauth2/revoke", data=form | {"client_id": ME[0], "client_secret": ME[1]})

    assert response.status_code == 200
    assert await status(door, token) == 401


async def test_a_withdrawn_refresh_token_ends_its_family(door: httpx.AsyncClient) -> None:
    body = (await trade(door, code=(await decide(door))["code"])).json()
    await door.post("/oauth2/revoke", data={"token": body["refresh_token"]}, auth=ME)

    assert await status(door, body["access_token"]) == 401
    assert (await refresh(door, body["refresh_token"])).json() == {"error": "invalid_grant"}


async def test_an_unknown_token_is_withdrawn_and_that_of_another_application_stays(door: httpx.AsyncClient) -> None:
    theirs = await bearer(door, (OTHER.client_id, OTHER.client_secret))
    answers = [await door.post("/oauth2/revoke", data={"token": token}, auth=ME) for token in ("canary", theirs)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert await status(door, theirs) == 200


@pytest.mark.parametrize(
    "sent", [{"json": {}}, {"json": ["a"]}, {"content": b"{", "headers": {}}, {"data": {"x": "y"}}]
)
async def test_without_a_token_the_answer_is_406(door: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    response = await door.post("/oauth2/revoke", auth=ME, **sent)

    assert (response.status_code, response.json()) == (406, {"message": "Not Acceptable"})


@pytest.mark.parametrize("sent", [{}, {"auth": ("me", "wrong")}, {"headers": {"authorization": "Bearer canary"}}])
async def test_nobody_withdraws_without_proof(door: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    token = await bearer(door)
    for body in ({"json": {"token": token}}, {"data": {"token": token}}):
        response = await door.post("/oauth2/revoke", **body, **sent)
        assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})
    assert await status(door, token) == 200


async def test_half_a_character_is_no_secret(door: httpx.AsyncClient) -> None:
    body = b'{"token": "\\ud800", "client_id": "me", "client_secret": "\\ud800"}'
    response = await door.post("/oauth2/revoke", content=body, headers={"content-type": "application/json"})

    assert response.status_code == 401
