"""The cassettes themselves: honest about their origin, true to the contract, free of secrets, all of them used."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pokitdok_ext.testing import Contract, Finding, check_cassette, read_cassette

from .conftest import CASSETTES as FOLDER
from .conftest import CLIENT_SECRET

CASSETTES = sorted(FOLDER.rglob("*.yaml"))
CONTRACT = Contract()


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


ACCEPTED = {
    r"/x12_segments/\*/data/[a-z0-9]{2,3}\d\d": "one example names elements of X12; others go under their place",
    r"/data/parameters/\w.*": "an activity echoes all that was sent; calls that sent less are what is known",
}
"""Undocumented properties of answers that the sandbox gives on purpose, with the reason."""


def accepted(finding: Finding) -> list[str]:
    """The patterns of ACCEPTED under which a finding is none."""
    if finding.rule != "undocumented property" or " answer 200" not in finding.place:
        return []
    return [pattern for pattern in ACCEPTED if re.fullmatch(pattern, finding.message)]


@pytest.mark.parametrize("cassette", CASSETTES, ids=name_of)
def test_cassette_fits_the_contract(cassette: Path) -> None:
    findings = [str(finding) for finding in check_cassette(cassette, CONTRACT) if not accepted(finding)]
    assert findings == [], f"{name_of(cassette)} is stale: nox -s record"


def test_each_accepted_property_is_still_in_some_cassette() -> None:
    used = {each for path in CASSETTES for finding in check_cassette(path, CONTRACT) for each in accepted(finding)}
    assert used == ACCEPTED.keys()


@pytest.mark.parametrize("cassette", CASSETTES, ids=name_of)
def test_cassette_says_first_that_it_is_not_of_the_real_platform(cassette: Path) -> None:
    first = cassette.read_text(encoding="utf-8").splitlines()[0]
    assert re.fullmatch(
        r"origin: pokitdok_sandbox \d+\.\d+\.\d+, contract [0-9a-f]{12}; not traffic of the real platform", first
    )


@pytest.mark.parametrize("cassette", CASSETTES, ids=name_of)
def test_no_secret_and_no_token_stands_in_the_cassette(cassette: Path) -> None:
    """Tokens of the sandbox have 40 letters and digits; a Basic header holds the secret in base64."""
    text = cassette.read_text(encoding="utf-8")
    assert CLIENT_SECRET not in text
    assert not re.search(r"\b[A-Za-z0-9]{40}\b", text)
    assert not re.search(r"(Basic|Bearer) (?!REDACTED)", text)
    assert not re.search(r"\b(?!000)\d{3}-\d{2}-\d{4}\b", text), "a number that could be somebody's; 000 is nobody's"


@pytest.mark.parametrize("cassette", CASSETTES, ids=name_of)
def test_cassette_is_recorded_under_the_test_host_only(cassette: Path) -> None:
    uris = {urlsplit(each.url).netloc for each in read_cassette(cassette)}
    assert uris == {"sandbox.pokitdok.test"}


def test_every_cassette_belongs_to_a_test() -> None:
    """Reads the test modules, so that it holds for a part of the suite too."""
    owned = {("test_operations", operation.id) for operation in CONTRACT.operations}
    owned |= {
        (path.stem, name)
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    unused = [name_of(path) for path in CASSETTES if (path.parent.name, path.stem) not in owned]
    assert unused == [], "no test plays these: nox -s record removes them"
