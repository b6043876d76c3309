"""A real HTTP/2 exchange over TLS on this machine, with every logger at DEBUG, and the output of a failing test.

hpack logs each header and httpx each URL; pytest prints the locals of a failing test. None of it may show a secret
or a patient.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import trustme

from pokitdok_api.api.activities import get_activity, list_activities
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import EligibilityMember, EligibilityRequest, EligibilityRequestProvider
from pokitdok_ext import PokitDokError, connect

PATIENT, SECRET, TOKEN = "Quillfeather", "s3cr3t-canary", "t0ken-canary"
PLANTED = (PATIENT, SECRET, TOKEN, "aWQ6czNjcjN0LWNhbmFyeQ==")  # the last is the Basic pair


SERVER = "platform"
"""The thread of the other side, whose log is its own."""
TOKEN_ANSWER = json.dumps({"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}).encode()


class Platform(asyncio.Protocol):
    """Answers each request over HTTP/2 with a patient; the token request, which comes over HTTP/1.1, with a token."""

    seen: list[tuple[str, str]]

    def __init__(self) -> None:
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._paths: dict[int, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._is_http2 = transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        if self._is_http2:
            self._h2.initiate_connection()
            self._transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        if not self._is_http2:
            if b"grant_type" in data:
                head = (
                    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(TOKEN_ANSWER)}\r\n\r\n"
                )
                self._transport.write(head.encode() + TOKEN_ANSWER)
            return
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = {str(name): str(value) for name, value in event.headers}
                self._paths[event.stream_id] = headers[":path"]
                self.seen.append((headers[":path"], headers.get("authorization", "")))
            elif isinstance(event, h2.events.StreamEnded):
                self._answer(event.stream_id)
        self._transport.write(self._h2.data_to_send())

    def _answer(self, stream: int) -> None:
        path = self._paths[stream]
        document: object
        if "activities/" in path and PATIENT in path and "?" not in path:
            status, document = "404", {"data": {"errors": {"query": f"no activity of {PATIENT}"}}}
        else:
            status, document = "200", {"data": {"subscriber": {"last_name": PATIENT}} if "elig" in path else []}
        body = json.dumps(document).encode()
        headers = [(":status", status), ("content-type", "application/json"), ("x-member", PATIENT)]
        self._h2.send_headers(stream, headers)
        self._h2.send_data(stream, body, end_stream=True)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The platform on a port of this machine, in a loop of its own; its address and what it was asked."""
    seen: list[tuple[str, str]] = []
    protocol = type("Recording", (Platform,), {"seen": seen})
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, name=SERVER)
    thread.start()
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}", seen
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class Heard(logging.Handler):
    """Everything that is logged, with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.texts: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.threadName != SERVER:
            self.texts.append((record.name, f"{self.format(record)} {record.args!r}"))


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[Heard]:
    for name in ("hpack.hpack", "hpack.table", "httpcore", "httpcore.http2", "httpx", "h2"):
        logging.getLogger(name)  # so that it is there to be set
    for name in ("", *logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name or None)
    handler = Heard()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def platform() -> Iterator[tuple[str, ssl.SSLContext, list[tuple[str, str]]]]:
    authority = trustme.CA()
    here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(here)
    here.set_alpn_protocols(["h2", "http/1.1"])
    there = ssl.create_default_context()
    authority.configure_trust(there)
    with serving(here) as (address, seen):
        yield address, there, seen


def test_http2_exchange_shows_no_secret_and_no_patient_in_any_log_record(
    platform: tuple[str, ssl.SSLContext, list[tuple[str, str]]], heard: Heard
) -> None:
    address, trust, seen = platform
    said: list[str] = []
    member, provider = EligibilityMember(last_name=PATIENT, id=PATIENT), EligibilityRequestProvider(npi="1234567893")
    body = EligibilityRequest(trading_partner_id="X", member=member, provider=provider)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with connect("id", SECRET, base_url=address, httpx_args={"http2": True, "verify": trust}) as client:
            answer = check_eligibility.sync_detailed(client=client, body=body)
            listed = list_activities.sync(client=client, parent_id=PATIENT)
            with pytest.raises(PokitDokError) as caught:
                get_activity.sync(PATIENT, client=client)
            said += [repr(each) for each in (client, client.tokens, client.tokens.state(), answer, listed, body)]
        said += [str(caught.value), repr(caught.value), repr(caught.value.__context__), *(str(each) for each in warned)]
    assert [authorization for path, authorization in seen if "elig" in path] == [f"Bearer {TOKEN}"]
    assert {name for name, _ in heard.texts} >= {"httpx", "httpcore.http2", "hpack.hpack"}, "little was logged"
    leaks = [name for name, text in heard.texts if any(each in text for each in PLANTED)]
    assert leaks == []
    assert [text for text in said if any(each in text for each in PLANTED)] == []


FAILING = """
import httpx
from pokitdok_api.api.activities import list_activities
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.errors import APIError
from pokitdok_api.models import EligibilityEnvelope, EligibilityRequest
from pokitdok_api.types import File
from pokitdok_ext import connect

P = "Quill" + "feather"
S, T = "s3cr3t" + "-canary", "t0ken" + "-canary"


def platform(request):
    if request.url.path == "/oauth2/token":
        return httpx.Response(200, json={"access_token": T, "token_type": "bearer", "expires_in": 3600})
    if request.url.path.endswith("activities/"):
        return httpx.Response(422, json={"data": {"errors": {"validation": {"member": [P]}}}})
    return httpx.Response(200, json={"data": {"subscriber": {"last_name": P}, P: P}})


def asked(secret):
    client = connect("id", secret(), base_url="http://127.0.0.1:1", transport=httpx.MockTransport(platform))
    body = EligibilityRequest.from_dict({"trading_partner_id": "X", "member": {"last_name": P}, "new": P})
    return client, body, check_eligibility.sync_detailed(client=client, body=body), File(P.encode(), P)


def test_locals():
    client, body, answer, file = asked(lambda: S)
    parsed, state, tokens = answer.parsed, client.tokens.state(), client.tokens
    assert parsed == EligibilityEnvelope()


def test_error():
    client, body, answer, file = asked(lambda: S)
    list_activities.sync(client=client, parent_id=P)


def test_misfit():
    parsed = EligibilityEnvelope.from_dict({"data": {"subscriber": [P]}})
"""


@pytest.mark.slow
def test_failing_test_of_somebody_else_shows_no_secret_and_no_patient(tmp_path: Path) -> None:
    """Our objects are its locals; what it writes down itself is its own affair, so it writes down nothing planted."""
    (tmp_path / "test_theirs.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--showlocals", "-vv", "test_theirs.py"]
    done = subprocess.run([*command, "-c", "/dev/null"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 failed" in done.stdout, done.stdout[-2000:]
    assert "EligibilityRequest(" in done.stdout
    shown = [line for line in done.stdout.splitlines() if any(each in line for each in PLANTED)]
    assert shown == []
