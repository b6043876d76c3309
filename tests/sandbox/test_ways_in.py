"""The ways in that the platform's own documentation gives, over a real socket: curl, plain Python, the old client.

Ours, with id and secret or with a token alone, is tested where ours lives.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
import urllib.request
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
SEED = ROOT.parent / "shared" / "seed"
WELL_KNOWN = "5317f51527a27620f2ec7533"
PLATFORM = "https://platform.pokitdok.com"

CREDENTIALS = """CREDENTIALS=$(echo "$CLIENT_ID":"$CLIENT_SECRET" | base64 | tr -d "[:cntrl:]")"""
GET_TOKEN = (
    'curl -i -X POST -H "Authorization: Basic $CREDENTIALS" -d "grant_type=client_credentials"'
    f' {PLATFORM}/oauth2/token; echo ""'
)
GET_ACTIVITY = f'curl -i -H "Authorization: Bearer $ACCESS_TOKEN" {PLATFORM}/api/v4/activities/{WELL_KNOWN}'

PLAIN_BASIC = "urlsafe_b64encode((client_id + ':' + client_secret).encode()).decode()"
DOCUMENTED_BASIC = "urlsafe_b64encode(client_id + ':' + client_secret)"
PLAIN_PYTHON = f"""
from base64 import urlsafe_b64encode
import requests

access_token = requests.post('{PLATFORM}/oauth2/token',
                             headers={{'Authorization': 'Basic ' + {PLAIN_BASIC}}},
                             data={{'grant_type': 'client_credentials'}}).json()['access_token']

activity = requests.get('{PLATFORM}/api/v4/activities/{WELL_KNOWN}',
                        headers={{'Authorization': 'Bearer ' + access_token}}).json()
"""

OLD_PYTHON = """
import json, sys
import pokitdok

id, secret, url, check, claim = json.loads(sys.stdin.read())
client = pokitdok.api.connect(id, secret, base=url)
print(json.dumps({
    'version': pokitdok.__version__,
    'activity': client.activities('WELL_KNOWN'),
    'activities': client.activities(),
    'eligibility': client.eligibility(check),
    'trading_partners': client.trading_partners(),
    'trading_partner': client.trading_partners('MOCKPAYER'),
    'claim': client.claims(claim),
    'status_code': client.status_code,
}))
""".replace("WELL_KNOWN", WELL_KNOWN)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    # characters that make the two base64 alphabets differ
    with Sandbox(client_id="way-in-??>>", client_secret="s~?>ecret~?>~?>of-forty-signs-or-more-so") as running:
        yield running


def test_curl_as_documented(sandbox: Sandbox, program: Callable[[str], str]) -> None:
    program("curl")
    script = f"""
CLIENT_ID='{sandbox.client_id}'
CLIENT_SECRET='{sandbox.client_secret}'
{CREDENTIALS}
ANSWER=$({GET_TOKEN.replace(PLATFORM, sandbox.url)})
ACCESS_TOKEN=$(echo "$ANSWER" | sed -n 's/.*"access_token": *"\\([^"]*\\)".*/\\1/p')
{GET_ACTIVITY.replace(PLATFORM, sandbox.url)}
"""
    run = [program("bash"), "-euo", "pipefail", "-c", script]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.startswith("HTTP/1.1 200 OK")
    body = json.loads(done.stdout.replace("\r\n", "\n").split("\n\n", 1)[1])
    assert body["data"]["id"] == WELL_KNOWN
    assert sandbox.token_requests == 1


@pytest.mark.shared
def test_the_commands_are_those_of_the_documentation() -> None:
    seed = "\n".join(file.read_text(encoding="utf-8") for file in sorted(SEED.iterdir()))

    for line in (CREDENTIALS, GET_TOKEN, GET_ACTIVITY):
        assert line in seed
    wanted = PLAIN_PYTHON.replace(PLAIN_BASIC, DOCUMENTED_BASIC)
    for line in wanted.strip().splitlines():
        assert line in seed


def test_plain_python_from_the_standard_library(sandbox: Sandbox) -> None:
    basic = urlsafe_b64encode((sandbox.client_id + ":" + sandbox.client_secret).encode()).decode()
    assert set(basic) & set("-_")
    form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    ask = urllib.request.Request(f"{sandbox.url}/oauth2/token", data=form, headers={"Authorization": f"Basic {basic}"})
    with urllib.request.urlopen(ask) as answer:
        token = json.load(answer)["access_token"]

    path = f"{sandbox.url}/api/v4/activities/{WELL_KNOWN}"
    with urllib.request.urlopen(urllib.request.Request(path, headers={"Authorization": f"Bearer {token}"})) as answer:
        assert json.load(answer)["data"]["id"] == WELL_KNOWN


@pytest.mark.peer
def test_plain_python_with_requests_as_documented(sandbox: Sandbox, old_python: str) -> None:
    script = (
        f"client_id, client_secret = {sandbox.client_id!r}, {sandbox.client_secret!r}"
        + PLAIN_PYTHON.replace(PLATFORM, sandbox.url)
        + "\nprint(activity['data']['id'])"
    )
    done = subprocess.run([old_python, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, WELL_KNOWN), done.stderr


@pytest.mark.peer
def test_the_old_official_client(
    sandbox: Sandbox, old_python: str, check: dict[str, Any], claim: dict[str, Any]
) -> None:
    done = subprocess.run(
        [old_python, "-c", OLD_PYTHON],
        input=json.dumps([sandbox.client_id, sandbox.client_secret, sandbox.url, check, claim]),
        env=os.environ | {"OAUTHLIB_INSECURE_TRANSPORT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["version"] == "2.8.1"
    assert told["activity"]["data"]["id"] == WELL_KNOWN
    assert [entry["name"] for entry in told["activities"]["data"]] == ["claims", "activities", "activities"]
    assert told["eligibility"]["data"]["valid_request"] is True
    assert told["eligibility"]["data"]["subscriber"]["last_name"] == check["member"]["last_name"]
    assert "MOCKPAYER" in [entry["id"] for entry in told["trading_partners"]["data"]]
    assert told["trading_partner"]["data"]["is_enabled"] is False
    assert told["claim"]["data"]["state"]["name"] == "scheduled"
    assert told["status_code"] == 200
    assert sandbox.token_requests == 1
