"""Nothing that acts is carried out twice: faults of the sandbox, and connections broken at every point by a proxy.

The sandbox counts what it has carried out, whether or not its answer arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pokitdok_api.api.claims import submit_claim
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import ClaimRequest, EligibilityRequest
from pokitdok_ext import InvalidResponseError, PokitDokError, Retry, connect
from pokitdok_ext.fast import FastTransport
from pokitdok_sandbox import Sandbox

AT_ONCE = Retry(first_wait=0.0)
PATIENT = httpx.Timeout(30.0)  # the time of a call; under load the first attempt alone may take a second
IMPATIENT = httpx.Timeout(30.0, read=0.5)
QUESTION = EligibilityRequest.from_dict(
    {
        "trading_partner_id": "MOCKPAYER",
        "member": {"first_name": "Nora", "last_name": "Quill", "id": "W000777001"},
        "provider": {"npi": "1234567893"},
    }
)
CLAIM = ClaimRequest.from_dict(
    {
        "trading_partner_id": "MOCKPAYER",
        "transaction_code": "chargeable",
        "billing_provider": {"npi": "1234567893", "tax_id": "123456789", "organization_name": "Harbor Clinic"},
        "subscriber": {
            "first_name": "Nora",
            "last_name": "Quill",
            "member_id": "W000777001",
            "gender": "female",
            "birth_date": "1970-01-25",
            "address": {"address_lines": ["12 Harbor Lane"], "city": "Charleston", "state": "SC", "zipcode": "29401"},
        },
        "claim": {
            "total_charge_amount": 60.0,
            "service_lines": [
                {
                    "procedure_code": "99213",
                    "charge_amount": 60.0,
                    "unit_count": 1.0,
                    "diagnosis_codes": ["J10.1"],
                    "service_date": "2026-11-02",
                }
            ],
        },
    }
)

Door = Callable[..., Any]


def through_sync(url: str, module: Any, body: Any, token: str, *, timeout: httpx.Timeout = PATIENT) -> Any:
    with connect(token=token, base_url=url, retry=AT_ONCE, timeout=timeout) as client:
        return module.sync(client=client, body=body)


def through_asyncio(
    url: str, module: Any, body: Any, token: str, *, timeout: httpx.Timeout = PATIENT, **options: Any
) -> Any:
    async def call() -> Any:
        async with connect(token=token, base_url=url, retry=AT_ONCE, timeout=timeout, **options) as client:
            return await module.asyncio(client=client, body=body)

    return asyncio.run(call())


def through_aiohttp(url: str, module: Any, body: Any, token: str, *, timeout: httpx.Timeout = PATIENT) -> Any:
    return through_asyncio(url, module, body, token, timeout=timeout, async_transport=FastTransport())


def through_httpx(url: str, module: Any, body: Any, token: str, *, timeout: httpx.Timeout = PATIENT) -> Any:
    """Asynchronously by httpx's pool, as without the extra: aiohttp does not know this limit."""
    limits = httpx.Limits(max_keepalive_connections=5)
    return through_asyncio(url, module, body, token, timeout=timeout, httpx_args={"limits": limits})


doors = pytest.mark.parametrize("door", [through_sync, through_httpx, through_aiohttp])


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, str]]:
    """A sandbox, and a token for it."""
    with Sandbox() as sandbox:
        form = {"grant_type": "client_credentials", "client_id": sandbox.client_id}
        answer = httpx.post(f"{sandbox.url}/oauth2/token", data=form | {"client_secret": sandbox.client_secret})
        yield sandbox, answer.json()["access_token"]


def counted(sandbox: Sandbox, operation: str) -> tuple[int, int]:
    """Requests that came, and calls that were carried out."""
    state = sandbox.state()
    return state["requests"].get(operation, 0), state["executed"].get(operation, 0)


# fault: requests of a question and how often it is carried out; requests of a claim and how often that is
FAULTS = {
    "reset_before": (2, 1, 1, 0),
    "reset_after": (2, 2, 1, 1),
    "timeout_before": (1, 0, 1, 0),
    "timeout_after": (1, 1, 1, 1),
    "truncated_body": (2, 2, 1, 1),
    "truncated_json": (1, 1, 1, 1),
    "server_error": (2, 1, 1, 0),
    "html_500": (2, 1, 1, 0),
    "unavailable": (2, 1, 1, 0),
    "rate_limit": (2, 1, 2, 1),
}


@doors
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_the_sandbox(running: tuple[Sandbox, str], fault: str, door: Door) -> None:
    """A read timeout uses up the time of the call, so that even a question is not asked again."""
    sandbox, token = running
    asked, answered, sent, filed = FAULTS[fault]
    timeout = IMPATIENT if fault.startswith("timeout") else PATIENT
    for module, body, requests, executed in (
        (check_eligibility, QUESTION, asked, answered),
        (submit_claim, CLAIM, sent, filed),
    ):
        operation = module.__name__.rpartition(".")[2]
        before = counted(sandbox, operation)
        sandbox.world.faults.order(fault, count=1, operations=[operation])
        ends_well = requests == 2
        with contextlib.nullcontext() if ends_well else pytest.raises((httpx.TransportError, PokitDokError)):
            assert door(sandbox.url, module, body, token, timeout=timeout).data
        after = counted(sandbox, operation)
        assert (after[0] - before[0], after[1] - before[1]) == (requests, executed), operation


class BreakingProxy:
    """Passes bytes on; its first connection is reset after so many bytes of the request, or of the answer."""

    def __init__(self, to: str, *, request_bytes: int | None, answer_bytes: int | None) -> None:
        url = httpx.URL(to)
        self._to = (url.host, url.port or 80)
        self._limits = (request_bytes, answer_bytes)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0

    def __enter__(self) -> BreakingProxy:
        self._run(self._accept)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _run(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client = self._listener.accept()[0]
                self.connections += 1
                limits = self._limits if self.connections == 1 else (None, None)
                self._run(self._connect, client, *limits)

    def _connect(self, client: socket.socket, request_bytes: int | None, answer_bytes: int | None) -> None:
        with client, socket.create_connection(self._to) as server:
            ended = threading.Event()
            pumps = [
                threading.Thread(target=self._pump, args=(client, server, request_bytes, ended)),
                threading.Thread(target=self._pump, args=(server, client, answer_bytes, ended)),
            ]
            for pump in pumps:
                pump.start()
            ended.wait(10)
            for each in (client, server):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RD)
            for pump in pumps:
                pump.join(10)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, limit: int | None, ended: threading.Event) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while limit is None or passed < limit:
                data = source.recv(65536 if limit is None else limit - passed)
                if not data:
                    break
                sink.sendall(data)
                passed += len(data)
            else:
                if limit == 0:
                    source.recv(1)  # so that the other side has begun to send
                time.sleep(0.02)  # let what was passed arrive before the connection breaks
        ended.set()


POINTS = [
    *({"request_bytes": number, "answer_bytes": None} for number in (0, 1, 100, 350)),
    *({"request_bytes": None, "answer_bytes": number} for number in (0, 1, 15, 100, 400, 700)),
]


@doors
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_connection_that_breaks_anywhere(running: tuple[Sandbox, str], point: dict[str, Any], door: Door) -> None:
    """A claim is sent at most once, whatever became of it; a question is asked again and answered."""
    sandbox, token = running
    for module, body in ((submit_claim, CLAIM), (check_eligibility, QUESTION)):
        operation = module.__name__.rpartition(".")[2]
        before = counted(sandbox, operation)
        with BreakingProxy(sandbox.url, **point) as proxy:
            if module is submit_claim:
                with pytest.raises((httpx.TransportError, InvalidResponseError)):
                    door(proxy.url, module, body, token)
                assert proxy.connections == 1
                assert counted(sandbox, operation)[1] - before[1] <= 1
                assert counted(sandbox, operation)[0] - before[0] <= 1
            else:
                assert door(proxy.url, module, body, token).data
                assert proxy.connections == 2
