"""The old client's surface on top of ours: tokens, errors, bodies, and each fault of the old one that is mended."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokitdok_api.api.activities import get_activity
from pokitdok_ext import (
    AuthenticationError,
    ConfigurationError,
    InvalidResponseError,
    NotFoundError,
    Retry,
    ServerError,
    TokenRefusedError,
    compat,
)
from pokitdok_sandbox import Sandbox

BASE = "https://api.example.com"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "moving-from-the-old-client.md"
SEED = Path(__file__).resolve().parents[2] / "shared" / "seed"


class Platform:
    """A platform of a few lines: numbered tokens, and for calls what `answer` says."""

    def __init__(self) -> None:
        self.calls: list[httpx.Request] = []
        self.bearers: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.token_requests = 0
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200, json={"data": {}})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            self.token_requests += 1
            form = dict(httpx.QueryParams(request.content.decode()))
            self.forms.append(form)
            answer: dict[str, Any] = {"access_token": f"token-{self.token_requests}", "expires_in": 3600}
            if form["grant_type"] != "client_credentials":
                answer["refresh_token"] = f"refresh-{self.token_requests}"
            return httpx.Response(200, json=answer)
        self.calls.append(request)
        self.bearers.append(request.headers["Authorization"])
        return self.answer(request)

    def connect(self, **options: Any) -> compat.PokitDokClient:
        options = {"base": BASE, "transport": httpx.MockTransport(self), "retry": None} | options
        return compat.connect("the-id", "the-secret", **options)

    def refuse(self, *tokens: str) -> None:
        """Answer 401 to these tokens."""
        refused = {f"Bearer {token}" for token in tokens}
        self.answer = lambda request: (
            httpx.Response(401, json={"message": "Unauthorized"})
            if request.headers["Authorization"] in refused
            else httpx.Response(200, json={"data": {}})
        )


@pytest.fixture
def platform() -> Platform:
    return Platform()


# ---------------------------------------------------------------- token


def test_constructor_sends_nothing(platform: Platform) -> None:
    client = platform.connect()
    assert (platform.token_requests, client.status_code) == (0, 0)


def test_reading_the_token_fetches_it_once(platform: Platform) -> None:
    client = platform.connect()
    before = time.time()
    token = client.token
    assert token | {"expires_at": 0} == {
        "access_token": "token-1",
        "token_type": "Bearer",
        "expires_in": 3600,
        "expires_at": 0,
    }
    assert before + 3600 <= token["expires_at"] <= time.time() + 3600
    assert client.token == client.api_client.token == token
    client.activities()
    assert platform.token_requests == 1


def test_each_client_has_a_token_of_its_own(platform: Platform) -> None:
    assert platform.connect().token["access_token"] != platform.connect().token["access_token"]


def test_saved_token_is_used_and_kept_as_it_is(platform: Platform) -> None:
    saved = platform.connect().token | {"scope": ["user_schedule"]}
    client = platform.connect(token=saved)
    client.activities()
    assert client.token == saved
    assert platform.token_requests == 1


@pytest.mark.parametrize("end", ["expires_at", "expires"])
def test_saved_token_that_has_ended_is_not_sent(platform: Platform, end: str) -> None:
    client = platform.connect(token={"access_token": "old", "expires_in": 3600, end: time.time() - 1})
    client.activities()
    assert platform.bearers == ["Bearer token-1"]


def test_saved_token_of_unknown_age_is_replaced_when_refused(platform: Platform) -> None:
    platform.refuse("old")
    client = platform.connect(token={"access_token": "old", "expires_in": 3600})
    assert client.activities() == {"data": {}}
    assert platform.bearers == ["Bearer old", "Bearer token-1"]
    assert client.status_code == 200


def test_token_can_be_set_later(platform: Platform) -> None:
    client = platform.connect()
    client.token = {"access_token": "from-elsewhere"}
    client.activities()
    assert platform.bearers == ["Bearer from-elsewhere"]
    assert platform.token_requests == 0


@pytest.mark.parametrize("token", ["text", {"expires_in": 3600}, ["access_token"]])
def test_token_that_is_no_dictionary_is_refused(platform: Platform, token: Any) -> None:
    with pytest.raises(ConfigurationError, match="token dictionary"):
        platform.connect(token=token)


def test_without_auto_refresh_the_end_of_the_token_is_told(platform: Platform) -> None:
    platform.refuse("token-1")
    client = platform.connect(auto_refresh=False)
    with pytest.raises(compat.TokenExpiredError, match="fetch_access_token"):
        client.activities()
    assert (client.status_code, platform.token_requests) == (401, 1)
    assert client.fetch_access_token()["access_token"] == "token-2"
    assert client.activities() == {"data": {}}


def test_second_401_in_a_row_is_raised_and_not_returned(platform: Platform) -> None:
    platform.refuse("token-1", "token-2")
    client = platform.connect()
    with pytest.raises(TokenRefusedError):
        client.activities()
    assert (client.status_code, platform.token_requests) == (401, 2)


def test_401_that_is_not_about_the_token_is_not_called_expiry(platform: Platform) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    platform.answer = lambda _: httpx.Response(401, headers=challenge, json={"message": "Unauthorized"})
    with pytest.raises(AuthenticationError) as caught:
        platform.connect().activities()
    assert not isinstance(caught.value, compat.TokenExpiredError)
    assert platform.token_requests == 1


def test_callback_hears_of_every_fetch(platform: Platform) -> None:
    platform.refuse("token-1")
    heard: list[dict[str, Any]] = []
    client = platform.connect(token_refresh_callback=heard.append)
    client.activities()
    assert [token["access_token"] for token in heard] == ["token-1", "token-2"]
    assert heard[-1] == client.token


def test_callback_that_fails_costs_no_token(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    def fail(token: dict[str, Any]) -> None:
        raise RuntimeError(token["access_token"])

    platform.connect(token_refresh_callback=fail).activities()
    assert platform.token_requests == 1
    assert "token_refresh_callback raised RuntimeError" in caplog.text
    assert "token-1" not in caplog.text


# ---------------------------------------------------------------- a user's consent


def test_authorization_url_names_what_is_asked_for(platform: Platform) -> None:
    client = platform.connect(redirect_uri="https://app.example.com/back", scope=["user_schedule", "other"])
    address, state = client.authorization_url()
    url = httpx.URL(address)
    assert str(url.copy_with(query=None)) == f"{BASE}/oauth2/authorize"
    assert dict(url.params) == {
        "response_type": "code",
        "client_id": "the-id",
        "redirect_uri": "https://app.example.com/back",
        "scope": "user_schedule other",
        "state": state,
    }
    assert client.authorization_url()[1] != state


def test_code_is_sent_once_and_then_the_refresh_token(platform: Platform) -> None:
    platform.refuse("token-1")
    heard: list[dict[str, Any]] = []
    client = platform.connect(
        code="the-code", redirect_uri="https://app.example.com/back", token_refresh_callback=heard.append
    )
    client.activities()
    assert client.fetch_access_token()["access_token"] == "token-3"
    code, *refreshed = platform.forms
    assert code == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": "https://app.example.com/back",
    }
    assert refreshed == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-1"},
        {"grant_type": "refresh_token", "refresh_token": "refresh-2"},
    ]
    assert [token["refresh_token"] for token in heard] == ["refresh-1", "refresh-2", "refresh-3"]


def test_saved_token_of_a_user_is_renewed_by_its_refresh_token(platform: Platform) -> None:
    client = platform.connect(token={"access_token": "old", "refresh_token": "kept", "expires_at": 1.0})
    client.activities()
    assert platform.forms == [{"grant_type": "refresh_token", "refresh_token": "kept"}]


def test_code_can_come_later(platform: Platform) -> None:
    client = platform.connect()
    client.activities()
    client.fetch_access_token(code="late")
    client.activities()
    assert [form["grant_type"] for form in platform.forms] == ["client_credentials", "authorization_code"]
    assert platform.bearers == ["Bearer token-1", "Bearer token-2"]


def test_scope_is_asked_for(platform: Platform) -> None:
    assert platform.connect(scope=["a", "b"]).token
    assert platform.forms == [{"grant_type": "client_credentials", "scope": "a b"}]


def test_user_who_consents_on_the_sandbox_is_acted_for() -> None:
    back = "http://127.0.0.1:9/back"
    with Sandbox(consent="allow") as sandbox:
        options: dict[str, Any] = {"base": sandbox.url, "redirect_uri": back}
        with compat.connect(sandbox.client_id, sandbox.client_secret, **options) as client:
            assert client.cancel_appointment("an-id")["data"]["errors"]["scope"]
            client.scope = ["user_schedule"]
            address, state = client.authorization_url()
            returned = httpx.URL(httpx.get(address).headers["Location"])
            assert returned.params["state"] == state
            assert client.fetch_access_token(code=returned.params["code"])["refresh_token"]
            client.cancel_appointment("an-id")
            assert client.status_code != 403


# ---------------------------------------------------------------- threads


def test_threads_share_one_fetch_and_see_their_own_status(platform: Platform) -> None:
    statuses = {f"/api/v4/activities/{n}": n for n in (200, 402, 404, 422, 500)}
    together = threading.Barrier(len(statuses))

    def answer(request: httpx.Request) -> httpx.Response:
        together.wait(10)
        return httpx.Response(statuses[request.url.path], json={"data": {}})

    platform.answer = answer
    client = platform.connect()
    seen: dict[int, int] = {}

    def call(number: int) -> None:
        client.activities(str(number))
        together.wait(10)
        seen[number] = client.status_code

    threads = [threading.Thread(target=call, args=(number,)) for number in statuses.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: number for number in statuses.values()}
    assert platform.token_requests == 1
    assert client.status_code in statuses.values(), "a thread that called nothing sees the last status of all"


# ---------------------------------------------------------------- configuration


def test_there_is_no_default_host() -> None:
    with pytest.raises(ConfigurationError, match="python -m pokitdok_sandbox"):
        compat.connect("id", "secret")


def test_environment_names_host_and_credentials(monkeypatch: pytest.MonkeyPatch, platform: Platform) -> None:
    monkeypatch.setenv("POKITDOK_BASE_URL", BASE)
    monkeypatch.setenv("POKITDOK_CLIENT_ID", "an-id")
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", "a-secret")
    client = compat.connect(transport=httpx.MockTransport(platform))
    assert (client.url_base, client.client_id, client.client_secret) == (f"{BASE}/api/v4", "an-id", "a-secret")


def test_missing_credentials_are_told() -> None:
    with pytest.raises(ConfigurationError, match="POKITDOK_CLIENT_SECRET"):
        compat.connect("id", base=BASE)


def test_secret_and_token_stay_out_of_repr(platform: Platform) -> None:
    client = platform.connect()
    assert "token-1" in client.token["access_token"]
    assert "secret" not in repr(client)
    assert "token-1" not in repr(client) + repr(client.api_client)


# ---------------------------------------------------------------- requests


def test_dictionary_goes_out_as_given(platform: Platform) -> None:
    given = {"member": {"first_name": "Zoë", "id": None}, "unheard_of": [1, 2.5, {"deep": "\ud83d"}], "charge": "60.00"}
    platform.connect().eligibility(given)
    [request] = platform.calls
    assert json.loads(request.content) == given
    assert request.headers["Content-Type"] == "application/json"
    assert "pokitdok-python" in request.headers["User-Agent"]


def test_answer_comes_back_as_sent(platform: Platform) -> None:
    sent = {"meta": {"new": [None]}, "data": {"amount": "12.50", "odd_date": "0000-00-00", "n": 7}}
    platform.answer = lambda _: httpx.Response(200, json=sent, headers={"Content-Type": "text/html"})
    assert platform.connect().activities("x") == sent


@pytest.mark.parametrize("status", [400, 402, 403, 404, 422, 500])
def test_error_of_the_platform_is_a_dictionary(platform: Platform, status: int) -> None:
    sent = {"meta": {}, "data": {"errors": {"query": "no"}}}
    platform.answer = lambda _: httpx.Response(status, json=sent)
    client = platform.connect()
    assert client.claims({"a": 1}) == sent
    assert client.status_code == status


def test_answer_without_content_is_an_empty_dictionary(platform: Platform) -> None:
    platform.answer = lambda _: httpx.Response(204)
    client = platform.connect()
    assert client.cancel_appointment("an-id") == {}
    assert client.status_code == 204


@pytest.mark.parametrize(
    ("status", "error"), [(200, InvalidResponseError), (500, ServerError), (404, NotFoundError)], ids=str
)
def test_page_of_a_proxy_raises_by_its_status(platform: Platform, status: int, error: type[Exception]) -> None:
    platform.answer = lambda _: httpx.Response(status, html="<h1>canary</h1>")
    client = platform.connect()
    with pytest.raises(error) as caught:
        client.plans()
    assert "canary" not in str(caught.value)
    assert client.status_code == status


@pytest.mark.parametrize("data", [{}, [], ""], ids=str)
def test_empty_data_is_sent_as_json(platform: Platform, data: Any) -> None:
    client = platform.connect()
    client.post("/claims/", data=data)
    client.get("/activities/", data=data)
    posted, got = platform.calls
    assert (json.loads(posted.content), posted.headers["Content-Type"]) == (data, "application/json")
    assert (got.content, "Content-Type" in got.headers) == (b"", False)


def test_keyword_arguments_become_the_query(platform: Platform) -> None:
    platform.connect().providers(city="Alder Bay", radius=None, specialty=["a", "b"], limit=5)
    assert str(platform.calls[0].url.query, "ascii") == "city=Alder+Bay&specialty=a&specialty=b&limit=5"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/activities", "/api/v4/activities/"),
        ("/identity", "/api/v4/identity/"),
        ("/pharmacy/network", "/api/v4/pharmacy/network"),
        ("/ssl/", "/api/v4/ssl/"),
    ],
)
def test_missing_slash_is_added_before_the_platform_redirects(platform: Platform, path: str, sent: str) -> None:
    platform.connect().get(path)
    assert [call.url.path for call in platform.calls] == [sent]


def test_ids_cannot_leave_their_place(platform: Platform) -> None:
    client = platform.connect()
    client.activities("../claims?x=1#y")
    assert platform.calls[0].url.raw_path == b"/api/v4/activities/..%2Fclaims%3Fx%3D1%23y"
    for missing in ("", "..", None):
        with pytest.raises(ValueError, match="id is missing"):
            client.cancel_appointment(missing)  # type: ignore[arg-type]
    assert len(platform.calls) == 1


@pytest.mark.parametrize(
    ("path", "method", "data", "operation", "retry"),
    [
        ("/eligibility/", "post", {"a": 1}, "check_eligibility", "safe"),
        ("/eligibility/", "post", {"async": True}, "check_eligibility", "unsafe"),
        ("/claims/", "POST", {}, "submit_claim", "unsafe"),
        ("/claims/convert", "post", None, "convert_claims", "unsafe"),
        ("/activities/5f", "put", {}, "update_activity", "unsafe"),
        ("/brand/new", "get", None, "request", "safe"),
        ("/brand/new", "post", {}, "request", "unsafe"),
    ],
)
def test_request_carries_its_operation(
    platform: Platform, path: str, method: str, data: Any, operation: str, retry: str
) -> None:
    platform.connect().request(path, method, data)
    known = platform.calls[0].extensions["pokitdok.operation"]
    assert (known.id, known.retry) == (operation, retry)


def test_file_is_sent_by_name_and_again_after_a_401(platform: Platform, tmp_path: Path) -> None:
    platform.refuse("token-1")
    file = tmp_path / "members.834"
    file.write_bytes(b"ISA*00*")
    platform.connect().enrollment_snapshot("MOCKPAYER", str(file))
    first, second = (call.content for call in platform.calls)
    assert first == second
    assert b'name="trading_partner_id"\r\n\r\nMOCKPAYER' in first
    assert b'filename="members.834"\r\nContent-Type: application/EDI-X12\r\n\r\nISA*00*' in first


def test_patient_data_of_the_query_stays_out_of_the_log(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    platform.connect().get_identity(first_name="Canary")
    assert "canary" not in caplog.text.lower()
    assert "/api/v4/identity/" in caplog.text


def test_what_only_asks_and_what_was_not_acted_on_is_sent_again(platform: Platform) -> None:
    """The 403 of the rate limit, which the old client handed on, and a question that failed; no claim that failed."""
    answers = [
        httpx.Response(403, json={"message": "Forbidden (Rate Limited)"}),
        httpx.Response(200, json={"data": {}}),
        httpx.Response(500, json={"data": {"errors": {"query": "x"}}}),
        httpx.Response(200, json={"data": {}}),
        httpx.Response(500, json={"data": {"errors": {"query": "x"}}}),
    ]
    platform.answer = lambda _: answers.pop(0)
    client = platform.connect(retry=Retry(first_wait=0.0))
    assert client.claims({"a": 1}) == {"data": {}}
    assert client.eligibility({"a": 1}) == {"data": {}}
    assert client.claims({"a": 1}) == {"data": {"errors": {"query": "x"}}}
    assert [client.status_code, *answers] == [500]


def test_history_of_an_identity_takes_the_common_way(platform: Platform) -> None:
    platform.refuse("token-1")
    client = platform.connect()
    assert client.identity_history("an-id", 2) == {"data": {}}
    assert platform.calls[-1].url.path == "/api/v4/identity/an-id/history/2"
    assert client.status_code == 200


# ---------------------------------------------------------------- moving over


def test_typed_functions_share_the_token(platform: Platform) -> None:
    platform.answer = lambda _: httpx.Response(200, json={"meta": {}, "data": {"id": "5f"}})
    with platform.connect() as client:
        assert client.activities("5f")["data"]["id"] == "5f"
        assert get_activity.sync("5f", client=client.typed).data.id == "5f"  # type: ignore[union-attr]
    assert platform.token_requests == 1


@pytest.mark.shared
def test_snippet_of_the_old_documentation_needs_one_line_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "\n".join(file.read_text(encoding="utf-8") for file in SEED.iterdir())
    [snippet] = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "import pokitdok" in code]
    snippet = snippet.replace("import pokitdok\n", "from pokitdok_ext import compat as pokitdok\n")
    with Sandbox(client_id="your_client_id", client_secret="your_client_secret") as sandbox:
        monkeypatch.setenv("POKITDOK_BASE_URL", sandbox.url)
        names: dict[str, Any] = {}
        exec(compile(snippet, "seed", "exec"), names)  # noqa: S102 - the documentation's own lines
        names["client"].close()
    assert names["activity"]["data"]["id"] == "5317f51527a27620f2ec7533"


def test_page_on_moving_shows_code_that_runs_and_tests_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with Sandbox() as sandbox:
        code = code.replace("http://127.0.0.1:8400", sandbox.url) + "client.close()\n"
        exec(compile(code, PAGE.name, "exec"), {})  # noqa: S102 - ours
    assert capsys.readouterr().out == "claims 200\n"
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 15
    assert named - globals().keys() == set()
