"""Callbacks: typed, from whoever knows the password, and nothing of a patient in an error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pokitdok_api.models import ClaimAcknowledgement
from pokitdok_ext import PokitDokError
from pokitdok_ext import callbacks as module
from pokitdok_ext.callbacks import CallbackError, CallbackRefusedError, read_callback

ID = "5f0c1d2e3a4b5c6d7e8f9a0b"
STATUS = {"status_category": "Rejected", "status_code_value": "Canaryname unknown"}
RESULT = {"submitter": {"statuses": [STATUS]}, "patient": {"last_name": "Canaryname"}, "providers": []}
ACTIVITY = {
    "id": ID,
    "name": "claims",
    "state": {"name": "rejected", "title": "Rejected"},
    "result": RESULT,
    "application_data": {"case": "Canaryname 7"},
}


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("document", [ACTIVITY, {"meta": {}, "data": ACTIVITY}], ids=["bare", "in an envelope"])
def test_callback_is_the_activity_and_its_result_typed(document: Any) -> None:
    callback = read_callback({}, body(document))
    assert (callback.activity_id, callback.state) == (ID, "rejected")
    assert isinstance(callback.result, ClaimAcknowledgement)
    assert callback.application_data == {"case": "Canaryname 7"}
    assert callback.reasons == ["Rejected: Canaryname unknown"]
    assert callback.activity.to_dict() == ACTIVITY


def test_repr_shows_no_patient() -> None:
    assert repr(read_callback({}, body(ACTIVITY))) == f"Callback(activity_id={ID!r}, state='rejected')"


def test_callback_without_result_has_none() -> None:
    callback = read_callback({}, body({"id": ID}))
    assert (callback.state, callback.result, callback.application_data, callback.reasons) == (None, None, {}, [])


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("kind", [dict, list])
def test_right_password_is_accepted_in_any_form_of_headers(name: str, kind: Any) -> None:
    headers = kind([("Host", "x"), (name, basic("pokitdok:pass:wörd"))])
    assert read_callback(headers, body(ACTIVITY), username="pokitdok", password="pass:wörd").activity_id == ID


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic %%%"},
        {"Authorization": basic("pokitdok:wrong")},
        {"Authorization": basic("other:right")},
        {"Authorization": basic("pokitdok")},
        {"Authorization": basic("pokitdok:right", "Bearer")},
        [("Authorization", basic("pokitdok:right")), ("authorization", basic("pokitdok:right"))],
    ],
)
def test_missing_or_wrong_password_is_refused_before_the_body_is_read(headers: Any) -> None:
    with pytest.raises(CallbackRefusedError) as caught:
        read_callback(headers, b"no JSON", username="pokitdok", password="right")
    assert caught.value.status_code == 401
    assert "right" not in str(caught.value)


def test_comparison_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def comparing(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(module.hmac, "compare_digest", comparing)
    read_callback({"Authorization": basic("a:b")}, body(ACTIVITY), username="a", password="b")
    assert compared == [(b"a:b", b"a:b")]


@pytest.mark.parametrize("only", [{"username": "a"}, {"password": "b"}])
def test_half_of_the_credentials_is_a_mistake_of_the_caller(only: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="together"):
        read_callback({}, body(ACTIVITY), **only)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b'"Canaryname"',
        b"[" * 100_000,
        body({"name": "Canaryname"}),
        body({"id": 7}),
        body({"data": {"x": "Canaryname"}}),
        body({"id": ID, "state": "Canaryname"}),
        body({"id": ID, "history": {"a": "Canaryname"}}),
    ],
)
def test_what_is_no_activity_is_an_error_that_quotes_nothing(content: bytes) -> None:
    with pytest.raises(CallbackError) as caught:
        read_callback({}, content)
    assert isinstance(caught.value, PokitDokError)
    assert caught.value.status_code == 400
    error: BaseException | None = caught.value
    while error is not None:
        assert "Canaryname" not in f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__


def test_body_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BODY", 10)
    with pytest.raises(CallbackError, match="longer than 10 bytes"):
        read_callback({}, body(ACTIVITY))
