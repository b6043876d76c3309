"""The pytest plugin: fixtures for tests of code that uses this client. pytest loads it by itself.

It is loaded in every run of pytest where this package is installed, so it imports nothing before it is asked for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pokitdok_api import Client
    from pokitdok_ext.testing import Contract, FakeTokenServer, HeldClock, InProcessSandbox
    from pokitdok_ext.testing.checked_cassettes import CassetteFile

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
"""When every test begins."""

CASSETTE = ".pokitdok.yaml"
"""How the names of cassettes end that are recorded with `pokitdok_vcr_config`."""

_TOKEN_SERVER_URL = "https://api.pokitdok.test"  # noqa: S105 - an address
_RECORDS = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "pokitdok(**choices): choices of pokitdok_sandbox for this test, such as strict=True"
    )


@pytest.fixture
def pokitdok_settings() -> dict[str, Any]:
    """Choices for the sandboxes of all tests: override it. The marker `pokitdok` chooses for a test or a module."""
    return {}


@pytest.fixture
def pokitdok_time() -> HeldClock:
    """Time that stands still until it is moved, for the sandbox and for every client of it."""
    from pokitdok_ext.testing import HeldClock  # noqa: PLC0415 - as below: nothing before a fixture is used

    return HeldClock(START.timestamp())


@pytest.fixture
def pokitdok_sandbox(
    request: pytest.FixtureRequest, pokitdok_settings: dict[str, Any], pokitdok_time: HeldClock
) -> Iterator[InProcessSandbox]:
    """A sandbox of this test alone. What calls `connect()` without arguments is connected to it."""
    with _extra_told():
        from pokitdok_ext.testing import InProcessSandbox  # noqa: PLC0415

    choices = dict(pokitdok_settings)
    for mark in reversed(list(request.node.iter_markers("pokitdok"))):
        choices |= mark.kwargs
    try:
        sandbox = InProcessSandbox(pokitdok_time, **choices)
    except (TypeError, ValueError) as error:
        raise pytest.fail.Exception(f"choices of the sandbox: {error}", pytrace=False) from None
    with sandbox, _environment(sandbox.url, sandbox.client_id, sandbox.client_secret):
        yield sandbox


@pytest.fixture
def pokitdok_client(pokitdok_sandbox: InProcessSandbox) -> Iterator[Client]:  # noqa: ARG001 - it sets the environment
    """A client connected to `pokitdok_sandbox`, for synchronous and asynchronous calls."""
    from pokitdok_ext import connect  # noqa: PLC0415

    with connect() as client:
        yield client


@pytest.fixture
def pokitdok_token_server(request: pytest.FixtureRequest, pokitdok_time: HeldClock) -> Iterator[FakeTokenServer]:
    """A token endpoint to script. What calls `connect()` without arguments is connected to it, not to the sandbox."""
    if "pokitdok_sandbox" in request.fixturenames:
        message = "pokitdok_sandbox and pokitdok_token_server both answer connect(): use one of them in a test"
        pytest.fail(message, pytrace=False)
    from pokitdok_ext._stand_ins import StandIn, standing_in  # noqa: PLC0415
    from pokitdok_ext.testing import FakeTokenServer  # noqa: PLC0415

    server = FakeTokenServer()
    stand_in = StandIn(server, server, pokitdok_time.clock())
    with standing_in(_TOKEN_SERVER_URL, stand_in), _environment(_TOKEN_SERVER_URL, "id", "secret"):
        yield server


@pytest.fixture(scope="session")
def pokitdok_contract() -> Contract:
    """What judges traffic by the contract."""
    with _extra_told():
        from pokitdok_ext.testing import Contract  # noqa: PLC0415

        return Contract()


@pytest.fixture(scope="session")
def pokitdok_vcr_config(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What to return from pytest-recording's `vcr_config`: readable, scrubbed cassettes, each checked by a test."""
    with _extra_told():
        from pokitdok_ext.testing import vcr_settings  # noqa: PLC0415
        from pokitdok_ext.testing.sandbox import SANDBOX_URL  # noqa: PLC0415

        request.config.stash[_RECORDS] = True
        return {**vcr_settings(invented_at=[SANDBOX_URL]), "serializer": CASSETTE.removeprefix(".")}


@pytest.hookimpl(optionalhook=True)
def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
    """Have vcrpy write the cassettes of `pokitdok_vcr_config`; those of other tests are none of our business."""
    if config.stash.get(_RECORDS, False):
        from pokitdok_ext.testing.checked_cassettes import HonestYaml  # noqa: PLC0415

        vcr.register_serializer(CASSETTE.removeprefix("."), HonestYaml())


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CassetteFile | None:
    """Make a test of each of those cassettes."""
    if not file_path.name.endswith(CASSETTE):
        return None
    from pokitdok_ext.testing.checked_cassettes import CassetteFile  # noqa: PLC0415

    return CassetteFile.from_parent(parent, path=file_path)


@contextmanager
def _environment(url: str, client_id: str, client_secret: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("POKITDOK_BASE_URL", url)
        environment.setenv("POKITDOK_CLIENT_ID", client_id)
        environment.setenv("POKITDOK_CLIENT_SECRET", client_secret)
        yield


@contextmanager
def _extra_told() -> Iterator[None]:
    """A missing extra is told in a line, without a traceback through this package."""
    reason = ""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pokitdok_"):
            raise
        reason = str(error)
    if reason:
        pytest.fail(reason, pytrace=False)
