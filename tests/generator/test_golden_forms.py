"""Several forms of one operation: what each sends, what it gives back, and what it raises. On the golden package."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx
import pytest
from golden_api import Client
from golden_api._operations import CHECK_GADGET, CHECK_GADGET_ASYNC, CHECK_GADGET_X12, OPERATIONS
from golden_api._requests import json_body, multipart_body, raw_body
from golden_api.api.activities import get_activity, get_activity_x12
from golden_api.api.files import submit_file, submit_file_x12
from golden_api.api.gadgets import (
    change_gadget,
    check_gadget,
    check_gadget_async,
    check_gadget_full_x12,
    check_gadget_x12,
    check_gadget_x12_json,
    convert_gadgets,
    export_gadgets,
    get_gadget_data,
    get_gadget_data_x12,
    import_gadgets,
)
from golden_api.errors import APIError, InvalidRequestError, InvalidResponseError, RateLimitError, ServerError
from golden_api.models import (
    Activity,
    ActivityEnvelope,
    Callback,
    ConvertUpload,
    FileUpload,
    FullX12Envelope,
    Gadget,
    GadgetEnvelope,
    GadgetRequest,
    Moving,
    Note,
    Renaming,
    ReportEnvelope,
    X12Document,
    X12Envelope,
)
from golden_api.types import File

CANARY = "Quillfeather"
X12 = f"ISA*00*~NM1*IL*1*{CANARY}~IEA*1*000000001~"
X12_TYPE = "application/edi-x12"
X12_JSON_TYPE = "application/vnd.pokitdok.v4+edi-x12-json"
FULL_X12_TYPE = "application/vnd.pokitdok.v4+full-x12-json"

META = {"processing_time": 1}
GADGET = {"meta": META, "data": {"name": "lamp"}}
ACTIVITY = {"meta": META, "data": {"id": "a", "state": "queued"}}


class Platform:
    """Answers everything alike and remembers what it was asked."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self._content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status, content=self._content)

    def client(self, **arguments: Any) -> Client:
        transport = httpx.MockTransport(self)
        return Client("http://platform.invalid", transport=transport, async_transport=transport, **arguments)

    @property
    def request(self) -> httpx.Request:
        [request] = self.requests
        return request

    @property
    def media_types(self) -> tuple[str | None, str | None]:
        return self.request.headers.get("Content-Type"), self.request.headers.get("Accept")


# ---------------------------------------------------------------- what is asked

FORMS: list[tuple[Any, Any, Any, tuple[str | None, str], bytes, type]] = [
    (check_gadget, GadgetRequest("lamp"), GADGET, ("application/json", "*/*"), b'{"name":"lamp"}', GadgetEnvelope),
    (
        check_gadget_async,
        GadgetRequest("lamp"),
        ACTIVITY,
        ("application/json", "*/*"),
        b'{"name":"lamp","async":true}',
        ActivityEnvelope,
    ),
    (check_gadget_x12, X12, X12.encode(), (X12_TYPE, X12_TYPE), X12.encode(), str),
    (check_gadget_x12, X12.encode("latin-1"), X12.encode(), (X12_TYPE, X12_TYPE), X12.encode(), str),
    (
        check_gadget_x12_json,
        X12Document("ISA"),
        {"data": {"x12": "ISA"}},
        (X12_JSON_TYPE, X12_JSON_TYPE),
        b'{"x12":"ISA"}',
        X12Envelope,
    ),
    (
        check_gadget_full_x12,
        GadgetRequest("lamp"),
        {"data": {}, "x12": "ISA"},
        ("application/json", FULL_X12_TYPE),
        b'{"name":"lamp"}',
        FullX12Envelope,
    ),
    (import_gadgets, "name\nlamp\n", {"data": []}, ("text/csv", "*/*"), b"name\nlamp\n", ReportEnvelope),
    (submit_file_x12, X12, ACTIVITY, (X12_TYPE, "*/*"), X12.encode(), ActivityEnvelope),
]


@pytest.mark.filterwarnings("ignore:Last documented:DeprecationWarning")
@pytest.mark.parametrize(("module", "body", "answer", "media_types", "sent", "result"), FORMS)
async def test_form_sends_its_media_types_and_returns_its_type(
    module: Any, body: Any, answer: Any, media_types: tuple[str, str], sent: bytes, result: type
) -> None:
    platform = Platform(answer)
    async with platform.client() as client:
        results = [module.sync(client=client, body=body), await module.asyncio(client=client, body=body)]
        whole = [module.sync_detailed(client=client, body=body)]
        whole.append(await module.asyncio_detailed(client=client, body=body))
    assert [type(each) for each in (*results, *(each.parsed for each in whole))] == [result] * 4
    for request in platform.requests:
        assert (request.headers["Content-Type"], request.headers["Accept"]) == media_types
        assert request.content == sent


@pytest.mark.parametrize(
    ("call", "answer", "accept", "result"),
    [
        (get_activity.sync, ACTIVITY, "*/*", ActivityEnvelope),
        (get_activity_x12.sync, ACTIVITY, "application/vnd.pokitdok.v4+activity-x12-json", ActivityEnvelope),
        (get_gadget_data.sync, GADGET, "*/*", GadgetEnvelope),
        (get_gadget_data_x12.sync, X12.encode(), X12_TYPE, str),
    ],
)
def test_form_of_an_answer_is_asked_for(call: Any, answer: Any, accept: str, result: type) -> None:
    platform = Platform(answer)
    with platform.client() as client:
        assert type(call("a", client=client)) is result
    assert platform.media_types == (None, accept)


def test_header_of_the_client_does_not_change_what_a_form_asks_for() -> None:
    platform = Platform(X12.encode())
    with platform.client(headers={"Accept": "application/json"}) as client:
        get_gadget_data_x12.sync("a", client=client)
    assert platform.media_types == (None, X12_TYPE)


def test_forms_share_operation_path_and_method() -> None:
    forms = [each for each in OPERATIONS.values() if each.id == "check_gadget"]
    assert [each.form for each in forms] == ["json", "async", "x12_json", "x12", "full_x12"]
    assert {(each.method, each.path) for each in forms} == {("POST", "/v1/gadgets/")}
    assert {name: each.id for name, each in OPERATIONS.items() if name != each.id} == {
        "check_gadget_async": "check_gadget",
        "check_gadget_x12_json": "check_gadget",
        "check_gadget_x12": "check_gadget",
        "check_gadget_full_x12": "check_gadget",
        "get_gadget_data_x12": "get_gadget_data",
        "submit_file_x12": "submit_file",
        "get_activity_x12": "get_activity",
    }


def test_only_the_asynchronous_form_of_a_safe_operation_is_unsafe() -> None:
    unsafe = [each.form for each in OPERATIONS.values() if each.id == "check_gadget" and each.retry == "unsafe"]
    assert unsafe == ["async"]


def test_request_carries_the_form_it_was_made_by() -> None:
    platform = Platform(X12.encode())
    with platform.client() as client:
        check_gadget_x12.sync(client=client, body=X12)
    assert platform.request.extensions["pokitdok.operation"] is CHECK_GADGET_X12
    assert CHECK_GADGET_X12 != CHECK_GADGET


# ---------------------------------------------------------------- asynchronous work


@pytest.mark.parametrize("body", [GadgetRequest("lamp"), GadgetRequest("lamp", async_=False)])
def test_async_is_sent_and_the_model_of_the_caller_stays_as_it_was(body: GadgetRequest) -> None:
    before = body.to_dict()
    platform = Platform(ACTIVITY)
    with platform.client() as client:
        answer = check_gadget_async.sync(client=client, body=body)
    assert json.loads(platform.request.content)["async"] is True
    assert body.to_dict() == before
    assert platform.request.extensions["pokitdok.operation"] is CHECK_GADGET_ASYNC
    assert isinstance(answer.data, Activity)


@pytest.mark.parametrize("module", [check_gadget, check_gadget_full_x12])
def test_body_that_asks_for_asynchronous_work_is_not_sent_by_another_form(module: Any) -> None:
    """Its answer would be read as something else, and a retry as of a question could start the work twice."""
    platform = Platform(ACTIVITY)
    with (
        platform.client() as client,
        pytest.raises(ValueError, match="call the function whose name ends in _async"),
    ):
        module.sync(client=client, body=GadgetRequest(CANARY, async_=True))
    assert platform.requests == []


def test_async_may_be_set_where_no_function_is_made_for_it() -> None:
    assert json_body(GadgetRequest("lamp", async_=True)) == b'{"name":"lamp","async":true}'


# ---------------------------------------------------------------- answers told apart


@pytest.mark.parametrize(
    ("document", "result"),
    [
        (GADGET, GadgetEnvelope),
        (ACTIVITY, ActivityEnvelope),
        ({"meta": META, "data": {}}, GadgetEnvelope),
        ({"meta": META, "data": None}, GadgetEnvelope),
        ({"data": {"id": "a", "state": "queued"}}, GadgetEnvelope),
        ({}, GadgetEnvelope),
    ],
)
def test_activity_is_told_from_another_result_by_its_data(document: Any, result: type) -> None:
    with Platform(document).client() as client:
        answer = convert_gadgets.sync(client=client, body=ConvertUpload(File(b"x")))
    assert type(answer) is result
    assert answer.to_dict() == document


@pytest.mark.parametrize("document", ["text", [GADGET], None])
def test_answer_of_two_kinds_that_is_no_object_is_refused(document: Any) -> None:
    with (
        Platform(document).client() as client,
        pytest.raises(InvalidResponseError, match=r"GadgetEnvelope \| ActivityEnvelope"),
    ):
        convert_gadgets.sync(client=client, body=ConvertUpload(File(b"x")))


def test_table_in_place_of_an_array_stays_text() -> None:
    table = ReportEnvelope.from_dict({"data": "name\nlamp"})
    array = ReportEnvelope.from_dict({"data": [{"name": "lamp"}]})
    assert table.data == "name\nlamp"
    assert array.data == [Gadget(name="lamp")]
    assert [each.to_dict() for each in (table, array)] == [{"data": "name\nlamp"}, {"data": [{"name": "lamp"}]}]


def test_array_of_arrays_is_written_back() -> None:
    document = {"choices": [["a", "b"], [], ["c"]], "level": "bright"}
    assert Gadget.from_dict(document).to_dict() == document


@pytest.mark.parametrize(
    ("body", "sent"), [(Renaming("lamp"), b'{"name":"lamp"}'), (Moving("hall"), b'{"place":"hall"}')]
)
def test_body_of_one_of_two_kinds_is_sent_as_given(body: Renaming | Moving, sent: bytes) -> None:
    platform = Platform(b"")
    with platform.client() as client:
        response = change_gadget.sync_detailed(client=client, body=body)
    assert platform.request.content == sent
    assert response.parsed is None


def test_components_outside_operations_come_out() -> None:
    assert Callback.from_dict({"id": "a"}).id == "a"
    assert Note.from_dict({"text": "a"}).text == "a"


# ---------------------------------------------------------------- text


def test_text_is_decoded_as_utf_8() -> None:
    with Platform("name\nZoë".encode()).client() as client:
        assert export_gadgets.sync(client=client) == "name\nZoë"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (X12.encode() + b"\xff", rf"not UTF-8 \(byte {len(X12)} of {len(X12) + 1}\)"),
        (b" \n", "the body is empty"),
        (json.dumps({"data": CANARY}).encode(), "the body is JSON, text was asked for"),
    ],
)
def test_text_that_cannot_be_read_is_refused(content: bytes, place: str) -> None:
    with Platform(content).client() as client, pytest.raises(InvalidResponseError, match=place) as caught:
        check_gadget_x12.sync(client=client, body=X12)
    assert caught.value.content == content
    caught.value.content = b""
    assert CANARY not in printed(caught.value)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (f"{CANARY}\udc80", ValueError, f"character {len(CANARY)} is a lone surrogate"),
        (Path(CANARY), TypeError, "str or bytes expected"),
        (bytearray(CANARY, "ascii"), TypeError, "bytearray found"),
    ],
)
def test_raw_body_that_cannot_be_sent_is_refused(body: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        raw_body(body)
    assert CANARY not in printed(caught.value)


def printed(error: BaseException) -> str:
    """All that a log or a traceback shows of *error*, apart from source lines of tests."""
    chain = [error, *(each for each in (error.__cause__, error.__context__) if each is not None)]
    return "".join(f"{each} {each!r} {vars(each)}" for each in chain) + "".join(traceback.format_exception_only(error))


# ---------------------------------------------------------------- files


def parts(request: httpx.Request) -> list[tuple[str | None, str | None, str | None, bytes]]:
    """Field, file name, media type and content of each part."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    found: list[tuple[str | None, str | None, str | None, bytes]] = []
    for part in message_from_bytes(head + request.content).get_payload():
        assert not isinstance(part, str)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = part.get_param("name", header="content-disposition")
        found.append((str(name), part.get_filename(), part.get("Content-Type"), content))
    return found


@pytest.fixture
def upload(tmp_path: Path) -> FileUpload:
    path = tmp_path / "week.837"
    path.write_bytes(X12.encode())
    return FileUpload(
        File.from_path(path),
        partner="MOCK",
        is_test=True,
        made_on="2026-11-23",
        more=[File(io.BytesIO(b"one"), mime_type="text/plain"), File(b"two", "2.bin")],
    )


@pytest.mark.filterwarnings("ignore:Last documented:DeprecationWarning")
def test_fields_and_files_become_parts(upload: FileUpload) -> None:
    platform = Platform(ACTIVITY)
    with platform.client() as client:
        submit_file.sync(client=client, body=upload)
    assert parts(platform.request) == [
        ("file", "week.837", "application/EDI-X12", X12.encode()),
        ("partner", None, None, b"MOCK"),
        ("is_test", None, None, b"true"),
        ("made_on", None, None, b"2026-11-23"),
        ("more", "more", "text/plain", b"one"),
        ("more", "2.bin", "application/octet-stream", b"two"),
    ]
    assert re.fullmatch(r"multipart/form-data; boundary=\S{16,}", platform.request.headers["Content-Type"])


class RenewsOnce(httpx.Auth):
    """Sends the request again after a refusal, as after a renewal of the token."""

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        assert isinstance(request.stream, httpx.ByteStream)
        response: Any = yield request
        if response.status_code == 401:
            yield request


@pytest.mark.filterwarnings("ignore:Last documented:DeprecationWarning")
async def test_multipart_body_is_sent_again_byte_for_byte(upload: FileUpload) -> None:
    bodies: list[bytes] = []

    def refuse_first(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return httpx.Response(401 if len(bodies) % 2 else 200, json=ACTIVITY)

    transport = httpx.MockTransport(refuse_first)
    client = Client("http://platform.invalid", auth=RenewsOnce(), transport=transport, async_transport=transport)
    async with client:
        submit_file.sync(client=client, body=upload)
        await submit_file.asyncio(client=client, body=upload)
    first, again, second, last = bodies
    assert first == again
    assert second == last
    assert all(body.count(b"\r\none\r\n") == 1 for body in bodies)  # the file object was read once, and kept


def test_absent_optional_body_sends_none() -> None:
    platform = Platform(ACTIVITY)
    with platform.client() as client, pytest.warns(DeprecationWarning, match="Last documented 2016-08-05"):
        submit_file.sync(client=client)
    assert (platform.request.content, platform.media_types) == (b"", (None, "*/*"))


def test_file_open_as_text_is_refused() -> None:
    text: Any = io.StringIO(CANARY)
    with pytest.raises(TypeError, match=r"File\.payload gives str: open the file in binary mode") as caught:
        File(text).content()
    assert CANARY not in printed(caught.value)


def test_bytes_in_place_of_a_file_are_refused() -> None:
    body: Any = CANARY.encode()
    with pytest.raises(TypeError, match=r"body\.file: File expected, bytes found") as caught:
        multipart_body(ConvertUpload(body), {"file": "text/plain"})
    assert CANARY not in printed(caught.value)


def test_missing_file_is_found_when_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        File.from_path(tmp_path / "gone.837")


def test_file_shows_name_and_size_only() -> None:
    assert repr(File(CANARY.encode(), CANARY, CANARY)) == f"File({len(CANARY)} bytes)"
    assert repr(File(io.BytesIO(CANARY.encode()))) == "File(not read yet)"


def test_request_models_hide_files_and_x12() -> None:
    shown = [
        FileUpload(File(CANARY.encode(), CANARY), more=[File(CANARY.encode(), CANARY)]),
        X12Document(X12),
        X12Envelope.from_dict({"data": {"x12": X12}}),
        FullX12Envelope.from_dict({"data": {}, "x12": X12}),
    ]
    assert CANARY not in repr(shown)


# ---------------------------------------------------------------- errors of each form

VALIDATION = {"meta": META, "data": {"errors": {"validation": {"name": [CANARY]}}}}

CALLS: dict[str, Callable[[Client], Any]] = {
    "json": lambda client: check_gadget.sync(client=client, body=GadgetRequest(CANARY)),
    "async": lambda client: check_gadget_async.sync(client=client, body=GadgetRequest(CANARY)),
    "x12": lambda client: check_gadget_x12.sync(client=client, body=X12),
    "x12_json": lambda client: check_gadget_x12_json.sync(client=client, body=X12Document(X12)),
    "full_x12": lambda client: check_gadget_full_x12.sync(client=client, body=GadgetRequest(CANARY)),
    "multipart": lambda client: convert_gadgets.sync(client=client, body=ConvertUpload(File(X12.encode(), CANARY))),
    "csv": lambda client: import_gadgets.sync(client=client, body=X12),
    "answer in x12": lambda client: get_gadget_data_x12.sync("a", client=client),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (200, VALIDATION, InvalidRequestError),
        (422, VALIDATION, InvalidRequestError),
        (403, {"message": f"Rate limit of {CANARY}"}, RateLimitError),
        (403, {"message": CANARY}, APIError),
        (500, X12.encode(), ServerError),
    ],
)
def test_errors_are_those_of_the_operation_in_every_form(
    call: Callable[[Client], Any], status: int, document: Any, kind: type[Exception]
) -> None:
    with Platform(document, status).client() as client, pytest.raises(kind) as caught:
        call(client)
    error: Any = caught.value
    assert error.operation.id in str(error)
    assert error.operation.path in str(error)
    assert CANARY not in f"{error} {error!r}"


# ---------------------------------------------------------------- what the functions say of themselves


@pytest.mark.parametrize("name", OPERATIONS)
def test_docstring_names_the_other_forms(name: str) -> None:
    operation = OPERATIONS[name]
    module = importlib.import_module(f"golden_api.api.{operation.tag}.{name}")
    text = " ".join(str(inspect.getdoc(module.sync)).split())
    others = [each for each in OPERATIONS if OPERATIONS[each].id == operation.id and each != name]
    assert [each for each in others if not re.search(rf"Other forms: [a-z0-9_, ]*\b{each}\b", text)] == []
    assert ("Other forms" in text) == bool(others)


def test_docstring_says_which_media_types_are_the_same_bytes() -> None:
    text = " ".join(str(submit_file_x12.sync.__doc__).split())
    assert "text/plain and application/octet-stream would be the same bytes under other names" in text


def test_every_form_of_a_deprecated_operation_warns_with_the_day() -> None:
    with Platform(ACTIVITY).client() as client:
        for call in (submit_file_x12.sync, submit_file_x12.sync_detailed):
            with pytest.warns(DeprecationWarning, match="Last documented 2016-08-05") as caught:
                call(client=client, body=X12)
            assert [warning.filename for warning in caught] == [__file__]


def test_other_operations_do_not_warn() -> None:
    with warnings.catch_warnings(), Platform(X12.encode()).client() as client:
        warnings.simplefilter("error")
        assert check_gadget_x12.sync(client=client, body=X12) == X12
