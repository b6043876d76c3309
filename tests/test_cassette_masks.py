"""Stand-ins in cassettes: what the contract marks goes, everything else stays, and the whole still fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pokitdok_ext.testing import Contract, read_cassette
from pokitdok_ext.testing._masking import Masks
from pokitdok_ext.testing._readable import BOUNDARY, readable
from pokitdok_ext.testing.cassettes import Recorded

CONTRACT = Contract()
EXAMPLES = CONTRACT.document["components"]["examples"]
MODELS = [name for name in EXAMPLES if CONTRACT.document["components"]["schemas"].get(name, {}).get("type") == "object"]
CASSETTES = sorted((Path(__file__).parent / "contract" / "cassettes" / "test_operations").glob("*.yaml"))


def masks() -> Masks:
    return Masks(CONTRACT, ("x-phi", "x-secret"), unknown=True)


def schema(component: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{component}"}


@pytest.mark.parametrize("name", MODELS)
def test_a_masked_example_fits_the_contract_as_the_example_does(name: str) -> None:
    example = EXAMPLES[name]["value"]
    masked = masks().value(schema(name), example)
    assert CONTRACT.check_component(name, masked) == CONTRACT.check_component(name, example)


def answer_findings(each: Recorded, body: bytes) -> list[str]:
    found = CONTRACT.check_answer(each.method, each.url, status=each.status, body=body, media_type=each.answer_type)
    return [str(finding) for finding in found]


@pytest.mark.parametrize("cassette", CASSETTES, ids=lambda path: path.stem)
def test_a_masked_answer_fits_the_contract_as_the_answer_does(cassette: Path) -> None:
    for each in read_cassette(cassette):
        operation = CONTRACT.operation(each.method, each.url)
        assert operation is not None
        found = CONTRACT.answer_schema(operation, each.status, each.answer_type)
        if found is None or not found[0].endswith("json"):
            continue
        masked = masks().value(found[1], json.loads(each.answer))
        assert answer_findings(each, json.dumps(masked).encode()) == answer_findings(each, each.answer)


def test_marks_of_members_tell_more_finely_than_one_on_the_whole() -> None:
    masked = masks().value(schema("ActivityEnvelope"), EXAMPLES["ActivityEnvelope"]["value"])
    example = EXAMPLES["ActivityEnvelope"]["value"]["data"]
    assert masked["data"]["id"] == example["id"]
    assert masked["data"]["state"] == example["state"]
    assert masked["data"]["parameters"] != example["parameters"]


MASKED: dict[str, tuple[str, Any, Any]] = {
    "text": ("EligibilityMember", {"first_name": "Zoë"}, {"first_name": "REDACTED"}),
    "date": ("EligibilityMember", {"birth_date": "1931-07-23"}, {"birth_date": "1900-01-01"}),
    "pattern": ("PostalAddress", {"state": "OR"}, {"state": "XX"}),
    "code": ("EligibilityMember", {"gender": "female"}, {"gender": "unknown"}),
    "code that is not listed": ("EligibilityMember", {"gender": "Quillfeather"}, {"gender": "REDACTED"}),
    "amount": ("Money", {"amount": "19.31", "currency": "USD"}, {"amount": "0", "currency": "USD"}),
    "null": ("EligibilityMember", {"first_name": None}, {"first_name": None}),
    "another type than documented": ("EligibilityMember", {"first_name": [7, True]}, {"first_name": [0, False]}),
    "member that is not documented": ("EligibilityMember", {"mood": {"on": "Monday"}}, {"mood": {"on": "REDACTED"}}),
    "name that is data": ("EligibilityMember", {"Zoë Quillfeather": 7}, {"REDACTED": 0}),
    "two names that are data": ("EligibilityMember", {"A Q": 7, "B Q": 8}, {"REDACTED": 0, "REDACTED_": 0}),
    "secret": ("TokenRevocationRequest", {"token": "abc"}, {"token": "REDACTED"}),
    "no mark": ("EligibilityRequest", {"trading_partner_id": "MOCKPAYER"}, {"trading_partner_id": "MOCKPAYER"}),
}


@pytest.mark.parametrize("case", MASKED)
def test_stand_in_has_the_type_of_what_it_stands_for(case: str) -> None:
    component, value, masked = MASKED[case]
    assert masks().value(schema(component), value) == masked
    assert masks().value(schema(component), masked) == masked, "masking again changes nothing"


IDENTITIES = "https://h.test/api/v4/identity/"
ADDRESSES = {
    "query": (f"{IDENTITIES}?last_name=Zo%C3%AB&limit=3", f"{IDENTITIES}?last_name=REDACTED&limit=3"),
    "query that is not documented": (
        f"{IDENTITIES}?mood=bad&Zo%C3%AB=1",
        f"{IDENTITIES}?mood=REDACTED&REDACTED=REDACTED",
    ),
    "path that is not documented": (
        "https://h.test/api/v4/patients/Zo%C3%AB?name=Q",
        "https://h.test/api/v4/patients/REDACTED?name=REDACTED",
    ),
    "user and fragment": ("https://zoe:pw@h.test/api/v4/payers/#Q", "https://h.test/api/v4/payers/"),
    "id without a mark": (f"{IDENTITIES}881bc095/history", f"{IDENTITIES}881bc095/history"),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_address_keeps_what_says_nothing_about_anybody(case: str) -> None:
    address, masked = ADDRESSES[case]
    assert masks().url("GET", address) == masked
    assert masks().url("GET", masked) == masked, "masking again changes nothing"


def test_address_of_the_next_page_stays_one_that_can_be_asked() -> None:
    meta = {"processing_time": 1, "next": f"{IDENTITIES}?last_name=Quill&offset=20"}
    assert masks().value(schema("Meta"), meta)["next"] == f"{IDENTITIES}?last_name=REDACTED&offset=20"


def test_secrets_alone_are_hidden_where_people_are_invented() -> None:
    secrets_only = Masks(CONTRACT, ("x-secret",), unknown=False)
    person = {"first_name": "Zoë", "mood": "bad", "Zoë Quillfeather": 7}
    assert secrets_only.value(schema("EligibilityMember"), person) == person
    assert secrets_only.value(schema("TokenResponse"), {"access_token": "abc"}) == {"access_token": "REDACTED"}


@pytest.mark.parametrize("sign", ["", "\x0b", "\x1c", "\x85", "\u2028"])
def test_part_of_a_form_keeps_its_headers_whatever_its_file_is_called(sign: str) -> None:
    header = f'Content-Disposition: form-data; name="file"; filename="a{sign}b"'
    body = f"--{BOUNDARY}\r\n{header}\r\n\r\ntext\r\n--{BOUNDARY}--\r\n"
    shown = readable(body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    assert shown == {"parts": [{"headers": [header], "text": "text"}]}
