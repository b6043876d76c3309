"""Which error an answer means, what its text says and does not say, and that errors survive pickling."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api._operations import CHECK_ELIGIBILITY, OPERATIONS
from pokitdok_api.api.activities import get_activity
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.api.trading_partners import get_trading_partner
from pokitdok_api.errors import (
    APIError,
    AuthenticationError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    PaymentRequiredError,
    PokitDokError,
    RateLimitError,
    ScopeError,
    ServerError,
    TradingPartnerRejectionError,
    error_for,
)
from pokitdok_api.models import EligibilityMember, EligibilityRequest, EligibilityRequestProvider
from pokitdok_ext import TokenRefusedError, connect

CANARY = "Quillfeather"
ACTIVITY = "5f3a00000000000000000001"


def enveloped(errors: Any) -> dict[str, Any]:
    return {"meta": {"activity_id": ACTIVITY, "processing_time": 1}, "data": {"errors": errors}}


FLAT = {"message": CANARY}
RATE_LIMIT = {"message": "Forbidden (Rate Limited)"}
VALIDATION = enveloped({"validation": {"member": {"birth_date": [CANARY]}}})
PARSING = enveloped({"parsing": {"functional_group_acknowledge_code": "R"}})
SCOPE = enveloped({"scope": CANARY})
GENERAL = enveloped({"general": CANARY})
TEXT = enveloped(CANARY)
HTML = None
"""The decoded body of what is no JSON."""

TABLE: list[tuple[int, Any, type[PokitDokError] | None]] = [
    (200, {"meta": {}, "data": {}}, None),
    (200, {"meta": {}, "data": [{"errors": "of one item"}]}, None),
    (200, enveloped({}), None),
    (200, enveloped(None), None),
    (200, VALIDATION, InvalidRequestError),
    (200, PARSING, TradingPartnerRejectionError),
    (200, GENERAL, APIError),
    (200, enveloped({"query": CANARY}), APIError),
    (200, TEXT, APIError),
    (301, HTML, APIError),
    (400, VALIDATION, InvalidRequestError),
    (400, {"error": "invalid_client"}, InvalidRequestError),
    (400, HTML, InvalidRequestError),
    (401, FLAT, AuthenticationError),
    (401, HTML, AuthenticationError),
    (402, FLAT, PaymentRequiredError),
    (403, RATE_LIMIT, RateLimitError),
    (403, {"message": "rate limit exceeded"}, RateLimitError),
    (403, {"message": "RATE-LIMITED", "code": 7}, RateLimitError),
    (403, FLAT, APIError),
    (403, {"message": "Forbidden"}, APIError),
    (403, {"message": "Missing Authentication Token"}, APIError),
    (403, {"message": "User is not authorized to access this resource"}, APIError),
    (403, {"message": "corporate limits"}, APIError),
    (403, {"message": ["rate limit"]}, APIError),
    (403, {**GENERAL, **RATE_LIMIT}, APIError),
    (403, SCOPE, ScopeError),
    (403, GENERAL, APIError),
    (403, {**GENERAL, **FLAT}, APIError),
    (403, HTML, APIError),
    (403, [FLAT], APIError),
    (404, GENERAL, NotFoundError),
    (404, HTML, NotFoundError),
    (405, HTML, APIError),
    (409, FLAT, APIError),
    (422, VALIDATION, InvalidRequestError),
    (422, PARSING, TradingPartnerRejectionError),
    (422, enveloped([{"validation": "in a list"}]), InvalidRequestError),
    (429, FLAT, APIError),
    (429, RATE_LIMIT, APIError),
    (500, GENERAL, ServerError),
    (500, PARSING, TradingPartnerRejectionError),
    (500, HTML, ServerError),
    (520, HTML, ServerError),
    (999, PARSING, TradingPartnerRejectionError),
]


@pytest.mark.parametrize(("status", "document", "expected"), TABLE)
def test_status_and_body_decide_the_class(status: int, document: Any, expected: type[PokitDokError] | None) -> None:
    error = error_for(CHECK_ELIGIBILITY, status, {}, document)
    assert (None if error is None else type(error)) is expected


@pytest.mark.parametrize(
    "document", [1, "text", [], {}, {"data": 7}, {"data": {"errors": 7}}, {"meta": CANARY, "message": {}}]
)
def test_body_of_any_shape_does_not_hide_the_status(document: Any) -> None:
    error = error_for(CHECK_ELIGIBILITY, 422, {}, document)
    assert isinstance(error, InvalidRequestError)
    assert error.status_code == 422


def test_body_that_fits_no_form_is_none() -> None:
    error = error_for(CHECK_ELIGIBILITY, 500, {}, {"meta": 1, "data": {"errors": {}}})
    assert error is not None
    assert error.body is None


def test_error_carries_what_support_asks_for() -> None:
    error = error_for(CHECK_ELIGIBILITY, 422, {"x": "y"}, VALIDATION)
    assert error is not None
    assert error.operation is OPERATIONS["check_eligibility"]
    assert (error.method, error.path) == ("POST", "/api/v4/eligibility/")
    assert error.activity_id == ACTIVITY
    assert error.headers == {"x": "y"}
    assert error.body is not None
    assert error.body.to_dict() == VALIDATION


MESSAGES: list[tuple[Any, dict[str, list[str]]]] = [
    ({"npi": ["a", "b"]}, {"npi": ["a", "b"]}),
    ({"member": {"birth_date": {"month": "a"}}}, {"member.birth_date.month": ["a"]}),
    (
        {"prescriber": [{"npi": ["a"]}, {"npi": ["b"], "name": ["c"]}]},
        {"prescriber.npi": ["a", "b"], "prescriber.name": ["c"]},
    ),
    ({"member": "a", "payer": None}, {"member": ["a"]}),
    ({"count": [1]}, {"count": ["1"]}),
]


@pytest.mark.parametrize(("validation", "messages"), MESSAGES)
def test_messages_are_listed_by_field(validation: Any, messages: dict[str, list[str]]) -> None:
    error = error_for(CHECK_ELIGIBILITY, 422, {}, enveloped({"validation": validation}))
    assert isinstance(error, InvalidRequestError)
    assert error.messages == messages


UNKNOWN_PARTNER = "Unable to find configuration for trading_partner_id: 123456789, transaction_set_name: eligibility"
NEEDS_SCOPE = "'user_schedule' scope required to access this API"

OTHER_MESSAGES: dict[str, tuple[int, Any, dict[str, list[str]]]] = {
    "unknown trading partner, 400": (400, enveloped({"query": UNKNOWN_PARTNER}), {"query": [UNKNOWN_PARTNER]}),
    "unknown trading partner, 404": (404, enveloped({"query": UNKNOWN_PARTNER}), {"query": [UNKNOWN_PARTNER]}),
    "unknown trading partner, 422": (422, enveloped({"query": UNKNOWN_PARTNER}), {"query": [UNKNOWN_PARTNER]}),
    "unknown trading partner, 200": (200, enveloped({"query": UNKNOWN_PARTNER}), {"query": [UNKNOWN_PARTNER]}),
    "general": (500, enveloped({"general": "no real time"}), {"general": ["no real time"]}),
    "scope": (403, enveloped({"scope": NEEDS_SCOPE}), {"scope": [NEEDS_SCOPE]}),
    "flat": (401, {"message": "Unauthorized"}, {"message": ["Unauthorized"]}),
    "a text, as recorded": (404, enveloped("No price range was found"), {"errors": ["No price range was found"]}),
    "a list": (422, enveloped(["a", "b"]), {"errors": ["a", "b"]}),
    "a field and a lookup of one name": (
        422,
        enveloped({"validation": {"query": ["a"]}, "query": "b"}),
        {"query": ["a", "b"]},
    ),
    "a name that nobody has documented": (422, enveloped({"credit": {"card": "a"}}), {"credit.card": ["a"]}),
    "an acknowledgment": (200, enveloped({"parsing": {"functional_group_acknowledge_code": "R"}}), {}),
    "of another API": (422, {"detail": "a"}, {}),
}


@pytest.mark.parametrize(("status", "document", "messages"), OTHER_MESSAGES.values(), ids=OTHER_MESSAGES)
def test_messages_that_are_not_of_a_field_have_their_own_name(
    status: int, document: Any, messages: dict[str, list[str]]
) -> None:
    with answering(status, json.dumps(document).encode()) as client, pytest.raises(APIError) as caught:
        check_eligibility.sync(client=client, body=BODY)
    assert caught.value.messages == messages
    assert (".messages says what is wrong" in str(caught.value)) is bool(messages)


@pytest.mark.parametrize(
    ("told", "scope"),
    [
        (NEEDS_SCOPE, "user_schedule"),
        ('"identity:write" scope required', "identity:write"),
        ("user_schedule scope required to access this API", "user_schedule"),
        (f"{CANARY} scope required", None),
        ("Nora Quill needs the user_schedule scope", None),
        (CANARY, None),
        ({"name": "user_schedule"}, None),
    ],
)
def test_missing_scope_is_named_if_it_is_one(told: Any, scope: str | None) -> None:
    with answering(403, json.dumps(enveloped({"scope": told})).encode()) as client, pytest.raises(ScopeError) as caught:
        check_eligibility.sync(client=client, body=BODY)
    assert caught.value.scope == scope
    assert ("Scope: " in str(caught.value)) is (scope is not None)
    assert f"Scope: {scope}." in str(caught.value) or scope is None
    assert CANARY not in str(caught.value)


def test_rejection_carries_the_acknowledgment() -> None:
    error = error_for(CHECK_ELIGIBILITY, 200, {}, PARSING)
    assert isinstance(error, TradingPartnerRejectionError)
    assert error.acknowledgment is not None
    assert error.acknowledgment.functional_group_acknowledge_code == "R"


def test_rejection_that_cannot_be_read_has_no_acknowledgment() -> None:
    error = error_for(CHECK_ELIGIBILITY, 200, {}, enveloped({"parsing": "no object"}))
    assert isinstance(error, TradingPartnerRejectionError)
    assert error.acknowledgment is None
    assert ".acknowledgment" not in str(error)


def every_error() -> list[PokitDokError]:
    answer: Any = {"headers": {"Set-Cookie": CANARY}, "content": CANARY.encode()}
    found: list[PokitDokError] = [
        error
        for status, document, _ in TABLE
        if (error := error_for(CHECK_ELIGIBILITY, status, document=document, **answer)) is not None
    ]
    place = "Meta: object expected"
    return [
        *found,
        InvalidResponseError(operation=CHECK_ELIGIBILITY, status_code=200, place=place, **answer),
        TokenRefusedError(
            "HTTP 401, check_eligibility: POST /api/v4/eligibility/", operation=CHECK_ELIGIBILITY, **answer
        ),
    ]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: f"{type(error).__name__}-{error.status_code}")
def test_text_names_the_place_and_no_value(error: Any) -> None:
    for text in (str(error), repr(error), str(error.args), "".join(traceback.format_exception(error))):
        assert CANARY not in text
        assert f"HTTP {error.status_code}" in text
        assert "check_eligibility: POST /api/v4/eligibility/" in text


@pytest.mark.parametrize("error", every_error(), ids=lambda error: f"{type(error).__name__}-{error.status_code}")
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_copy_and_pickle(error: Any, again: Callable[[Any], Any]) -> None:
    twin = again(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert twin.args == error.args
    assert twin.__dict__ == error.__dict__
    assert twin.content == CANARY.encode()
    assert twin.headers["Set-Cookie"] == CANARY


def test_text_names_the_fields_but_no_key_that_is_data() -> None:
    document = enveloped({"validation": {"member": {"birth_date": ["x"]}, f"{CANARY} O'Neil": ["y"]}})
    text = str(error_for(CHECK_ELIGIBILITY, 422, {}, document))
    assert "Fields: member.birth_date." in text
    assert CANARY not in text


def test_activity_id_that_is_none_is_not_printed() -> None:
    document = {**VALIDATION, "meta": {"activity_id": f"{CANARY}, born 1984"}}
    assert CANARY not in str(error_for(CHECK_ELIGIBILITY, 422, {}, document))


# ---------------------------------------------------------------- through the functions


def answering(status: int, content: bytes, **headers: str) -> Client:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content, headers=headers)

    network = httpx.MockTransport(answer)
    return Client("http://platform.invalid", transport=network, async_transport=network)


BODY = EligibilityRequest(
    "MOCKPAYER", EligibilityMember(first_name=CANARY), EligibilityRequestProvider(npi="1234567893")
)


def test_errors_inside_a_200_are_raised() -> None:
    with answering(200, json.dumps(VALIDATION).encode()) as client, pytest.raises(InvalidRequestError) as caught:
        check_eligibility.sync(client=client, body=BODY)
    assert caught.value.status_code == 200
    assert caught.value.messages == {"member.birth_date": [CANARY]}


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "text/html; charset=utf-8; charset=latin-1", "application/json; charset=no-such", "nonsense"],
)
def test_json_is_read_whatever_the_content_type_says(content_type: str) -> None:
    content = json.dumps({"data": {"name": "Ümlaut"}}, ensure_ascii=False).encode()
    with answering(200, content, **{"content-type": content_type}) as client:
        data = get_trading_partner.sync("x", client=client).data
    assert data
    assert data.name == "Ümlaut"


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the body is empty"),
    "html": (f"<html>{CANARY}</html>".encode(), "the body is not JSON"),
    "cut off": (f'{{"data": {{"name": "{CANARY}'.encode(), "the body is not JSON"),
    "not UTF-8": (b'{"data": {"name": "\xe9"}}', "the body is not UTF-8"),
    "nested too deeply": (b"[" * 200_000, "the body is nested too deeply"),
    "null": (b"null", "TradingPartnerEnvelope: a document expected, null found"),
    "array": (f'["{CANARY}"]'.encode(), "TradingPartnerEnvelope: object expected, array found"),
    "wrong data": (
        f'{{"data": "{CANARY}"}}'.encode(),
        "TradingPartnerEnvelope.data: object or array expected, string found",
    ),
    "wrong inside": (
        f'{{"data": {{"monitoring": ["{CANARY}"]}}}}'.encode(),
        "TradingPartner.monitoring: object expected, array found",
    ),
}


@pytest.mark.parametrize(("content", "place"), UNREADABLE.values(), ids=UNREADABLE)
def test_success_that_cannot_be_read_names_the_place_only(content: bytes, place: str) -> None:
    with answering(200, content) as client, pytest.raises(InvalidResponseError) as caught:
        get_trading_partner.sync("x", client=client)
    assert place in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "the decoder's error holds the body"


DETAIL = json.dumps({"detail": [{"loc": ["body", "member"], "msg": CANARY}]}).encode()
PAGE = f"<html>{CANARY}</html>".encode()
LATIN_1 = f"{CANARY} é".encode("latin-1")

# answer: status, body, the error, and what its text says holds the answer
HELD: dict[str, tuple[int, bytes, type[PokitDokError], str | None]] = {
    "an envelope": (422, json.dumps(VALIDATION).encode(), InvalidRequestError, ".body"),
    "flat": (401, json.dumps(FLAT).encode(), AuthenticationError, ".body"),
    "FastAPI": (422, DETAIL, InvalidRequestError, ".content"),
    "FastAPI, 404": (404, DETAIL, NotFoundError, ".content"),
    "a gateway": (403, json.dumps(FLAT).encode(), APIError, ".body"),
    "text": (400, CANARY.encode(), InvalidRequestError, ".content"),
    "HTML": (502, PAGE, ServerError, ".content"),
    "HTML, 402": (402, PAGE, PaymentRequiredError, ".content"),
    "HTML, 405": (405, PAGE, APIError, ".content"),
    "too large": (413, PAGE, APIError, ".content"),
    "Latin-1": (400, LATIN_1, InvalidRequestError, ".content"),
    "an array": (500, json.dumps([CANARY]).encode(), ServerError, ".content"),
    "empty": (404, b"", NotFoundError, None),
    "empty, 413": (413, b"", APIError, None),
    "a success of another shape": (200, json.dumps([CANARY]).encode(), InvalidResponseError, ".content"),
    "a success in HTML": (200, PAGE, InvalidResponseError, ".content"),
    "a success in Latin-1": (200, LATIN_1, InvalidResponseError, ".content"),
    "a success without a body": (200, b"", InvalidResponseError, None),
}


def get_partner(door: str, client: Client) -> None:
    if door == "sync":
        get_trading_partner.sync("x", client=client)
    else:
        asyncio.run(get_trading_partner.asyncio("x", client=client))


@pytest.mark.parametrize("door", ["sync", "asyncio"])
@pytest.mark.parametrize(("status", "content", "kind", "holder"), HELD.values(), ids=HELD)
def test_error_holds_what_came_and_its_text_says_where(
    status: int, content: bytes, kind: type[PokitDokError], holder: str | None, door: str
) -> None:
    headers = {"Set-Cookie": f"session={CANARY}", "X-Request-Id": "7"}
    with answering(status, content, **headers) as client, pytest.raises(PokitDokError) as caught:
        get_partner(door, client)
    error: Any = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is kind
    assert error.content == content
    assert error.headers["x-request-id"] == "7"
    text = str(caught.value)
    assert [each for each in (".body", ".content") if f"{each} holds the answer" in text] == (
        [holder] if holder else []
    )
    assert holder != ".body" or error.body is not None
    assert CANARY not in f"{text} {caught.value!r} {caught.value.args}"


def test_refused_token_holds_the_answer_too() -> None:
    network = httpx.MockTransport(lambda _request: httpx.Response(401, headers={"X-Request-Id": "7"}, content=PAGE))
    with (
        connect(token="t", base_url="https://api.example.com", transport=network) as client,
        pytest.raises(TokenRefusedError) as caught,
    ):
        get_trading_partner.sync("x", client=client)
    assert caught.value.content == PAGE
    assert caught.value.headers["x-request-id"] == "7"
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.args}"


def test_path_values_are_not_in_the_text() -> None:
    with answering(404, b"{}") as client, pytest.raises(NotFoundError) as caught:
        get_activity.sync(CANARY, client=client)
    assert CANARY not in str(caught.value)
    assert "/api/v4/activities/{activity_id}" in str(caught.value)


def test_redirect_is_an_error_and_is_not_followed() -> None:
    content = b"<html>Moved</html>"
    with answering(301, content, location="http://elsewhere.invalid/") as client, pytest.raises(APIError) as caught:
        get_trading_partner.sync("x", client=client)
    assert caught.value.status_code == 301
    assert caught.value.headers["Location"] == "http://elsewhere.invalid/"


@pytest.mark.parametrize("location", ["http://[::1", "http://x:port/", "mailto:desk@clinic.example", "x" * 70_000])
@pytest.mark.parametrize("door", ["sync", "asyncio"])
def test_redirect_to_nowhere_is_an_error_like_any_other(location: str, door: str) -> None:
    """httpx reads the address of each redirect, followed or not."""
    with answering(302, b"", location=location) as client, pytest.raises(APIError) as caught:
        get_partner(door, client)
    assert caught.value.status_code == 302
