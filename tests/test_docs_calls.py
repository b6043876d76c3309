"""The examples of docs/calls.md, run in their order against a sandbox."""

from __future__ import annotations

import base64
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from pokitdok_api.models import ClaimRequest, EligibilityRequest
from pokitdok_ext import connect
from pokitdok_ext.testing import HeldClock
from pokitdok_sandbox import Sandbox

PAGE = Path(__file__).resolve().parent.parent / "docs" / "calls.md"
PERSON = {"first_name": "Nora", "last_name": "Quill", "gender": "female", "birth_date": "1970-01-25"}
ADDRESS = {"address_lines": ["12 Harbor Lane"], "city": "Charleston", "state": "SC", "zipcode": "29401"}
LINE = {
    "procedure_code": "99213",
    "charge_amount": 60.0,
    "unit_count": 1.0,
    "diagnosis_codes": ["J10.1"],
    "service_date": "2026-11-02",
}
CLAIM = {
    "trading_partner_id": "MOCKPAYER",
    "transaction_code": "chargeable",
    "billing_provider": {"npi": "1234567893", "tax_id": "123456789", "organization_name": "Harbor Clinic"},
    "subscriber": {**PERSON, "member_id": "W000777001", "address": ADDRESS},
    "claim": {"total_charge_amount": 60.0, "service_lines": [LINE]},
}


def question(number: int) -> EligibilityRequest:
    member = {"first_name": "Nora", "last_name": "Quill", "id": f"W{number:09}"}
    document = {"trading_partner_id": "MOCKPAYER", "member": member, "provider": {"npi": "1234567893"}}
    return EligibilityRequest.from_dict(document)


def test_examples_of_the_page_do_what_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    level = logging.getLogger("pokitdok").level
    clock = HeldClock().clock()
    with (
        Sandbox(speed=1_000_000) as box,
        connect(box.client_id, box.client_secret, base_url=box.url, clock=clock) as client,
    ):
        monkeypatch.setenv("POKITDOK_CLIENT_ID", box.client_id)
        monkeypatch.setenv("POKITDOK_CLIENT_SECRET", box.client_secret)
        monkeypatch.setenv("POKITDOK_BASE_URL", box.url)
        names: dict[str, Any] = {
            "client": client,
            "claim": ClaimRequest.from_dict(CLAIM),
            "questions": [question(number) for number in range(12)],
            "already_asked": {"W000000003"},
            "password": "right",
        }
        exec("\n".join(blocks), names)  # noqa: S102 - it is our own page
        logging.getLogger("pokitdok").setLevel(level)
        headers = {"Authorization": f"Basic {base64.b64encode(b'pokitdok:right').decode()}"}
        body = json.dumps({"id": names["submitted"].id, "state": {"name": "completed"}}).encode()
        assert [names["receive"](given, body) for given in (headers, {})] == [204, 401]
        for made in ("quick", "paced"):
            names[made].close()
        assert box.state()["requests"]["check_eligibility"] == 11
    printed = capsys.readouterr().out
    assert "W000000002 True" in printed
    assert "W000000003" not in printed
    assert "200 claims" in printed
