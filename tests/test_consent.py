"""A user's consent from end to end: our client, the sandbox's page, codes, refresh tokens and withdrawal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.scheduling import list_appointments
from pokitdok_api.errors import PokitDokError
from pokitdok_ext import AuthorizationRequiredError, ScopeError, authorization_code, authorization_url, connect
from pokitdok_sandbox import Sandbox

# Scheduling was retired and warns; it is what consent was for.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRET = "canary:secret+with~signs%41?"
BACK = "http://localhost:5000/back"
Style = Literal["basic", "body"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(client_id="an id+%", client_secret=SECRET, consent="allow") as running:
        yield running


def code_from(sandbox: Sandbox, scope: str = "user_schedule") -> str:
    """What a browser does for a user who allows it."""
    page, state = authorization_url(sandbox.client_id, redirect_uri=BACK, scope=scope, base_url=sandbox.url)
    return authorization_code(httpx.get(page).headers["location"], state=state)


def client_of(sandbox: Sandbox, code: str, style: Style = "basic") -> Client:
    return connect(sandbox.client_id, SECRET, base_url=sandbox.url, client_auth=style, code=code, redirect_uri=BACK)


@pytest.mark.parametrize("style", ["basic", "body"])
def test_a_user_allows_it_and_refresh_tokens_carry_on(sandbox: Sandbox, style: Style) -> None:
    with client_of(sandbox, code_from(sandbox), style) as client:
        for _ in range(3):
            assert list_appointments.sync(client=client).data is not None
            client.tokens.invalidate()

    state = sandbox.state()
    assert state["tokens_issued"] == {"authorization_code": 1, "refresh_token": 2}
    assert state["tokens_refused"] == {}


def test_a_user_refuses(sandbox: Sandbox) -> None:
    page, state = authorization_url(sandbox.client_id, redirect_uri=BACK, base_url=sandbox.url)
    answer = httpx.post(page, data={"decision": "deny"})

    with pytest.raises(AuthorizationRequiredError, match="refused"):
        authorization_code(answer.headers["location"], state=state)


def test_a_scope_that_was_not_asked_for_is_missing(sandbox: Sandbox) -> None:
    with client_of(sandbox, code_from(sandbox, scope="")) as client, pytest.raises(ScopeError):
        list_appointments.sync(client=client)


def test_a_withdrawn_consent_sends_the_user_through_the_page_again(sandbox: Sandbox) -> None:
    with client_of(sandbox, code_from(sandbox)) as client:
        list_appointments.sync(client=client)
        sandbox.world.store.delete_tokens()
        with pytest.raises(PokitDokError, match="authorization_url") as caught:
            list_appointments.sync(client=client)

    assert SECRET not in str(caught.value)
    assert sandbox.state()["tokens_refused"] == {"invalid_grant": 1}


@pytest.mark.parametrize("style", ["basic", "body"])
def test_revoke_ends_the_token_at_the_platform(sandbox: Sandbox, style: Style) -> None:
    with connect(sandbox.client_id, SECRET, base_url=sandbox.url, client_auth=style, scope="user_schedule") as client:
        list_appointments.sync(client=client)
        client.tokens.revoke()

    assert sandbox.state()["executed"]["revoke_token"] == 1
    assert sandbox.world.store.delete_tokens() == 0, "nothing is left to withdraw"
