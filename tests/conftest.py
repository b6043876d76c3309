"""Fixtures for every test; nothing here asserts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs ../shared where it is absent; where peers are required its absence is an error."""
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared") is None:
            continue
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            item.add_marker(pytest.mark.usefixtures("_shared_is_required"))
        else:
            item.add_marker(pytest.mark.skip(reason="../shared (the material on the platform) is not part of a clone"))


@pytest.fixture
def _shared_is_required() -> None:
    pytest.fail("POKITDOK_REQUIRE_PEERS=1 but ../shared is missing", pytrace=False)


@pytest.fixture(autouse=True)
def _no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never read the credentials of the person who runs them."""
    for name in ("POKITDOK_CLIENT_ID", "POKITDOK_CLIENT_SECRET", "POKITDOK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
