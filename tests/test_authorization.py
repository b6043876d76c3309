"""Acting for a user: the way to the consent page and back, the code, refresh tokens and their rotation."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from pokitdok_api.api.scheduling import list_appointments
from pokitdok_ext import (
    AuthorizationRequiredError,
    ConfigurationError,
    InvalidClientError,
    ScopeError,
    TokenUnavailableError,
    authorization_code,
    authorization_url,
    connect,
)
from pokitdok_ext._grants import AuthorizationCode
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route
from pokitdok_ext._tokens import Secret
from pokitdok_ext.testing.clock import HeldClock
from pokitdok_ext.testing.token_server import FakeTokenServer
from pokitdok_sandbox import Sandbox

BASE = "https://api.pokitdok.test"
BACK = "http://localhost:9000/back"


# --- there and back -------------------------------------------------------------------------------


def test_address_has_what_the_rfc_asks_for_and_a_state_of_its_own() -> None:
    one, other = (
        authorization_url("my app", redirect_uri=BACK, scope=["user_schedule", "business_schedule"], base_url=BASE)
        for _ in range(2)
    )
    address = urlsplit(one.url)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{BASE}/oauth2/authorize"
    assert parse_qs(address.query) == {
        "response_type": ["code"],
        "client_id": ["my app"],
        "redirect_uri": [BACK],
        "scope": ["user_schedule business_schedule"],
        "state": [one.state],
    }
    assert one.state != other.state
    assert len(one.state) >= 32


def test_address_needs_an_application_and_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="client_id"):
        authorization_url(redirect_uri=BACK, base_url=BASE)
    with pytest.raises(ConfigurationError, match="base_url"):
        authorization_url("id", redirect_uri=BACK)
    monkeypatch.setenv("POKITDOK_CLIENT_ID", "from the environment")
    assert "client_id=from+the+environment" in authorization_url(redirect_uri=BACK, base_url=BASE).url


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("code=c&state=other", "another state", id="answer to another request"),
        pytest.param("code=c", "another state", id="no state"),
        pytest.param("error=access_denied&state=s", "access_denied", id="the user refused"),
        pytest.param("error=server_error&state=s", "no code", id="the server failed"),
    ],
)
def test_redirect_that_brings_no_code_is_an_error(query: str, says: str) -> None:
    with pytest.raises(AuthorizationRequiredError, match=says):
        authorization_code(f"{BACK}?{query}", state="s")


def test_redirect_brings_the_code() -> None:
    assert authorization_code(f"{BACK}?code=a%2Fb&state=s", state="s") == "a/b"


# --- on the sandbox -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(consent="allow", redirect_uris=(BACK,)) as running:
        yield running


def consented(sandbox: Sandbox, scope: str = "user_schedule") -> str:
    """The code of a user who allows everything."""
    request = authorization_url(sandbox.client_id, redirect_uri=BACK, scope=scope, base_url=sandbox.url)
    answer = httpx.get(request.url)
    assert answer.status_code in {302, 303}
    return authorization_code(answer.headers["location"], state=request.state)


@pytest.mark.filterwarnings("ignore:Last documented:DeprecationWarning")
def test_consent_opens_what_credentials_do_not(sandbox: Sandbox) -> None:
    with connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client, pytest.raises(ScopeError):
        list_appointments.sync(client=client)
    before = sandbox.token_requests
    with connect(
        sandbox.client_id,
        sandbox.client_secret,
        code=consented(sandbox),
        redirect_uri=BACK,
        scope="user_schedule",
        base_url=sandbox.url,
    ) as client:
        for _ in range(3):
            assert list_appointments.sync(client=client).meta
        assert sandbox.token_requests == before + 1
        client.tokens.invalidate()
        assert list_appointments.sync(client=client).meta, "by the refresh token"
        client.tokens.invalidate()
        assert list_appointments.sync(client=client).meta, "by the one that took its place"
    assert sandbox.token_requests == before + 3


def test_code_works_once(sandbox: Sandbox) -> None:
    code = consented(sandbox)
    arguments = {"code": code, "redirect_uri": BACK, "base_url": sandbox.url}
    with connect(sandbox.client_id, sandbox.client_secret, **arguments) as client:  # type: ignore[arg-type]
        client.tokens.warm()
    with (
        connect(sandbox.client_id, sandbox.client_secret, **arguments) as client,  # type: ignore[arg-type]
        pytest.raises(AuthorizationRequiredError, match=r"authorization_url\(\)"),
    ):
        client.tokens.warm()


def test_users_never_see_each_others_token(sandbox: Sandbox) -> None:
    """Nor that of the application: a user's token belongs to the client that was given the code."""
    clients = [
        connect(
            sandbox.client_id, sandbox.client_secret, code=consented(sandbox), redirect_uri=BACK, base_url=sandbox.url
        )
        for _ in range(2)
    ]
    clients.append(connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url))
    for client in clients:
        client.tokens.warm()
    assert len({client.tokens.state().fingerprint for client in clients}) == 3
    for client in clients:
        client.close()


def test_revoked_token_is_no_longer_taken(sandbox: Sandbox) -> None:
    with connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        client.tokens.warm()
        token = client.tokens.manager.get().value.reveal()  # type: ignore[attr-defined]
        client.tokens.revoke()
        answer = httpx.get(f"{sandbox.url}/api/v4/activities/", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        client.tokens.warm()
        assert client.tokens.state().phase == "fresh"


# --- nothing that may have been acted on is sent twice --------------------------------------------


class Consent:
    """A manager that starts with a code, on a fake server."""

    def __init__(self, *, code: str | None = "c0de", refresh_token: str | None = None) -> None:
        self.server = FakeTokenServer()
        self.held = HeldClock()
        endpoint = TokenEndpoint(BASE, "id", Secret("secret"), route=Route(transport=self.server))
        self.source = AuthorizationCode(
            endpoint,
            code=None if code is None else Secret(code),
            redirect_uri=BACK,
            refresh_token=None if refresh_token is None else Secret(refresh_token),
        )
        self.manager = TokenManager(self.source, clock=self.held.clock())

    @property
    def sent(self) -> list[str | None]:
        return [form.get("code") or form.get("refresh_token") for form in self.server.token_requests]


def test_code_that_never_left_is_sent_again() -> None:
    consent = Consent()
    consent.server.then(httpx.ConnectError("refused"), httpx.ConnectTimeout("late"))
    assert consent.manager.get().value.reveal() == "token-3"
    assert consent.sent == ["c0de"] * 3
    assert consent.server.token_requests[0]["redirect_uri"] == BACK


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("late"), httpx.ReadError("reset"), httpx.Response(500)])
def test_code_whose_answer_was_lost_is_not_sent_again(lost: httpx.Response | Exception) -> None:
    consent = Consent()
    consent.server.then(lost)
    with pytest.raises(TokenUnavailableError):
        consent.manager.get()
    consent.held.forward(3600)
    with pytest.raises(AuthorizationRequiredError):
        consent.manager.get()
    assert consent.sent == ["c0de"]


def test_refresh_token_whose_answer_was_lost_is_not_sent_again_at_once() -> None:
    """Another time it is: there is nothing else to try, and the server may not have got it."""
    consent = Consent(code=None, refresh_token="r3fresh")
    consent.server.then(httpx.ReadTimeout("late"))
    with pytest.raises(TokenUnavailableError):
        consent.manager.get()
    assert consent.sent == ["r3fresh"]
    consent.held.forward(60)
    assert consent.manager.get().value.reveal() == "token-2"


def test_code_is_kept_while_the_secret_is_wrong() -> None:
    consent = Consent()
    consent.server.then(httpx.Response(400, json={"error": "invalid_client"}))
    with pytest.raises(InvalidClientError):
        consent.manager.get()
    consent.held.forward(60)
    assert consent.manager.get().value.reveal() == "token-2"
    assert consent.sent == ["c0de", "c0de"]


def test_refused_refresh_token_asks_for_a_new_consent() -> None:
    consent = Consent(code=None, refresh_token="r3fresh")
    consent.server.then(httpx.Response(400, json={"error": "invalid_grant"}))
    with pytest.raises(AuthorizationRequiredError, match=r"authorization_url\(\)") as caught:
        consent.manager.get()
    assert "r3fresh" not in str(caught.value)
