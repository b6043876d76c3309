"""The cassettes themselves: honest about their origin, true to the contract, free of secrets, all of them used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pokitdok_ext.testing import Contract, check_cassette

from .conftest import CLIENT_SECRET

FOLDER = Path(__file__).parent / "cassettes"
CASSETTES = sorted(FOLDER.rglob("*.yaml"))
CONTRACT = Contract()


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def test_there_are_cassettes() -> None:
    assert len(CASSETTES) >= 18


@pytest.mark.parametrize("cassette", CASSETTES, ids=name_of)
def test_cassette_fits_the_contract(cassette: Path) -> None:
    assert [str(finding) for finding in check_cassette(cassette, CONTRACT)] == []


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
    assert not re.search(r"\b\d{3}-\d{2}-\d{4}\b", text)


@pytest.mark.parametrize("cassette", CASSETTES, ids=name_of)
def test_cassette_is_recorded_under_the_test_host_only(cassette: Path) -> None:
    document = yaml.load(cassette.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    uris = {interaction["request"]["uri"].split("/")[2] for interaction in document["interactions"]}
    assert uris == {"sandbox.pokitdok.test"}


def test_every_cassette_belongs_to_a_test() -> None:
    """Reads the test modules, so that it holds for a part of the suite too."""
    tests = {
        (path.stem, name)
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert [name_of(path) for path in CASSETTES if (path.parent.name, path.stem) not in tests] == []
