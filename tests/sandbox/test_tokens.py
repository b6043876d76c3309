"""The token endpoint, and what becomes of a token."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from pokitdok_sandbox.applications import basic_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.applications import Starlette

ID = "an-id+with~signs?"
SECRET = "canary/secret:with+more~?>"
GRANT = {"grant_type": "client_credentials"}
ACTIVITY = "/api/v4/activities/5317f51527a27620f2ec7533"


def basic(text: str, encode: Callable[[bytes], bytes] = base64.b64encode) -> dict[str, str]:
    return {"authorization": f"Basic {encode(text.encode()).decode()}"}


@pytest.fixture
async def door(make_app: Callable[..., Starlette], open_client: Callable[..., Any]) -> Any:
    async with open_client(make_app(client_id=ID, client_secret=SECRET)) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        pytest.param({}, GRANT | {"client_id": ID, "client_secret": SECRET}, id="in the body"),
        pytest.param(basic(f"{ID}:{SECRET}"), GRANT, id="standard alphabet"),
        pytest.param(basic(f"{ID}:{SECRET}", base64.urlsafe_b64encode), GRANT, id="urlsafe alphabet"),
        pytest.param(basic(f"{ID}:{SECRET}", lambda raw: base64.b64encode(raw).rstrip(b"=")), GRANT, id="no padding"),
        pytest.param(basic(f"{ID}:{SECRET}\n"), GRANT, id="line end of echo"),
        pytest.param(basic(f"{ID}:{SECRET}\r\n"), GRANT, id="line end of Windows"),
        pytest.param(basic(f"{quote_plus(ID)}:{quote_plus(SECRET)}"), GRANT, id="form encoded, RFC 6749 2.3.1"),
        pytest.param(
            basic(f"{ID}:{SECRET}"), GRANT | {"client_id": ID, "client_secret": SECRET}, id="both, as old clients"
        ),
    ],
)
async def test_right_credentials_get_a_token_in_the_recorded_form(
    door: httpx.AsyncClient, headers: dict[str, str], form: dict[str, str]
) -> None:
    response = await door.post("/oauth2/token", headers=headers, data=form)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json;charset=UTF-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    body = response.json()
    assert re.fullmatch("[A-Za-z0-9]{40}", body.pop("access_token"))
    assert body == {"token_type": "bearer", "expires": 1_700_003_600, "expires_in": 3600}


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        pytest.param({}, GRANT, id="none"),
        pytest.param({}, GRANT | {"client_id": ID, "client_secret": "wrong"}, id="wrong secret in the body"),
        pytest.param(basic(f"{ID}:wrong"), GRANT, id="wrong secret"),
        pytest.param(basic(f"wrong:{SECRET}"), GRANT, id="wrong id"),
        pytest.param({"authorization": "Basic %%%"}, GRANT, id="no base64"),
        pytest.param({"authorization": "Basic /w=="}, GRANT, id="no UTF-8"),
        pytest.param(basic(f"{ID}:wrong"), GRANT | {"client_id": ID, "client_secret": SECRET}, id="the header decides"),
    ],
)
async def test_wrong_credentials_answer_400_invalid_client(
    door: httpx.AsyncClient, headers: dict[str, str], form: dict[str, str]
) -> None:
    response = await door.post("/oauth2/token", headers=headers, data=form)

    assert (response.status_code, response.json()) == (400, {"error": "invalid_client"})


@pytest.mark.parametrize(
    ("form", "error"),
    [({"grant_type": "password"}, "unsupported_grant_type"), ({"scope": "all"}, "invalid_request")],
)
async def test_other_grants_are_refused(door: httpx.AsyncClient, form: dict[str, str], error: str) -> None:
    response = await door.post("/oauth2/token", headers=basic(f"{ID}:{SECRET}"), data=form)

    assert (response.status_code, response.json()) == (400, {"error": error})


async def test_each_call_gives_another_token_and_earlier_ones_stay_valid(door: httpx.AsyncClient) -> None:
    form = GRANT | {"client_id": ID, "client_secret": SECRET}
    texts = [(await door.post("/oauth2/token", data=form)).json()["access_token"] for _ in range(3)]

    assert len(set(texts)) == 3
    for text in texts:
        read = await door.get(ACTIVITY, headers={"authorization": f"Bearer {text}"})
        assert read.status_code == 200


async def test_a_token_names_the_scopes_that_were_asked_for_and_no_others(door: httpx.AsyncClient) -> None:
    form = GRANT | {"client_id": ID, "client_secret": SECRET}
    answers = [await door.post("/oauth2/token", data=form | more) for more in ({"scope": " a  b"}, {"scope": " "}, {})]

    assert [answer.json().get("scope") for answer in answers] == ["a b", None, None]


async def test_a_token_ends_after_an_hour_of_the_clock(api: httpx.AsyncClient, clock: Any) -> None:
    clock.now += 3599.5
    assert (await api.get(ACTIVITY)).status_code == 200

    clock.now += 0.5
    assert (await api.get(ACTIVITY)).status_code == 401


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Basic abc", "bearer \xff"])
async def test_without_a_good_token_the_answer_is_a_bare_401(bare: httpx.AsyncClient, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    response = await bare.get(ACTIVITY, headers=headers)

    assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-sandbox-evidence"] == "documented"


async def test_a_token_is_kept_by_its_digest_alone(make_app: Any, sign_in: Any, tmp_path: Any) -> None:
    file = tmp_path / "state.sqlite"
    async with sign_in(make_app(db=str(file))) as client:
        token = client.headers["authorization"].removeprefix("Bearer ").encode()
    kept = b"".join(part.read_bytes() for part in tmp_path.iterdir())

    assert b"client_id" in kept
    assert token not in kept


def test_other_schemes_hold_no_basic_credentials() -> None:
    assert list(basic_credentials("Bearer abc")) == []
