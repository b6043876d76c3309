"""Token answers and headers as no server should send them: a token, or a TokenError, and never another exception."""

from __future__ import annotations

import asyncio
import gzip
import json
import traceback
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokitdok_api import Client
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_ext import (
    ConfigurationError,
    PokitDokError,
    RateLimitError,
    ServerError,
    TokenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
    compat,
    connect,
)
from pokitdok_ext._http_times import http_date, retry_after
from pokitdok_ext.pacing import Pacer
from pokitdok_ext.testing import FakeTokenServer, HeldClock

ROOT = "https://api.example.test"
NOW = 1_800_000_000.0
GOOD = {"access_token": "canary-token", "token_type": "bearer", "expires_in": 3600}
SECRET = "canary-secret"
CANARIES = ("canary", "kanári")

Header = tuple[bytes, bytes]


def warm(client: Client) -> None:
    client.tokens.warm()


def warm_async(client: Client) -> None:
    asyncio.run(client.tokens.awarm())


both = pytest.mark.parametrize("ask", [warm, warm_async])


def answer(body: object, headers: list[Header], status: int = 200) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


def told(error: BaseException) -> str:
    """Texts and tracebacks of an error and what led to it, with the locals of our own frames."""
    parts: list[str] = []
    one: BaseException | None = error
    while one is not None:
        parts += [str(one), repr(one), repr(vars(one))]
        frames = traceback.TracebackException.from_exception(one, capture_locals=True).stack
        parts += [repr(frame.locals) for frame in frames if "pokitdok_ext" in frame.filename]
        one = one.__cause__ or one.__context__
    return "\n".join(parts)


def outcome(ask: Callable[[Client], None], *answers: httpx.Response) -> tuple[float | None, TokenError | None]:
    """Seconds that the token lives, or the error; the clock stands at NOW."""
    server, held = FakeTokenServer("id", SECRET), HeldClock(NOW)
    server.then(*answers)
    with connect(
        "id", SECRET, base_url=ROOT, transport=server, async_transport=server, clock=held.clock(), retry=None
    ) as client:
        try:
            ask(client)
        except TokenError as error:
            return None, error
        state = client.tokens.state()
        assert state.seconds_left is not None
        return state.seconds_left + 10, None


HUGE = b"9" * 5000
NON_ASCII = "kanári".encode("latin-1")


@both
@pytest.mark.parametrize(
    ("body", "headers", "life"),
    [
        pytest.param({**GOOD, "token_type": "BearerToken"}, [], 3600, id="BearerToken"),
        pytest.param({**GOOD, "token_type": "bEARERtOKEN"}, [], 3600, id="BearerToken in another case"),
        pytest.param({**GOOD, "token_type": None}, [], 3600, id="token_type null"),
        pytest.param({**GOOD, "token_type": ""}, [], 3600, id="token_type empty"),
        pytest.param({**GOOD, "token_type": " Bearer "}, [], 3600, id="token_type with blanks"),
        pytest.param(GOOD, [(b"Date", NON_ASCII)], 3600, id="Date not ASCII"),
        pytest.param(GOOD, [(b"Date", "kanári".encode())], 3600, id="Date in UTF-8"),
        pytest.param(GOOD, [(b"Retry-After", NON_ASCII)], 3600, id="Retry-After not ASCII"),
        pytest.param(GOOD, [(b"Content-Type", NON_ASCII)], 3600, id="Content-Type not ASCII"),
        pytest.param(GOOD, [(b"Server", b"\xff\xfe\x80")], 3600, id="another header not ASCII"),
        pytest.param(GOOD, [(b"Date", b"Mon, 01 Jan 99999999999 00:00:00 GMT")], 3600, id="a year that no int holds"),
        pytest.param(GOOD, [(b"Date", b"Mon, 01 Jan " + HUGE + b" 00:00:00 GMT")], 3600, id="a year of 5,000 digits"),
        pytest.param(GOOD, [(b"Date", b"Mon, 01 Jan 10000 00:00:00 GMT")], 3600, id="the year 10000"),
        pytest.param(GOOD, [(b"Date", b"Fri, 31 Dec 9999 23:59:59 -2359")], 3600, id="the last second there is"),
        pytest.param(GOOD, [(b"Date", b"Mon, 01 Jan 2026 00:00:00 +99999999999999")], 3600, id="an absurd time zone"),
        pytest.param(
            {**GOOD, "expires_in": None, "expires": int(NOW) + 900},
            [(b"Date", b"Mon, 01 Jan 99999999999 00:00:00 GMT")],
            300,
            id="expires against a Date that is none",
        ),
        pytest.param(
            {**GOOD, "expires_in": None, "expires": int(NOW) + 900},
            [(b"Date", b"Fri, 15 Jan 2027 08:00:00 -0000")],
            900,
            id="expires against a Date without a time zone",
        ),
        pytest.param(b'{"access_token": "t", "expires_in": 1e999}', [], 300, id="expires_in too large for a float"),
        pytest.param(
            b'{"access_token": "t", "expires_in": 1' + b"0" * 400 + b"}", [], 300, id="expires_in of 400 digits"
        ),
        pytest.param({**GOOD, "expires_in": "1e999"}, [], 300, id="expires_in a text too large for a float"),
        pytest.param({**GOOD, "expires_in": "9" * 5000}, [], 300, id="expires_in a text of 5,000 digits"),
        pytest.param({**GOOD, "expires": 10**300}, [(b"Date", b"Fri, 15 Jan 2027 08:00:00 GMT")], 3600, id="expires"),
        pytest.param({**GOOD, "refresh_token": "\ud800"}, [], 3600, id="refresh_token a lone surrogate"),
        pytest.param({**GOOD, "refresh_token": 7, "scope": {"a": 1}}, [], 3600, id="members of other types"),
    ],
)
def test_what_cannot_be_read_beside_a_good_token_is_ignored(
    ask: Callable[[Client], None], body: object, headers: list[Header], life: float
) -> None:
    lives, error = outcome(ask, answer(body, headers))
    assert error is None
    assert lives == pytest.approx(life)


@both
@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        pytest.param(200, {**GOOD, "token_type": "canary"}, [], TokenResponseError, id="another token_type"),
        pytest.param(200, {**GOOD, "token_type": ["bearer"]}, [], TokenResponseError, id="token_type a list"),
        pytest.param(200, {**GOOD, "access_token": "canary\ud800"}, [], TokenResponseError, id="a lone surrogate"),
        pytest.param(200, b"\xff\xfe\xff canary", [], TokenResponseError, id="not UTF-8"),
        pytest.param(
            200,
            b'{"canary": 1' + b"0" * 5000 + b"}",
            [],
            TokenResponseError,
            id="a number of more digits than int takes",
        ),
        pytest.param(200, b"canary", [(b"Content-Encoding", b"gzip")], TokenUnavailableError, id="no gzip after all"),
        pytest.param(500, b"canary", [(b"Content-Type", NON_ASCII)], TokenUnavailableError, id="500, not ASCII"),
        pytest.param(503, b"canary", [(b"Date", NON_ASCII)], TokenUnavailableError, id="503, not ASCII"),
        pytest.param(
            503,
            b"",
            [(b"Retry-After", b"Mon, 01 Jan 99999999999 00:00:00 GMT")],
            TokenUnavailableError,
            id="503, a year",
        ),
    ],
)
def test_answer_that_is_no_token_is_a_token_error_that_shows_nothing_of_it(
    ask: Callable[[Client], None], status: int, body: object, headers: list[Header], kind: type[TokenError]
) -> None:
    life, error = outcome(ask, *(answer(body, headers, status) for _ in range(3)))
    assert life is None
    assert type(error) is kind
    assert not [canary for canary in CANARIES if canary in told(error)]


ABSURD_YEAR = b"Mon, 01 Jan 99999999999 00:00:00 GMT"


@both
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param([(b"Retry-After", "٣".encode())], None, id="an Arabic digit"),
        pytest.param([(b"Retry-After", "²".encode())], None, id="a superscript"),
        pytest.param([(b"Retry-After", NON_ASCII)], None, id="Latin-1"),
        pytest.param([(b"Retry-After", b"-5")], None, id="negative"),
        pytest.param([(b"Retry-After", b"nan")], None, id="NaN"),
        pytest.param([(b"Retry-After", b"1e999")], None, id="an exponent"),
        pytest.param([(b"Retry-After", b"1_000")], None, id="Python's own way to write numbers"),
        pytest.param([(b"Retry-After", b"9" * 400)], 3600, id="more than a float holds"),
        pytest.param([(b"Retry-After", HUGE)], 3600, id="5,000 digits"),
        pytest.param([(b"Retry-After", b" 7 ")], 7, id="blanks"),
        pytest.param([(b"Retry-After", ABSURD_YEAR)], None, id="a year that is none"),
        pytest.param([(b"Retry-After", b"Mon, 01 Jan 9999 00:00:00 GMT")], 3600, id="a year far away"),
        pytest.param(
            [(b"Retry-After", b"Fri, 15 Jan 2027 08:00:20 GMT"), (b"Date", ABSURD_YEAR)], 20, id="Date that is none"
        ),
        pytest.param(
            [(b"Retry-After", b"Fri, 15 Jan 2027 08:00:20 GMT"), (b"Date", NON_ASCII)], 20, id="Date not ASCII"
        ),
    ],
)
def test_retry_after_is_read_or_ignored(
    ask: Callable[[Client], None], headers: list[Header], seconds: float | None
) -> None:
    _, error = outcome(ask, answer({}, headers, 429), answer({}, headers, 429))
    assert isinstance(error, TokenThrottledError)
    assert error.retry_after == seconds


def test_compressed_answer_of_a_transport_that_is_only_asynchronous_is_read() -> None:
    class AsyncOnly(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            headers = {"Content-Encoding": "gzip", "Date": "Fri, 15 Jan 2027 08:00:00 GMT"}
            return httpx.Response(200, headers=headers, content=gzip.compress(json.dumps(GOOD).encode()))

    with connect("id", SECRET, base_url=ROOT, async_transport=AsyncOnly()) as client:
        client.tokens.warm()
        assert client.tokens.state().phase == "fresh"


# ---------------------------------------------------------------- providers


@both
@pytest.mark.parametrize(
    ("given_", "life"),
    [
        pytest.param({"expires_in": Decimal(900)}, 900, id="Decimal"),
        pytest.param({"expires_in": Fraction(900)}, 900, id="Fraction"),
        pytest.param({"expires_in": "900"}, 900, id="text"),
        pytest.param({"expires_in": 10**400}, None, id="400 digits"),
        pytest.param({"expires_in": Decimal("sNaN")}, None, id="signalling NaN"),
        pytest.param({"expires_in": float("inf")}, None, id="infinity"),
        pytest.param({"expires_in": "9" * 5000}, None, id="a text of 5,000 digits"),
        pytest.param({"expires_in": object()}, None, id="anything"),
        pytest.param({"expires_in": 900, "token_type": None}, 900, id="token_type None"),
        pytest.param({"expires_in": 900, "token_type": ""}, 900, id="token_type empty"),
        pytest.param({"expires_in": 900, "token_type": "BearerToken"}, 900, id="BearerToken"),
        pytest.param({"expires_in": 900, "refresh_token": "\ud800"}, 900, id="refresh_token a lone surrogate"),
    ],
)
def test_mapping_of_a_provider_is_read_as_a_token_answer_is(
    ask: Callable[[Client], None], given_: dict[str, object], life: float | None
) -> None:
    clock = HeldClock(NOW).clock()
    provided: dict[str, Any] = {"access_token": "canary-token", **given_}
    with connect(token_provider=lambda: provided, base_url=ROOT, clock=clock) as client:
        ask(client)
        left = client.tokens.state().seconds_left
    assert left == (float("inf") if life is None else life - 10)


@pytest.mark.parametrize(
    "given_",
    [
        {"access_token": "canary\ud800"},
        {"access_token": "kanári"},
        {"access_token": b"canary"},
        {"access_token": "canary", "token_type": "mac"},
        {"access_token": "canary", "token_type": 7},
        "canary\ud800",
    ],
)
def test_mapping_of_a_provider_without_a_usable_token_is_a_token_error(given_: Any) -> None:
    with (
        connect(token_provider=lambda: given_, base_url=ROOT, clock=HeldClock().clock()) as client,
        pytest.raises(TokenResponseError) as caught,
    ):
        client.tokens.warm()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("expires_at", [10**400, "soon", float("nan"), "9" * 5000, None, [1]])
def test_saved_token_of_the_old_surface_with_an_end_that_is_none_is_used(expires_at: object) -> None:
    server = FakeTokenServer()
    server.tokens.add("saved")
    token = {"access_token": "saved", "expires_at": expires_at}
    with compat.PokitDokClient("id", "secret", base=ROOT, token=token, transport=server) as client:
        client.trading_partners()
    assert (server.token_requests, len(server.api_requests)) == ([], 1)


# ---------------------------------------------------------------- what cannot be sent


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"client_id": "canary\udce9", "client_secret": "s"}, "client_id"),
        ({"client_id": "id", "client_secret": "canary\udce9"}, "client_secret"),
        ({"client_id": "id", "client_secret": "s", "scope": "canary\udce9"}, "scope"),
        ({"client_id": "id", "client_secret": "s", "code": "canary\udce9"}, "code"),
        ({"client_id": "id", "client_secret": "s", "refresh_token": "canary\udce9"}, "refresh_token"),
        ({"client_id": "id", "client_secret": "s", "code": "c", "redirect_uri": "canary\udce9"}, "redirect_uri"),
    ],
)
def test_argument_that_is_not_utf8_is_refused_by_name_and_not_shown(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{named}: not valid UTF-8") as caught:
        connect(**arguments, base_url=ROOT)
    assert "canary" not in f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"


def test_secret_of_a_provider_that_is_not_utf8_is_a_token_error_that_does_not_show_it() -> None:
    server = FakeTokenServer()
    with (
        connect("id", lambda: "canary\udce9", base_url=ROOT, transport=server) as client,
        pytest.raises(TokenError, match="client_secret") as caught,
    ):
        client.tokens.warm()
    assert "canary" not in told(caught.value)
    assert server.token_requests == []


# ---------------------------------------------------------------- the same headers of other answers


@pytest.mark.parametrize("pace", [None, Pacer(84)], ids=["no pace", "a pace"])
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(503, {}, ServerError, id="503"),
        pytest.param(403, {"message": "Forbidden (Rate Limited)"}, RateLimitError, id="rate limit"),
        pytest.param(
            200, {"meta": {"rate_limit_reset": 999999999999, "rate_limit_cap": 5}, "data": None}, None, id="200"
        ),
    ],
)
@pytest.mark.parametrize("name", [b"Date", b"Retry-After"])
@pytest.mark.parametrize(
    "value", [ABSURD_YEAR, NON_ASCII, "٣".encode(), HUGE], ids=["year", "Latin-1", "digit", "huge"]
)
def test_answers_of_the_api_with_such_headers_are_what_they_are(
    name: bytes, value: bytes, status: int, body: object, kind: type[PokitDokError] | None, pace: Pacer | None
) -> None:
    held = HeldClock(NOW)
    if pace is not None:
        pace = Pacer(84, clock=held.clock())
    network = httpx.MockTransport(lambda _: answer(body, [(name, value)], status))
    with connect(token="t", base_url=ROOT, transport=network, clock=held.clock(), pace=pace) as client:
        if kind is None:
            list_trading_partners.sync(client=client)
        else:
            with pytest.raises(kind):
                list_trading_partners.sync(client=client)
    assert sum(held.slept) < 300


@given(st.text() | st.from_regex(r"(Mon, )?\d{1,30} Jan [0-9]{1,12} [0-9:]{1,9} ?([A-Z]{1,3}|[+-][0-9]{1,9})?"))
def test_any_text_is_a_time_or_none(text: str) -> None:
    date, wait = http_date(text), retry_after({"retry-after": text, "date": text}, NOW)
    assert date is None or isinstance(date, float)
    assert wait is None or wait >= 0
