"""What may be imported, and what importing it costs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pokitdok_ext

ROOT = Path(__file__).resolve().parent.parent

NAMES = [
    "APIError",
    "AuthenticationError",
    "ClientClosedError",
    "ConfigurationError",
    "FileStore",
    "InvalidClientError",
    "InvalidRequestError",
    "InvalidResponseError",
    "NotFoundError",
    "PaymentRequiredError",
    "PermanentTokenError",
    "PokitDokError",
    "RateLimitError",
    "RedisStore",
    "ScopeError",
    "ServerError",
    "StoreError",
    "StoredToken",
    "TokenEndpointMovedError",
    "TokenError",
    "TokenForbiddenError",
    "TokenRefusedError",
    "TokenResponseError",
    "TokenState",
    "TokenStore",
    "TokenThrottledError",
    "TokenUnavailableError",
    "TradingPartnerRejectionError",
    "connect",
]


def test_public_names_are_these() -> None:
    assert pokitdok_ext.__all__ == NAMES
    assert dir(pokitdok_ext) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_public_name_can_be_imported(name: str) -> None:
    assert getattr(pokitdok_ext, name).__name__ == name


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="conect"):
        pokitdok_ext.conect  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_has_one_root_and_a_name_in_error() -> None:
    others = {"FileStore", "RedisStore", "StoredToken", "TokenState", "TokenStore", "connect"}
    errors = [getattr(pokitdok_ext, name) for name in NAMES if name not in others]
    assert all(issubclass(error, pokitdok_ext.PokitDokError) for error in errors)
    assert all(error.__name__.endswith("Error") for error in errors)


def test_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert pokitdok_ext.__version__ == project["version"]


def loaded_by(code: str) -> set[str]:
    """The modules that *code* loads in a new interpreter."""
    code += "; import sys; print(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


def test_import_of_the_package_loads_no_http_library() -> None:
    loaded = loaded_by("import pokitdok_ext")
    assert "pokitdok_ext" in loaded
    assert not loaded & {"httpx", "httpcore", "anyio", "attrs", "attr", "ssl", "asyncio"}


def test_connect_loads_no_part_beyond_the_core_and_no_sandbox() -> None:
    loaded = loaded_by("from pokitdok_ext import connect; connect(token='t', base_url='https://api.example.com')")
    parts = {name for name in loaded if re.match(r"pokitdok_(ext|sandbox)\b", name)}
    core = {"_auth", "_client", "_errors", "_sources", "_tokens"}
    assert parts == {"pokitdok_ext"} | {f"pokitdok_ext.{name}" for name in core}
