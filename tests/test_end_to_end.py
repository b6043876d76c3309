"""Client and sandbox together, over a real socket: every way in that is ours, storms, and what goes wrong."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.api.oauth import create_token
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import (
    EligibilityMember,
    EligibilityRequest,
    EligibilityRequestProvider,
    GrantType,
    TokenRequest,
)
from pokitdok_ext import (
    APIError,
    AuthenticationError,
    InvalidClientError,
    InvalidRequestError,
    InvalidResponseError,
    PaymentRequiredError,
    PokitDokError,
    RateLimitError,
    ServerError,
    TokenRefusedError,
    connect,
)
from pokitdok_sandbox import Sandbox

WELL_KNOWN_ACTIVITY = "5317f51527a27620f2ec7533"
CALLERS = 100

# Values that must not be seen anywhere: a secret, and a person nobody is called like.
SECRET = "secretcanary" * 3 + "zz"
NAME, MEMBER_ID, BIRTH_DATE = "Canaryname", "WCANARY0007", date(1931, 7, 23)
CANARIES = (SECRET, NAME, MEMBER_ID, BIRTH_DATE.isoformat(), repr(BIRTH_DATE))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(port=0, client_secret=SECRET) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with connect(sandbox.client_id, SECRET, base_url=sandbox.url, retry=None) as connected:
        yield connected


def question() -> EligibilityRequest:
    return EligibilityRequest(
        trading_partner_id="MOCKPAYER",
        member=EligibilityMember(first_name=NAME, last_name=NAME, id=MEMBER_ID, birth_date=BIRTH_DATE),
        provider=EligibilityRequestProvider(npi="1234567893"),
    )


def test_id_and_secret_are_a_way_in(client: Client) -> None:
    activity = get_activity.sync(WELL_KNOWN_ACTIVITY, client=client).data
    assert activity
    assert activity.id == WELL_KNOWN_ACTIVITY


def test_environment_is_a_way_in(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKITDOK_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("POKITDOK_BASE_URL", sandbox.url)
    with connect() as client:
        assert list_trading_partners.sync(client=client).data


async def test_token_alone_is_a_way_in(sandbox: Sandbox) -> None:
    request = TokenRequest(grant_type=GrantType.CLIENT_CREDENTIALS, client_id=sandbox.client_id, client_secret=SECRET)
    async with Client(sandbox.url) as anonymous:
        token = (await create_token.asyncio(client=anonymous, body=request)).access_token
    assert isinstance(token, str)
    before = sandbox.token_requests
    async with connect(token=token, base_url=sandbox.url) as client:
        activity = (await get_activity.asyncio(WELL_KNOWN_ACTIVITY, client=client)).data
    assert activity
    assert activity.id == WELL_KNOWN_ACTIVITY
    assert sandbox.token_requests == before


def test_hundred_threads_make_one_token_request() -> None:
    with (
        Sandbox(port=0) as sandbox,
        connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client,
        ThreadPoolExecutor(CALLERS) as threads,
    ):
        answers = list(threads.map(lambda _: list_trading_partners.sync(client=client), range(CALLERS)))
        assert all(answer.data for answer in answers)
        assert sandbox.token_requests == 1


async def test_hundred_tasks_make_one_token_request() -> None:
    with Sandbox(port=0) as sandbox:
        async with connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
            answers = await asyncio.gather(*(list_trading_partners.asyncio(client=client) for _ in range(CALLERS)))
        assert all(answer.data for answer in answers)
        assert sandbox.token_requests == 1


def test_token_that_the_api_no_longer_knows_is_renewed_and_the_request_replayed(
    sandbox: Sandbox, client: Client
) -> None:
    list_trading_partners.sync(client=client)
    before = sandbox.token_requests
    httpx.post(f"{sandbox.url}/_sandbox/reset").raise_for_status()
    assert list_trading_partners.sync(client=client).data
    assert sandbox.token_requests in {1, before + 1}  # the reset may start the count anew


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("payment_required", PaymentRequiredError),
        ("rate_limit", RateLimitError),
        ("server_error", ServerError),
        ("html_500", ServerError),
        ("truncated_json", InvalidResponseError),
    ],
)
def test_fault_gives_its_error(client: Client, fault: str, error: type[PokitDokError]) -> None:
    client.get_httpx_client().headers["X-Sandbox-Fault"] = fault
    with pytest.raises(error) as caught:
        check_eligibility.sync(client=client, body=question())
    assert type(caught.value) is error
    assert "check_eligibility" in str(caught.value)


def test_wrong_secret_is_told_once_and_then_remembered(sandbox: Sandbox) -> None:
    before = sandbox.token_requests
    with connect(sandbox.client_id, "wrong", base_url=sandbox.url) as client:
        for _ in range(10):
            with pytest.raises(InvalidClientError):
                list_trading_partners.sync(client=client)
    assert sandbox.token_requests == before + 1


def test_refused_token_of_the_caller_is_not_renewed(sandbox: Sandbox) -> None:
    with connect(token="x" * 40, base_url=sandbox.url) as client, pytest.raises(TokenRefusedError):
        list_trading_partners.sync(client=client)


def test_server_that_is_not_there_is_an_error_of_httpx_for_the_api() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with connect(token="x" * 40, base_url=url, retry=None) as client, pytest.raises(httpx.ConnectError):
        list_trading_partners.sync(client=client)


def wrong_secret(sandbox: Sandbox, body: EligibilityRequest) -> None:
    with connect(sandbox.client_id, SECRET + "x", base_url=sandbox.url) as client:
        check_eligibility.sync(client=client, body=body)


def invalid_request(sandbox: Sandbox, body: EligibilityRequest) -> None:
    body.member.birth_date = f"{NAME}-is-no-date"
    with connect(sandbox.client_id, SECRET, base_url=sandbox.url) as client:
        check_eligibility.sync(client=client, body=body)


def refused_token(sandbox: Sandbox, body: EligibilityRequest) -> None:
    with connect(token=SECRET, base_url=sandbox.url) as client:
        check_eligibility.sync(client=client, body=body)


def faulty(fault: str) -> Callable[[Sandbox, EligibilityRequest], None]:
    def call(sandbox: Sandbox, body: EligibilityRequest) -> None:
        with connect(sandbox.client_id, SECRET, base_url=sandbox.url, retry=None) as client:
            client.get_httpx_client().headers["X-Sandbox-Fault"] = fault
            check_eligibility.sync(client=client, body=body)

    call.__name__ = fault
    return call


@pytest.mark.parametrize(
    "call",
    [wrong_secret, invalid_request, refused_token, *map(faulty, ("html_500", "truncated_json", "server_error"))],
    ids=lambda call: call.__name__,
)
def test_no_secret_and_no_patient_is_in_any_text(
    sandbox: Sandbox, call: Callable[[Sandbox, EligibilityRequest], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Errors with their causes, every logger at DEBUG, and the repr of what was sent."""
    body = question()
    with caplog.at_level(logging.DEBUG), pytest.raises(PokitDokError) as caught:
        call(sandbox, body)
    assert isinstance(caught.value, APIError | InvalidResponseError | InvalidClientError | TokenRefusedError)
    texts = [repr(body), repr(body.member), *(record.getMessage() for record in caplog.records)]
    error: BaseException | None = caught.value
    while error is not None:
        fields = {name: value for name, value in vars(error).items() if name != "content"}
        texts += [str(error), repr(error), repr(error.args), repr(fields)]
        error = error.__cause__ or error.__context__
    found = [canary for canary in CANARIES for text in texts if canary in text]
    assert found == []


def test_the_errors_of_the_api_are_told_apart(client: Client) -> None:
    body = question()
    body.provider.npi = "1"
    with pytest.raises(InvalidRequestError) as caught:
        check_eligibility.sync(client=client, body=body)
    assert not isinstance(caught.value, AuthenticationError)
    assert caught.value.messages
