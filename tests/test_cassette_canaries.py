"""Patients and secrets planted wherever a recording comes from: in no cassette, report, log line or failure message."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import vcr
from vcr.request import Request

from pokitdok_api import Client
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.api.eligibility import check_eligibility, check_eligibility_x12
from pokitdok_api.api.files import submit_file
from pokitdok_api.api.identity import create_identity, list_identities
from pokitdok_api.api.oauth import create_token, revoke_token
from pokitdok_api.errors import PokitDokError
from pokitdok_api.models import (
    ClaimRequest,
    EligibilityRequest,
    FileUpload,
    IdentityRequest,
    TokenRequest,
    TokenRevocationRequest,
)
from pokitdok_api.types import File
from pokitdok_ext import connect
from pokitdok_ext.testing import Contract, ReadableYaml, check_cassette, measure, read_cassette, vcr_settings
from pokitdok_ext.testing.cassettes import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Somebody who is not, and secrets that open nothing.
NAME, BORN, SSN, MEMBER = "Quillfeather Zoë", "1931-07-23", "000-77-1931", "ZQ7193107"
SECRET, TOKEN, ISSUED, REFRESH, CODE = "s3cret-canary", "tok-canary-1", "tok-canary-2", "ref-canary-3", "code-canary-4"
TRACES = ("uillfeather", BORN, "19310723", SSN, MEMBER, "s3cret", "canary")

CASSETTES = sorted((Path(__file__).parent / "contract" / "cassettes").rglob("*.yaml"))
CONTRACT = Contract()
HOST = "https://platform.invalid"


def shown(*texts: object) -> list[str]:
    """The traces in *texts*, whichever way they are written."""
    text = "\n".join(map(str, texts))
    basic = base64.b64encode(f"id:{SECRET}".encode()).decode()
    return [trace for trace in (*TRACES, basic, "Qu%C3%ADllfeather") if trace in text]


# ---------------------------------------------------------------- everything that was ever recorded, about somebody

PERSONAL = {
    *("first_name", "middle_name", "last_name", "birth_date", "ssn", "member_id", "address_lines", "email", "phone"),
    *("secondary_phone", "city", "zipcode", "group_number", "group_name", "policy_number", "death_date"),
}
NO_PATIENT = {
    *("provider", "providers", "billing_provider", "attending_provider", "rendering_provider", "prescriber"),
    *("submitter", "receiver", "location", "locations", "residencies"),
}
"""Members below which there are practices and clearinghouses, who are in public directories."""
ABOUT_PROVIDERS = ("/appregistrations", "/providers/")


def planted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: each
            if name in NO_PATIENT
            else (NAME if isinstance(each, str) else [NAME, each])
            if name in PERSONAL
            else planted(each)
            for name, each in value.items()
        }
    return [planted(each) for each in value] if isinstance(value, list) else value


def with_somebody(body: bytes) -> bytes:
    return json.dumps(planted(json.loads(body)), ensure_ascii=False).encode() if body[:1] == b"{" else body


def scrubbed(each: Recorded) -> tuple[Any, Any]:
    """An interaction about somebody, as it would be saved."""
    settings = vcr_settings()
    request = Request(each.method, each.url, with_somebody(each.body), {"content-type": each.media_type})
    request = settings["before_record_request"](request)
    response = {
        "status": {"code": each.status, "message": ""},
        "headers": {"content-type": [each.answer_type]},
        "body": {"string": with_somebody(each.answer)},
    }
    return settings["before_save_interaction"](request, response, SimpleNamespace(requests=[]))  # type: ignore[no-any-return]


@pytest.mark.parametrize("cassette", CASSETTES, ids=lambda path: path.stem)
def test_no_patient_of_any_operation_reaches_a_cassette(cassette: Path) -> None:
    """Told by names of members, not by the marks of the contract, so that a mark too few shows."""
    for each in read_cassette(cassette):
        if not any(part in each.url for part in ABOUT_PROVIDERS):
            request, response = scrubbed(each)
            assert shown(request.uri, request.headers, (request.body or b"").decode(), response) == []


# ---------------------------------------------------------------- a server that repeats all it hears, everywhere


def hostile(request: httpx.Request) -> httpx.Response:
    """Answers with tokens, and with what it was told in places where the contract marks nothing."""
    if request.url.path == "/oauth2/token":
        answer = {"access_token": ISSUED, "refresh_token": REFRESH, "token_type": "bearer", "expires_in": 3600}
        return httpx.Response(200, json={**answer, "note": SECRET})
    content, credentials = request.content.decode(errors="replace"), request.headers.get("authorization")
    told = f"{request.url.query.decode()} {content} {credentials}"
    person = f"{NAME} {BORN} {SSN} {MEMBER} {SECRET} {ISSUED}"
    headers = {
        "set-cookie": f"patient={MEMBER}",
        "x-request": request.url.query.decode(),
        "x-sandbox-warning": f"{MEMBER} {SSN}",
        "location": f"{HOST}/api/v4/identity/?last_name=Quillfeather&next={MEMBER}",
        "www-authenticate": f'Bearer error="invalid_request", error_description="{MEMBER}"',
    }
    if request.url.path.endswith("/claims/"):
        return httpx.Response(502, html=f"<p>{told} {person}</p>", headers=headers)
    meta = {"processing_time": 1, "message": person, "next": f"{HOST}/api/v4/identity/?last_name=Quillfeather"}
    data = {"first_name": NAME, "errors": {"query": [told, person]}, NAME: told, "who_knows": [person, {SSN: BORN}]}
    return httpx.Response(200, json={"meta": meta, "data": data, person: told}, headers=headers)


PERSON = {"first_name": NAME, "last_name": NAME, "birth_date": BORN}
IDENTITY = IdentityRequest.from_dict({**PERSON, "ssn": SSN, "who_knows": [NAME, {MEMBER: SSN}], "member_id": MEMBER})
QUESTION = EligibilityRequest.from_dict({"trading_partner_id": "MOCKPAYER", "member": {"id": MEMBER, **PERSON}})
CLAIM = ClaimRequest.from_dict(
    {"trading_partner_id": "MOCKPAYER", "subscriber": {"member_id": MEMBER, **PERSON}, "patient": {"ssn": SSN}}
)
X12 = f"ISA*00~NM1*IL*1*QUILLFEATHER*ZOË****MI*{MEMBER}~DMG*D8*19310723~NM1*QC*1*Quillfeather~"
UPLOAD = FileUpload(trading_partner_id="MOCKPAYER", file=File(X12.encode(), f"{MEMBER} Quillfeather.270"))
CODE_GRANT = {"grant_type": "authorization_code", "code": CODE, "client_secret": SECRET, "refresh_token": REFRESH}
CALLS = (
    lambda client: list_identities.sync(client=client, first_name=NAME, birth_date=BORN, member_id=MEMBER),
    lambda client: create_identity.sync(client=client, body=IDENTITY),
    lambda client: check_eligibility.sync(client=client, body=QUESTION),
    lambda client: check_eligibility_x12.sync(client=client, body=X12),
    lambda client: submit_file.sync(client=client, body=UPLOAD),
    lambda client: submit_claim.sync(client=client, body=CLAIM),
    lambda client: create_token.sync(client=client, body=TokenRequest.from_dict(CODE_GRANT)),
    lambda client: revoke_token.sync(client=client, body=TokenRevocationRequest(token=TOKEN)),
    lambda client: client.get_httpx_client().get(f"{HOST}/patients/{MEMBER}", params={"name": NAME, SSN: BORN}),
    lambda client: client.get_httpx_client().post(f"{HOST}/patients", content=b"\xff\xfe" + NAME.encode("utf-16")),
)


def call_all(client: Client) -> list[object]:
    """What every call gives or raises."""
    outcomes: list[object] = []
    for call in CALLS:
        try:
            outcomes.append(call(client))
        except PokitDokError as error:
            outcomes.append(type(error))
    return outcomes


@pytest.fixture
def invented_at() -> list[str]:
    return ["https://elsewhere.invalid", f"{HOST}.example"]


@pytest.fixture
def recorder(tmp_path: Path, invented_at: list[str]) -> vcr.VCR:
    recorder = vcr.VCR(cassette_library_dir=str(tmp_path), **vcr_settings(invented_at=invented_at))
    recorder.register_serializer("yaml", ReadableYaml("a hostile server"))
    return recorder


@pytest.fixture
def cassette(recorder: vcr.VCR, tmp_path: Path) -> Path:
    with (
        recorder.use_cassette("hostile.yaml"),
        connect("id", SECRET, base_url=HOST, transport=httpx.MockTransport(hostile), retry=None) as client,
    ):
        call_all(client)
    return tmp_path / "hostile.yaml"


def test_what_a_hostile_server_repeats_is_not_in_the_cassette(cassette: Path) -> None:
    text = cassette.read_text(encoding="utf-8")
    assert len(read_cassette(cassette)) == len(CALLS) + 1
    assert shown(text) == []
    assert "MOCKPAYER" in text, "what says nothing about anybody stays readable"


@pytest.mark.parametrize("invented_at", [[HOST]])
def test_where_people_are_invented_they_stay_and_secrets_go(cassette: Path) -> None:
    text = cassette.read_text(encoding="utf-8")
    assert {*shown(text)} == {"uillfeather", BORN, "19310723", SSN, MEMBER}


def test_no_report_about_the_cassette_shows_them(cassette: Path) -> None:
    findings = check_cassette(cassette, CONTRACT)
    assert findings
    assert shown(*findings, measure([cassette], CONTRACT)) == []


def test_no_finding_shows_what_a_recording_says_that_was_not_scrubbed(tmp_path: Path) -> None:
    """A cassette of somebody else's making, with names where the contract has members of its own."""
    interaction = {
        "request": {
            "method": "POST",
            "uri": f"{HOST}/api/v4/identity/?Quillfeather={MEMBER}",
            "headers": {"content-type": ["application/json"]},
            "body": {"json": {NAME: SSN, "first_name": [NAME], "birth_date": {BORN: MEMBER}}},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["application/json"]},
            "body": {"json": {"meta": {MEMBER: NAME}, "data": {"first_name": [NAME], SSN: BORN}}},
        },
    }
    path = tmp_path / "foreign.yaml"
    path.write_text(json.dumps({"version": 1, "interactions": [interaction]}), encoding="utf-8")

    findings = check_cassette(path, CONTRACT)

    assert len(findings) >= 5
    assert shown(*findings, measure([path], CONTRACT).names()) == []


def test_masked_requests_still_find_their_answers(cassette: Path, recorder: vcr.VCR) -> None:
    with (
        recorder.use_cassette(cassette.name, record_mode="none") as playing,
        connect("id", SECRET, base_url=HOST, retry=None) as client,
    ):
        call_all(client)
    assert playing.all_played


# ---------------------------------------------------------------- a failing test, with everything that pytest prints

FAILING = """
import json, os, logging
import pytest, vcr
from pokitdok_api.api.identity import create_identity, list_identities
from pokitdok_api.models import IdentityRequest
from pokitdok_ext import connect
from pokitdok_ext.testing import ReadableYaml, vcr_settings

def told():
    return json.loads(os.environ["CANARIES"])

def ask(client):
    list_identities.sync(client=client, last_name=told()["name"], first_name=told()["member"], limit=7)

def send(client):
    body = {"first_name": told()["name"], "ssn": told()["ssn"], "birth_date": told()["born"], "id": "changed"}
    create_identity.sync(client=client, body=IdentityRequest.from_dict(body))

@pytest.mark.parametrize("call", [ask, send])
def test_request_that_is_not_in_the_cassette(call, caplog):
    caplog.set_level(logging.DEBUG)
    recorder = vcr.VCR(cassette_library_dir=os.environ["CASSETTES"], **vcr_settings())
    recorder.register_serializer("yaml", ReadableYaml("here"))
    with recorder.use_cassette("hostile.yaml", record_mode="none"):
        with connect("id", told()["secret"], base_url="https://platform.invalid", retry=None) as client:
            call(client)
"""


@pytest.mark.slow
def test_no_failure_message_shows_them(cassette: Path, tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text(FAILING, encoding="utf-8")
    canaries = {"name": NAME, "member": MEMBER, "ssn": SSN, "born": BORN, "secret": SECRET}
    environment = {**os.environ, "CANARIES": json.dumps(canaries), "CASSETTES": str(cassette.parent)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-vv",
        "-o",
        "log_level=DEBUG",
        "-p",
        "no:cacheprovider",
        "test_failing.py",
    ]

    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 1
    assert "2 failed" in done.stdout
    assert "no recorded interaction matches it" in done.stdout
    assert "last_name=REDACTED" in done.stdout
    assert shown(done.stdout, done.stderr) == []
