"""Contract tests: recorded in this process from the sandbox, replayed from cassettes without it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import pytest
from vcr import VCR

import pokitdok_sandbox
from pokitdok_api import Client
from pokitdok_ext import connect
from pokitdok_ext.testing import Contract, Coverage, ReadableYaml, measure, vcr_settings
from pokitdok_ext.testing.in_process import InProcessTransport

ROOT = Path(__file__).resolve().parents[2]
CASSETTES = Path(os.environ.get("POKITDOK_CASSETTES") or Path(__file__).parent / "cassettes")
"""scripts/record.py has them recorded into another folder first."""
HOST = "https://sandbox.pokitdok.test"
CLIENT_ID = "sandbox-client-id"
CLIENT_SECRET = "sandbox-client-secret"


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    contract = hashlib.sha256((ROOT / "openapi.yaml").read_bytes()).hexdigest()[:12]
    origin = f"pokitdok_sandbox {version('pokitdok-client')}, contract {contract}; not traffic of the real platform"
    vcr.register_serializer("yaml", ReadableYaml(origin))


@pytest.fixture(scope="session")
def coverage() -> Coverage:
    """What the cassettes exercise of the contract."""
    return measure(sorted(CASSETTES.rglob("*.yaml")), Contract())


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    return vcr_settings(invented_at=[HOST])


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """A folder for each module of tests."""
    return str(CASSETTES / request.path.stem)


@pytest.fixture(autouse=True)
def _everything_recorded_is_played(request: pytest.FixtureRequest, record_mode: str) -> Iterator[None]:
    """A call that a test no longer makes has to leave its cassette too."""
    cassette = request.getfixturevalue("vcr")
    if cassette is None or record_mode != "none":
        yield
        return
    file = Path(cassette._path)
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    if not file.is_file():
        pytest.fail(f"{name} is missing: nox -s record", pytrace=False)
    yield
    unplayed = [
        f"{number}. {recorded.method} {recorded.path}"
        for number, recorded in enumerate(cassette.requests, 1)
        if not cassette.play_counts[number - 1]
    ]
    if unplayed:
        pytest.fail(f"{name} holds what its test did not play ({', '.join(unplayed)}): nox -s record", pytrace=False)


@pytest.fixture
def make_client(record_mode: str) -> Iterator[Callable[..., Client]]:
    """Makes clients of the recorded host; while recording, one sandbox answers behind all of them."""
    transports: dict[str, Any] = {}
    stack = ExitStack()
    if record_mode != "none":
        noon = datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp()
        # Time and chance stand still, so that a new recording differs only where an answer does.
        app = pokitdok_sandbox.create_app(
            pokitdok_sandbox.Settings(advance="polls"), clock=lambda: noon, random=Random(0)
        )
        transport = stack.enter_context(InProcessTransport(app))
        transports = {"transport": transport, "async_transport": transport}
    with stack:
        yield lambda *credentials, **options: stack.enter_context(
            connect(*credentials, base_url=HOST, retry=None, **transports, **options)
        )


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    """A client that fetches its token."""
    return make_client(CLIENT_ID, CLIENT_SECRET)
