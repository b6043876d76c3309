"""A lone surrogate (half a character, as in the JSON "\\ud800") is refused on every path and never gives a 500."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from pokitdok_sandbox.contract import FORM, JSON, Operation, load_contract
from pokitdok_sandbox.reading import MULTIPART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTRACT = load_contract()
SENT = yaml.safe_load((Path(__file__).parent.parent / "operations.yaml").read_text(encoding="utf-8"))
HERE = "\N{SNOWMAN}"
RAW = "\ud800".encode("utf-8", "surrogatepass")
LOGIN = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}


def marked(value: Any) -> Iterator[Any]:
    """*value* with a mark in one of its texts or names, each of them once."""
    if isinstance(value, str):
        yield value + HERE
    elif isinstance(value, list):
        for place, item in enumerate(value):
            for each in marked(item):
                yield [*value[:place], each, *value[place + 1 :]]
    elif isinstance(value, dict):
        yield {**value, HERE: 1}
        for name, item in value.items():
            for each in marked(item):
                yield {**value, name: each}


def bodies(operation: Operation) -> Iterator[tuple[str, bytes]]:
    """Media type and body, with a surrogate in every place: as an escape, and as bytes that are no UTF-8."""
    for media_type in operation.bodies:
        if not media_type.endswith("json"):
            yield media_type, b"ISA*00*" + RAW
            continue
        pointer = operation.bodies[media_type].removesuffix("/schema")
        examples = CONTRACT.resolve(pointer)[1].get("examples", {})
        found = [CONTRACT.resolve(f"{pointer}/examples/{name}")[1]["value"] for name in examples]
        for example in [*found, *([SENT["bodies"][operation.id]] if operation.id in SENT["bodies"] else [])]:
            for document in marked(example):
                text = json.dumps(document, ensure_ascii=False)
                yield media_type, text.replace(HERE, "\\ud800").encode()
                yield media_type, text.encode().replace(HERE.encode(), RAW)


async def test_body_is_refused(make_app: Callable[..., Any], sign_in: Callable[..., Any]) -> None:
    refused = 0
    async with sign_in(make_app(rate_limit=100_000), scope="user_schedule business_schedule") as client:
        for operation in CONTRACT.operations:
            if not operation.path.startswith("/api/"):
                continue  # what takes tokens has a test of its own
            path = re.sub(r"\{\w+\}", "5317f51527a27620f2ec7533", operation.path)
            for media_type, content in bodies(operation):
                headers = {"Content-Type": media_type}
                answer = await client.request(operation.method, path, content=content, headers=headers)
                assert 400 <= answer.status_code < 500, (operation.id, media_type, answer.status_code)
                if media_type == JSON:
                    assert "body" in answer.json()["data"]["errors"]["validation"], operation.id
                    refused += 1
    assert refused > 1000


async def test_query_and_path_are_never_a_fault(make_app: Callable[..., Any], sign_in: Callable[..., Any]) -> None:
    async with sign_in(make_app(rate_limit=100_000), scope="user_schedule business_schedule") as client:
        for operation in CONTRACT.operations:
            path = re.sub(r"\{\w+\}", "%ED%A0%80", operation.path)
            for name in [*operation.parameters, "other", "%ED%A0%80"]:
                answer = await client.request(operation.method, f"{path}?{name}=%ED%A0%80")
                assert answer.status_code < 500, (operation.id, name)


@pytest.mark.parametrize("charset", ["utf-8", "unicode_escape", "raw_unicode_escape", "utf-7"])
async def test_form_in_an_odd_charset_is_never_a_fault(
    make_app: Callable[..., Any], sign_in: Callable[..., Any], charset: str
) -> None:
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: text/plain; charset={charset}\r\n\r\n'
        "x\\ud800+2AA-\r\n"
        for name in ("trading_partner_id", "file", "callback_url", "state", "client_id")
    )
    content = f"{parts}--b--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; charset={charset}; boundary=b"}
    async with sign_in(make_app()) as client:
        paths = [each.path for each in CONTRACT.operations if MULTIPART in each.bodies]
        for path in [*paths, "/oauth2/token", "/oauth2/authorize?response_type=code&client_id=sandbox-client-id"]:
            answer = await client.post(path, content=content, headers=headers)
            assert answer.status_code < 500, path


@pytest.mark.parametrize(
    ("path", "media_type"), [("/oauth2/token", FORM), ("/oauth2/token", JSON), ("/oauth2/revoke", JSON)]
)
@pytest.mark.parametrize("grant", ["client_credentials", "refresh_token", "authorization_code", "\ud800"])
async def test_token_request_is_refused(
    make_app: Callable[..., Any], sign_in: Callable[..., Any], path: str, media_type: str, grant: str
) -> None:
    names = ("refresh_token", "code", "redirect_uri", "scope", "token")
    fields = {**LOGIN, "grant_type": grant, **dict.fromkeys(names, "\ud800")}
    text = "&".join(f"{name}={value}" for name, value in fields.items()).replace("\ud800", "%ED%A0%80")
    content = json.dumps(fields) if media_type == JSON else text
    async with sign_in(make_app()) as client:
        answer = await client.post(path, content=content, headers={"Content-Type": media_type})
        assert answer.status_code < 500
        if path == "/oauth2/token" and media_type == JSON:
            assert (answer.status_code, "access_token" in answer.text) == (400, False)


@pytest.mark.parametrize(("method", "path"), [("POST", "/_sandbox/faults"), ("PATCH", "/_sandbox/settings")])
@pytest.mark.parametrize(
    "content",
    [
        b'{"name": "\\ud800"}',
        b'{"name": "latency", "operations": ["\\ud800"]}',
        b'{"\\ud800": 1}',
        b'{"consent": "\\ud800"}',
        b'{"application_mode": "\\ud800"}',
    ],
)
async def test_order_to_the_sandbox_is_refused(
    make_app: Callable[..., Any], sign_in: Callable[..., Any], method: str, path: str, content: bytes
) -> None:
    async with sign_in(make_app()) as client:
        assert (await client.request(method, path, content=content)).status_code == 400
        assert (await client.get(path)).status_code == 200


def test_httpx_sends_what_these_tests_mean() -> None:
    request = httpx.Request("GET", "http://sandbox.test/%ED%A0%80?a=%ED%A0%80")
    assert request.url.raw_path == b"/%ED%A0%80?a=%ED%A0%80"
