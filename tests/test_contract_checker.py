"""The checker of traffic against the contract, on a contract of its own: each kind of finding, and no values in any."""

from __future__ import annotations

import json

import pytest

from pokitdok_ext.testing import Contract

CANARY = "Canary-Quill-1984"

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/things/": {
            "post": {
                "operationId": "make_thing",
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {
                    "200": {
                        "description": "ok",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "anyOf": [
                                        {"$ref": "#/components/schemas/Thing"},
                                        {"$ref": "#/components/schemas/Failure"},
                                    ]
                                }
                            }
                        },
                    },
                    "default": {"description": "any"},
                },
            }
        },
        "/files/": {
            "post": {
                "operationId": "send_file",
                "requestBody": {
                    "content": {
                        "multipart/form-data": {"schema": {"$ref": "#/components/schemas/Upload"}},
                        "application/EDI-X12": {"schema": {"type": "string"}},
                    }
                },
                "responses": {
                    "200": {"description": "ok", "content": {"application/EDI-X12": {"schema": {"type": "string"}}}}
                },
            }
        },
        "/things/{id}": {"get": {"operationId": "read_thing", "responses": {"204": {"description": "none"}}}},
        "/things/status": {"get": {"operationId": "read_status", "responses": {"204": {"description": "none"}}}},
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "free": {"type": "object", "additionalProperties": True},
                    "by_code": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Thing"}},
                },
            },
            "Upload": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}, "kind": {"type": "string"}},
            },
            "Failure": {"type": "object", "required": ["errors"], "properties": {"errors": {"type": "string"}}},
        }
    },
}

CONTRACT = Contract(DOCUMENT)


def request_findings(
    value: object, url: str = "https://host.test/things/", media_type: str = "application/json"
) -> list[str]:
    body = json.dumps(value).encode()
    return [str(finding) for finding in CONTRACT.check_request("POST", url, media_type=media_type, body=body)]


def answer_findings(body: bytes, status: int = 200) -> list[str]:
    return [str(finding) for finding in CONTRACT.check_answer("POST", "/things/", status=status, body=body)]


def test_good_traffic_gives_no_findings() -> None:
    assert request_findings({"name": "a", "parts": [{"name": "b"}], "by_code": {"x": {"name": "c"}}}) == []
    assert request_findings({"name": "a", "free": {"anything": {"at": ["any", {"depth": 1}]}}}) == []
    assert answer_findings(b'{"name": "a"}') == []
    assert answer_findings(b'{"errors": "no"}') == []


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ({}, "make_thing request /: body: breaks required"),
        ({"name": 1}, "make_thing request /name: body: breaks type"),
        ({"name": "a", "parts": [{}]}, "make_thing request /parts/0: body: breaks required"),
        ({"name": "a", "extra": CANARY}, "make_thing request: undocumented property: /extra"),
        ({"name": "a", "parts": [{"name": "b", "x": 1}]}, "make_thing request: undocumented property: /parts/*/x"),
        (
            {"name": "a", "by_code": {CANARY: {"name": "b", "x": 1}}},
            "make_thing request: undocumented property: /by_code/*/x",
        ),
    ],
)
def test_bad_request_body_is_found(value: object, finding: str) -> None:
    assert request_findings(value) == [finding]


def test_undocumented_query_parameter_is_found_by_name() -> None:
    findings = request_findings({"name": "a"}, url=f"https://host.test/things/?limit=1&who={CANARY}")
    assert findings == ["make_thing request: undocumented property: query parameter who"]


def test_undocumented_media_type_is_found() -> None:
    assert request_findings({"name": "a"}, media_type="text/plain") == [
        "make_thing request: media type: text/plain is not documented"
    ]


def test_unreadable_body_is_found() -> None:
    assert answer_findings(b"<html>") == ["make_thing answer 200: body: cannot be read as application/json"]


def test_status_that_only_default_covers_is_found() -> None:
    assert answer_findings(b"{}", status=418) == ["make_thing answer 418: status: is not documented"]


def test_operation_that_is_not_in_the_contract_is_found_without_its_path() -> None:
    [finding] = CONTRACT.check_answer("GET", f"https://host.test/{CANARY}/x/y", status=200, body=b"")
    assert str(finding) == "GET on a path of 3 segments: operation: is not in the contract"


def test_literal_path_beats_parameter() -> None:
    operation = CONTRACT.operation("GET", "/things/status")
    assert operation is not None
    assert operation.id == "read_status"


def test_body_of_an_answer_without_documented_content_is_found() -> None:
    [finding] = CONTRACT.check_answer("GET", "/things/7", status=204, body=b"x")
    assert str(finding) == "read_thing answer 204: body: there is one where none is documented"


def test_no_value_stands_in_any_finding() -> None:
    bad = {"name": {"x": CANARY}, "parts": CANARY, "by_code": {CANARY: CANARY}, "extra": {"deep": CANARY}}
    text = "\n".join(request_findings(bad) + answer_findings(json.dumps({"errors": [CANARY]}).encode()))
    assert text
    assert CANARY not in text


def multipart(*parts: tuple[str, str]) -> bytes:
    lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{content}\r\n' for name, content in parts]
    return ("".join(lines) + "--b--\r\n").encode()


@pytest.mark.parametrize(
    ("parts", "findings"),
    [
        ([("file", CANARY), ("kind", "837")], []),
        ([("kind", "837")], ["send_file request /: body: breaks required"]),
        ([("file", CANARY), ("more", CANARY)], ["send_file request: undocumented property: /more"]),
    ],
)
def test_multipart_is_compared_part_by_part(parts: list[tuple[str, str]], findings: list[str]) -> None:
    found = CONTRACT.check_request(
        "POST", "/files/", media_type="multipart/form-data; boundary=b", body=multipart(*parts)
    )
    assert [str(finding) for finding in found] == findings


def test_multipart_without_its_boundary_cannot_be_read() -> None:
    [finding] = CONTRACT.check_request(
        "POST", "/files/", media_type="multipart/form-data", body=multipart(("file", "x"))
    )
    assert str(finding) == "send_file request: body: cannot be read as multipart/form-data"


def test_bare_text_is_compared_whatever_the_spelling_of_its_media_type() -> None:
    assert CONTRACT.check_request("POST", "/files/", media_type="application/edi-x12", body=b"ISA*") == []
