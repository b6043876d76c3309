"""The contract's own examples: each request and each success has one, and each is valid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from pokitdok_ext.testing import Contract

CONTRACT = Contract()
DOCUMENT = CONTRACT.document
EXAMPLES: dict[str, Any] = DOCUMENT["components"].get("examples", {})


def media() -> Iterator[tuple[str, Any]]:
    """Every request body and every success with content, with a name."""
    for operation in CONTRACT.operations:
        for media_type, found in operation.definition.get("requestBody", {}).get("content", {}).items():
            yield f"{operation.id} request {media_type}", found
        for status, response in operation.definition["responses"].items():
            if status.startswith("2"):
                for media_type, found in response.get("content", {}).items():
                    yield f"{operation.id} {status} {media_type}", found


MEDIA = dict(media())


@pytest.mark.parametrize("name", MEDIA)
def test_request_or_success_has_a_synthetic_example(name: str) -> None:
    reference = MEDIA[name]["examples"]["synthetic"]["$ref"]
    assert reference.rpartition("/")[2] in EXAMPLES


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name in DOCUMENT["components"]["schemas"]])
def test_example_fits_its_component(name: str) -> None:
    assert [str(finding) for finding in CONTRACT.check_component(name, EXAMPLES[name]["value"])] == []


def test_every_example_is_used() -> None:
    used = {found["examples"]["synthetic"]["$ref"].rpartition("/")[2] for found in MEDIA.values()}
    assert set(EXAMPLES) - used == set()


def test_examples_hold_no_person_of_the_platforms_own_examples() -> None:
    """The names that the documentation and the recordings use; ours are invented."""
    text = json.dumps(EXAMPLES)
    assert re.findall(r"(?i)\b(doe|jerome|aya-ay|spartanburg|osinski|w000000000)\b", text) == []
