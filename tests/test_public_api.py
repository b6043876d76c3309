"""What may be imported, and what importing it costs."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest

import pokitdok_ext

ROOT = Path(__file__).resolve().parent.parent

NAMES = [
    "APIError",
    "AuthenticationError",
    "AuthorizationRequiredError",
    "AuthorizationUrl",
    "ClientClosedError",
    "Clock",
    "ConfigurationError",
    "ConnectedClient",
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
    "Retry",
    "ScopeError",
    "ServerError",
    "StoreError",
    "StoredToken",
    "TokenEndpointMovedError",
    "TokenError",
    "TokenEvent",
    "TokenForbiddenError",
    "TokenPolicy",
    "TokenRefusedError",
    "TokenResponseError",
    "TokenState",
    "TokenStore",
    "TokenThrottledError",
    "TokenUnavailableError",
    "TradingPartnerRejectionError",
    "authorization_code",
    "authorization_url",
    "connect",
    "retrying",
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
    errors = [getattr(pokitdok_ext, name) for name in NAMES if name.endswith("Error")]
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


LOADED_BY_CONNECT = {
    "_auth",
    "_authorization",
    "_client",
    "_client_tokens",
    "_clock",
    "_errors",
    "_flights",
    "_grants",
    "_http_times",
    "_manager",
    "_outages",
    "_shared_managers",
    "_sources",
    "_stand_ins",
    "_token_answers",
    "_token_endpoint",
    "_token_record",
    "_token_reports",
    "_token_route",
    "_tokens",
    "settings",
}
SENDING = {"_connections", "_logging", "_retries", "_sending"}
WITH_A_STORE = {"_sharing", "_stores", "_private_files", "_file_store", "_redis_store"}


def test_connect_loads_no_part_beyond_the_core_and_no_sandbox() -> None:
    loaded = loaded_by("from pokitdok_ext import connect; connect(token='t', base_url='https://api.example.com')")
    parts = {name for name in loaded if re.match(r"pokitdok_(ext|sandbox)\b", name)}
    assert parts == {"pokitdok_ext"} | {f"pokitdok_ext.{name}" for name in LOADED_BY_CONNECT | SENDING}


def statements(module: Path) -> int:
    """Lines of code: without blank lines, comments and docstrings, which are owed and not to be saved on."""
    source = module.read_text(encoding="utf-8")
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_core_stays_thin() -> None:
    """At most 1,700 lines of code for connecting and tokens, 450 for sending, 700 more for what a store brings.

    Base URL, TLS and proxies have 275 of their own.
    """
    folder = ROOT / "pokitdok_ext"
    assert statements(folder / "settings.py") <= 275
    assert sum(statements(folder / f"{name}.py") for name in LOADED_BY_CONNECT - {"settings"}) <= 1700
    assert sum(statements(folder / f"{name}.py") for name in SENDING) <= 450
    assert sum(statements(folder / f"{name}.py") for name in WITH_A_STORE) <= 700
