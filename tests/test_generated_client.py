"""The generated client: how requests look, whose connections they use, what is logged, and what is imported."""

from __future__ import annotations

import asyncio
import copy
import importlib
import json
import logging
import pickle
import pkgutil
import subprocess
import sys
import timeit
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import pokitdok_api
from pokitdok_api import Client
from pokitdok_api._operations import GET_ACTIVITY, OPERATIONS
from pokitdok_api._requests import RequestParts, form_body, json_body, path_segment, query
from pokitdok_api.api.activities import get_activity, list_activities, update_activity
from pokitdok_api.api.oauth import create_token
from pokitdok_api.errors import ClientClosedError
from pokitdok_api.models import (
    ActivityTransitionRequest,
    EligibilityEnvelope,
    EligibilityMember,
    GrantType,
    TokenRequest,
)
from pokitdok_api.types import UNSET, File, Response, Unset

CANARY = "Quillfeather"
HOST = "http://platform.invalid"


class Platform:
    """Answers everything alike and remembers what it was asked."""

    def __init__(self, document: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self.headers = headers or {}
        self._answer = (status, document if document is not None else {"meta": {"processing_time": 1}, "data": {}})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, document = self._answer
        return httpx.Response(status, json=document, headers=self.headers)

    def client(self, **arguments: Any) -> Client:
        transport = httpx.MockTransport(self)
        return Client(arguments.pop("base_url", HOST), transport=transport, async_transport=transport, **arguments)


# ---------------------------------------------------------------- requests


def test_request_carries_its_operation() -> None:
    platform = Platform()
    with platform.client() as client:
        get_activity.sync("a", client=client)
    [request] = platform.requests
    assert request.extensions["pokitdok.operation"] is GET_ACTIVITY
    assert (GET_ACTIVITY.retry, GET_ACTIVITY.path) == ("safe", "/api/v4/activities/{activity_id}")


def test_paging_is_part_of_the_operation() -> None:
    assert OPERATIONS["list_activities"].paging == {"limit": "limit", "offset": "offset", "next": "meta.next"}


@pytest.mark.parametrize("base_url", [HOST, f"{HOST}/"])
def test_path_follows_the_base_url(base_url: str) -> None:
    platform = Platform()
    with platform.client(base_url=base_url) as client:
        get_activity.sync("a/b ?", client=client)
    assert platform.requests[0].url.raw_path == b"/api/v4/activities/a%2Fb%20%3F"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_path_value_that_would_address_something_else_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="activity_id is empty or a dot segment"):
        path_segment("activity_id", value)


def test_unset_query_parameters_are_left_out() -> None:
    platform = Platform({"data": []})
    with platform.client() as client:
        list_activities.sync(client=client, limit=5)
    assert str(platform.requests[0].url.query, "ascii") == "limit=5"


def test_query_values_are_written_as_the_api_reads_them() -> None:
    pairs = query(
        ("a", True), ("b", False), ("c", UNSET), ("d", None), ("e", ["x", 1]), ("f", GrantType.CLIENT_CREDENTIALS)
    )
    assert pairs == (("a", "true"), ("b", "false"), ("e", "x"), ("e", "1"), ("f", "client_credentials"))


def test_body_is_compact_utf_8_json() -> None:
    platform = Platform()
    with platform.client() as client:
        update_activity.sync("a", client=client, body=ActivityTransitionRequest("cancel"))
    [request] = platform.requests
    assert (request.method, request.content) == ("PUT", b'{"transition":"cancel"}')
    assert request.headers["Content-Type"] == "application/json"
    assert json_body(EligibilityMember(first_name="Zoë")) == '{"first_name":"Zoë"}'.encode()


def test_lone_surrogate_is_sent_escaped() -> None:
    body = json_body(EligibilityMember(first_name="\udc80"))
    assert body == b'{"first_name":"\\udc80"}'
    assert json.loads(body) == {"first_name": "\udc80"}


def test_number_that_json_lacks_is_refused() -> None:
    member = EligibilityMember()
    member.additional_properties["x"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        json_body(member)


def test_form_is_url_encoded() -> None:
    body = TokenRequest(GrantType.CLIENT_CREDENTIALS, client_secret="a&b=ç ")
    assert form_body(body) == b"grant_type=client_credentials&client_secret=a%26b%3D%C3%A7+"


class Signed(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = "Bearer t"
        yield request


async def test_token_request_is_not_signed_and_others_are() -> None:
    platform = Platform()
    async with platform.client(auth=Signed()) as client:
        create_token.sync(client=client, body=TokenRequest(GrantType.CLIENT_CREDENTIALS))
        await create_token.asyncio(client=client, body=TokenRequest(GrantType.CLIENT_CREDENTIALS))
        get_activity.sync("a", client=client)
    assert ["Authorization" in request.headers for request in platform.requests] == [False, False, True]


def test_timeout_of_the_call_beats_that_of_the_client() -> None:
    platform = Platform()
    with platform.client() as client:
        get_activity.sync("a", client=client)
        get_activity.sync("a", client=client, timeout=3)
        get_activity.sync("a", client=client, timeout=None)
    timeouts = [request.extensions["timeout"] for request in platform.requests]
    assert [each["read"] for each in timeouts] == [60.0, 3, None]
    assert timeouts[0]["connect"] == 10.0


def test_timeout_of_the_client_can_be_chosen() -> None:
    platform = Platform()
    with platform.client(timeout=7.0) as client:
        get_activity.sync("a", client=client)
    assert platform.requests[0].extensions["timeout"]["read"] == 7.0


def test_detailed_call_gives_the_answer_around_the_content() -> None:
    platform = Platform({"data": {"id": "i"}})
    with platform.client() as client:
        response = get_activity.sync_detailed("a", client=client)
    assert response.status_code == 200
    assert response.headers["CONTENT-TYPE"] == "application/json"
    assert json.loads(response.content) == {"data": {"id": "i"}}
    assert response.parsed.data
    assert response.parsed.data.id == "i"
    assert repr(response) == "Response(status_code=200, parsed=ActivityEnvelope)"


def test_headers_of_the_client_are_sent() -> None:
    platform = Platform()
    with platform.client(headers={"User-Agent": "u"}) as client:
        get_activity.sync("a", client=client)
    assert platform.requests[0].headers["User-Agent"] == "u"
    assert platform.requests[0].headers["Accept"] == "*/*"


# ---------------------------------------------------------------- the client


@pytest.mark.parametrize(
    "base_url",
    ["", "platform.invalid", "ftp://x", f"{HOST}/api/v4", f"{HOST}?a=b", "http://u:p@x", "http://x:port", "http://"],
)
def test_base_url_that_is_no_host_root_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url is the root of a host"):
        Client(base_url)


@pytest.mark.parametrize("argument", ["follow_redirects", "auth", "transport"])
def test_httpx_argument_that_is_ours_is_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=argument):
        Client(HOST, httpx_args={argument: None})


def test_httpx_arguments_reach_httpx() -> None:
    with Client(HOST, httpx_args={"max_redirects": 3}) as client:
        assert client.get_httpx_client().max_redirects == 3


async def test_cookies_are_kept_as_httpx_keeps_them() -> None:
    platform = Platform(headers={"Set-Cookie": "seen=1; Path=/"})
    client = platform.client(httpx_args={"cookies": {"given": "a"}})
    for _ in range(2):
        get_activity.sync("a", client=client)
        await get_activity.asyncio("a", client=client)
    first, first_async, second, second_async = (request.headers["Cookie"] for request in platform.requests)
    assert first == first_async == "given=a"
    assert second == second_async == "given=a; seen=1"
    client.get_httpx_client().cookies = httpx.Cookies({"other": "b"})
    get_activity.sync("a", client=client)
    assert platform.requests[-1].headers["Cookie"] == "other=b"


def test_path_without_values_is_parsed_once_and_one_with_values_each_time() -> None:
    platform = Platform({"meta": {}, "data": None})
    client = platform.client()
    for _ in range(2):
        list_activities.sync(client=client, limit=1)
        get_activity.sync("1931", client=client)
    assert [request.url.path for request in platform.requests] == ["/api/v4/activities/", "/api/v4/activities/1931"] * 2
    assert list(client._urls) == ["/api/v4/activities/"], "what may be a patient's is not kept"


class Tokens:
    def __init__(self) -> None:
        self.closed = 0

    def state(self) -> str:
        return "fine"

    def close(self) -> None:
        self.closed += 1


def test_tokens_are_closed_with_the_client() -> None:
    tokens = Tokens()
    with Client(HOST, tokens=tokens) as client:
        assert client.tokens.state() == "fine"
        assert tokens.closed == 0
    assert tokens.closed == 1


async def test_tokens_are_closed_with_the_async_client() -> None:
    tokens = Tokens()
    async with Client(HOST, tokens=tokens):
        pass
    assert tokens.closed == 1


def test_client_without_tokens_says_so() -> None:
    with pytest.raises(AttributeError, match="made without"):
        _ = Client(HOST).tokens


def test_closed_client_says_so() -> None:
    client = Platform().client()
    client.close()
    with pytest.raises(ClientClosedError, match="closed"):
        get_activity.sync("a", client=client)
    with pytest.raises(ClientClosedError, match="closed"):
        asyncio.run(get_activity.asyncio("a", client=client))


def test_one_client_serves_several_event_loops() -> None:
    client = Platform().client()
    seen = []

    async def once() -> None:
        await get_activity.asyncio("a", client=client)
        await get_activity.asyncio("a", client=client)
        seen.append(client.get_async_httpx_client())

    for _ in range(3):
        asyncio.run(once())
    assert len({id(each) for each in seen}) == 3


async def test_connections_of_the_loop_are_closed() -> None:
    client = Platform().client()
    await get_activity.asyncio("a", client=client)
    http, synchronous = client.get_async_httpx_client(), client.get_httpx_client()
    await client.aclose()
    assert http.is_closed
    assert synchronous.is_closed


# ---------------------------------------------------------------- logs


@pytest.fixture
def httpx_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


async def test_log_shows_the_path_template_and_no_value(httpx_log: pytest.LogCaptureFixture) -> None:
    platform = Platform({"data": []})
    async with platform.client() as client:
        list_activities.sync(client=client, parent_id=CANARY)
        await list_activities.asyncio(client=client, parent_id=CANARY)
        with pytest.raises(pokitdok_api.errors.InvalidResponseError):  # type: ignore[attr-defined]
            get_activity.sync(CANARY, client=client)
    lines = [record.getMessage() for record in httpx_log.records if record.name == "httpx"]
    assert f'HTTP Request: GET {HOST}/api/v4/activities/ "HTTP/1.1 200 OK"' in lines
    assert f'HTTP Request: GET {HOST}/api/v4/activities/{{activity_id}} "HTTP/1.1 200 OK"' in lines
    assert len(lines) == 3
    assert CANARY not in httpx_log.text


def test_log_lines_of_others_are_left_alone(httpx_log: pytest.LogCaptureFixture) -> None:
    platform = Platform()
    with platform.client() as client, httpx.Client(transport=httpx.MockTransport(platform)) as other:
        get_activity.sync("a", client=client)
        other.get("http://other.invalid/search?q=theirs")
    assert "http://other.invalid/search?q=theirs" in httpx_log.text


def test_filter_is_installed_once() -> None:
    for _ in range(2):
        with Client(HOST) as client:
            client.get_httpx_client()
    ours = [each for each in logging.getLogger("httpx").filters if "pokitdok_api" in getattr(each, "__module__", "")]
    assert len(ours) == 1


# ---------------------------------------------------------------- types


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copy_of_unset_is_unset(again: Any) -> None:
    assert again(UNSET) is UNSET


def test_unset_is_false_and_says_its_name() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert isinstance(UNSET, Unset)


def test_response_and_file_show_no_content() -> None:
    response = Response(status_code=200, headers={"x": CANARY}, content=CANARY.encode(), parsed=CANARY)
    file = File(CANARY.encode(), "week.837", mime_type=CANARY)
    assert CANARY not in repr(response) + repr(file)


def test_parts_of_a_request_show_no_content() -> None:
    assert CANARY not in repr(RequestParts(operation=GET_ACTIVITY, path=CANARY, content=CANARY.encode()))


def test_repr_of_a_member_shows_no_patient_data() -> None:
    member = EligibilityMember(first_name=CANARY, last_name=CANARY, birth_date=CANARY, id=CANARY)
    assert CANARY not in repr(member)
    assert "first_name=<masked>" in repr(member)


# ---------------------------------------------------------------- imports


def test_every_module_is_importable() -> None:
    names = [each.name for each in pkgutil.walk_packages(pokitdok_api.__path__, "pokitdok_api.")]
    assert len([importlib.import_module(name) for name in names]) > len(OPERATIONS)


@pytest.mark.parametrize("module", ["pokitdok_api", "pokitdok_api.models"])
def test_names_of_a_lazy_package_are_all_there(module: str) -> None:
    package = importlib.import_module(module)
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


def loaded_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_importing_an_endpoint_loads_neither_httpx_nor_a_model() -> None:
    loaded = loaded_after("import pokitdok_api.api.eligibility.check_eligibility")
    models = {name for name in loaded if name.startswith("pokitdok_api.models.")}
    assert "httpx" not in loaded
    assert models == set()


def test_importing_the_package_loads_nothing_of_it() -> None:
    loaded = loaded_after("import pokitdok_api, pokitdok_api.models, pokitdok_api.types")
    ours = {name for name in loaded if name.startswith("pokitdok_api")}
    assert ours == {"pokitdok_api", "pokitdok_api.models", "pokitdok_api.types"}
    assert "httpx" not in loaded


def test_errors_and_models_need_no_httpx() -> None:
    assert "httpx" not in loaded_after(
        "import pokitdok_api.errors\nfrom pokitdok_api.models import Activity\nActivity.from_dict({})"
    )


def test_reading_loads_only_the_class_that_a_union_needs() -> None:
    code = "from pokitdok_api.models import Activity\nActivity.from_dict({'parameters': {'member': {}}})"
    loaded = loaded_after(code)
    assert "pokitdok_api.models.eligibility_activity_parameters" in loaded
    assert "pokitdok_api.models.claim_activity_parameters" not in loaded


def test_reading_and_writing_stay_near_the_json_decoder() -> None:
    """A generous guard by ratio, best of several rounds; `nox -s bench` measures. Stock takes six times."""
    money = {"amount": "25", "currency": "USD"}
    copay = {
        "in_plan_network": "yes",
        "coverage_level": "family",
        "copayment": money,
        "messages": [{"message": "m" * 40}],
    }
    answer = {"data": {"coverage": {"service_date": "2026-11-24", "copay": [copay] * 50}}}
    text, model = json.dumps(answer).encode(), EligibilityEnvelope.from_dict(answer)
    ways: list[Callable[[], object]] = [
        lambda: json.loads(text),
        lambda: EligibilityEnvelope.from_dict(answer),
        model.to_dict,
    ]
    decoding, reading, writing = (min(timeit.repeat(way, number=5, repeat=20)) for way in ways)
    assert reading < 4 * decoding
    assert writing < 4 * decoding


def test_connecting_and_importing_an_endpoint_load_neither_attrs_nor_a_model() -> None:
    code = "from pokitdok_ext import connect\nimport pokitdok_api.api.eligibility.check_eligibility\n"
    loaded = loaded_after(f"{code}connect(token='t', base_url='http://127.0.0.1:1')")
    assert not loaded & {"attr", "attrs"}
    assert not {name for name in loaded if name.startswith("pokitdok_api.models.")}
    assert len(loaded - loaded_after("import httpx")) < 80
