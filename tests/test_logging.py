"""The logger `pokitdok`: off by default, and nothing on it that is not on the list."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from pokitdok_api.api.activities import get_activity
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import EligibilityRequest
from pokitdok_ext import ServerError, connect

ROOT = "https://api.example.com"
ACTIVITY = "5f0c1d2e3a4b5c6d7e8f9a0b"
TOKEN = "tokencanary" * 4
CANARIES = (TOKEN, "Canaryname", "WCANARY0007", "1999999984", "Bearer")
QUESTION = EligibilityRequest.from_dict({"member": {"first_name": "Canaryname", "id": "WCANARY0007"}})


@pytest.fixture
def switched_on() -> Iterator[None]:
    logger = logging.getLogger("pokitdok")
    before = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(before)


def platform(request: httpx.Request) -> httpx.Response:
    if request.method == "GET":
        return httpx.Response(500, json={"message": "Canaryname"}, headers={"Retry-After": "9", "X": "WCANARY0007"})
    return httpx.Response(200, json={"meta": {"activity_id": ACTIVITY}, "data": {"member": {"id": "WCANARY0007"}}})


def test_call_is_one_line_of_listed_fields(switched_on: None, caplog: pytest.LogCaptureFixture) -> None:
    with connect(token=TOKEN, base_url=ROOT, transport=httpx.MockTransport(platform)) as client:
        check_eligibility.sync(client=client, body=QUESTION)
    (record,) = [each for each in caplog.records if each.name == "pokitdok"]
    facts = vars(record)["pokitdok"]
    assert facts == {
        "operation": "check_eligibility",
        "form": "json",
        "method": "POST",
        "path": "/api/v4/eligibility/",
        "status": 200,
        "milliseconds": facts["milliseconds"],
        "attempt": 1,
        "activity": ACTIVITY,
        "token": hashlib.sha256(TOKEN.encode()).hexdigest()[:8],
    }
    assert record.getMessage() == " ".join(f"{name}={fact}" for name, fact in facts.items())


def test_failed_attempts_are_lines_with_the_wait_that_follows(
    switched_on: None, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        connect(token=TOKEN, base_url=ROOT, transport=httpx.MockTransport(platform)) as client,
        pytest.raises(ServerError),
    ):
        get_activity.sync("1999999984", client=client, timeout=1)
    (record,) = [vars(each)["pokitdok"] for each in caplog.records if each.name == "pokitdok"]
    assert (record["status"], record["path"], record.get("wait")) == (500, "/api/v4/activities/{activity_id}", None)


def test_no_record_of_any_logger_holds_a_patient_or_a_token(
    switched_on: None, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        connect(token=TOKEN, base_url=ROOT, transport=httpx.MockTransport(platform)) as client,
    ):
        check_eligibility.sync(client=client, body=QUESTION)
        with pytest.raises(ServerError):
            get_activity.sync("1999999984", client=client, timeout=1)
    assert caplog.records
    texts = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert [canary for canary in CANARIES for text in texts if canary in text] == []


def test_logger_stays_off_in_a_program_that_logs_everything() -> None:
    program = f"""
import logging
logging.basicConfig(level=logging.DEBUG, format="%(name)s", force=True)
import httpx
from pokitdok_ext import connect
from pokitdok_api.api.trading_partners import list_trading_partners
platform = httpx.MockTransport(lambda request: httpx.Response(200, json={{"meta": {{}}, "data": []}}))
list_trading_partners.sync(client=connect(token="t", base_url="{ROOT}", transport=platform))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "httpx" in run.stderr.splitlines()
    assert "pokitdok" not in run.stderr.splitlines()
