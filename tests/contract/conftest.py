"""Contract tests: recorded in this process from the sandbox, replayed from cassettes without it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from vcr import VCR

import pokitdok_sandbox
from pokitdok_api import Client
from pokitdok_ext import connect
from pokitdok_ext.testing import ReadableYaml, vcr_settings

ROOT = Path(__file__).resolve().parents[2]
HOST = "https://sandbox.pokitdok.test"
CLIENT_ID = "contract-tests"
CLIENT_SECRET = "invented-secret"


class InProcess(httpx.BaseTransport):
    """Carries sync requests to an ASGI app without a socket, where vcrpy sees them."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answer() -> httpx.Response:
            response = await httpx.ASGITransport(app=self._app).handle_async_request(request)
            content = await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=content)

        return asyncio.run(answer())


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    contract = hashlib.sha256((ROOT / "openapi.yaml").read_bytes()).hexdigest()[:12]
    origin = f"pokitdok_sandbox {version('pokitdok-client')}, contract {contract}; not traffic of the real platform"
    vcr.register_serializer("yaml", ReadableYaml(origin))


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    return vcr_settings()


@pytest.fixture(autouse=True)
def _everything_recorded_is_played(request: pytest.FixtureRequest, record_mode: str) -> Iterator[None]:
    """A call that a test no longer makes has to leave its cassette too."""
    cassette = request.getfixturevalue("vcr")
    yield
    if cassette is not None and record_mode == "none":
        unplayed = [
            f"{recorded.method} {recorded.path}"
            for number, recorded in enumerate(cassette.requests)
            if not cassette.play_counts[number]
        ]
        assert not unplayed, f"recorded but not played: {unplayed}; nox -s record"


@pytest.fixture
def client(record_mode: str) -> Iterator[Client]:
    """A client on the recorded host; while recording, the sandbox answers behind it."""
    transports: dict[str, Any] = {}
    if record_mode != "none":
        settings = pokitdok_sandbox.Settings(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        noon = datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp()
        # Time and chance stand still, so that a new recording differs only where an answer does.
        app = pokitdok_sandbox.create_app(settings, clock=lambda: noon, random=Random(0))
        transports = {"transport": InProcess(app), "async_transport": httpx.ASGITransport(app=app)}
    with connect(CLIENT_ID, CLIENT_SECRET, base_url=HOST, retry=None, **transports) as client:
        yield client
