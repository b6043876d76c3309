"""Our token requests against a strict token server by other hands: npm oidc-provider, set up in peers/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest

from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_ext import InvalidClientError, connect

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tests" / "peers" / "oidc_provider.mjs"
PACKAGE = ROOT / "tools" / "node_modules" / "oidc-provider"
PLAIN = "plain0secret"
SPECIAL = 'p%41+&=:s ~"/\\?#'
"""What RFC 6749 allows in a secret (printable ASCII, appendix A) and what its two encodings can go wrong on."""

Style = Literal["basic", "body"]


def client_of(style: Style, secret: str) -> dict[str, str]:
    """A client of its own for each style and secret."""
    method = "client_secret_basic" if style == "basic" else "client_secret_post"
    name = "plain" if secret == PLAIN else "special +:%"
    return {"client_id": f"{style} {name}", "client_secret": secret, "token_endpoint_auth_method": method}


STYLES: tuple[Style, ...] = ("basic", "body")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    if shutil.which("node") is None or not PACKAGE.exists():
        message = "oidc-provider is not installed; with Node 20 or newer: npm ci --prefix tools"
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    clients = [client_of(style, secret) for style in STYLES for secret in (PLAIN, SPECIAL)]
    command = ["node", str(SCRIPT), json.dumps(clients)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if line.startswith("listening on "):
                    yield f"http://127.0.0.1:{line.split()[-1]}"
                    break
            else:
                pytest.fail("".join(said))
        finally:
            process.kill()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("secret", [PLAIN, SPECIAL], ids=["plain", "special"])
def test_its_token_is_got_and_taken(provider: str, style: Style, secret: str) -> None:
    client_id = client_of(style, secret)["client_id"]
    with connect(client_id, secret, base_url=provider, client_auth=style) as client:
        answer = list_trading_partners.sync(client=client)

    assert answer.meta.message == client_id


@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_secret_is_an_invalid_client(provider: str, style: Style) -> None:
    client_id = client_of(style, SPECIAL)["client_id"]
    with (
        connect(client_id, f"{SPECIAL}canary", base_url=provider, client_auth=style) as client,
        pytest.raises(InvalidClientError) as caught,
    ):
        list_trading_partners.sync(client=client)

    assert "client_secret" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_the_server_refuses_a_header_that_is_not_form_encoded(provider: str) -> None:
    """What makes the tests above mean something: a client that leaves RFC 6749 section 2.3.1 out gets no token here."""
    answer = httpx.post(
        f"{provider}/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(client_of("basic", SPECIAL)["client_id"], SPECIAL),
    )

    assert (answer.status_code, "access_token" in answer.json()) == (400, False)
