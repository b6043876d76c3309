"""Every generated model and code list: null everywhere, unknown members and unknown codes are read and written back."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest

from pokitdok_api import models
from pokitdok_ext.testing import Contract

SCHEMAS: dict[str, dict[str, Any]] = dict(Contract().document["components"]["schemas"])
OBJECTS = [name for name, schema in SCHEMAS.items() if schema.get("type") == "object"]
CODE_LISTS = [name for name, schema in SCHEMAS.items() if "enum" in schema]

CANARY = "Canaryname-1931"


@pytest.mark.parametrize("name", OBJECTS)
def test_null_in_every_place_is_read_and_written_back(name: str) -> None:
    model = getattr(models, name)
    value: dict[str, Any] = dict.fromkeys(SCHEMAS[name].get("properties", {"any": None}))
    assert model.from_dict(value).to_dict() == value


@pytest.mark.parametrize("name", OBJECTS)
def test_absence_of_everything_is_read_and_written_back(name: str) -> None:
    assert getattr(models, name).from_dict({}).to_dict() == {}


@pytest.mark.parametrize("name", [name for name in OBJECTS if "properties" in SCHEMAS[name]])
def test_unknown_member_is_kept_and_its_value_not_shown(name: str) -> None:
    read = getattr(models, name).from_dict({"never_heard_of": {"deep": [CANARY]}})
    assert read.additional_properties == {"never_heard_of": {"deep": [CANARY]}}
    assert read.to_dict() == {"never_heard_of": {"deep": [CANARY]}}
    assert CANARY not in repr(read)
    assert "never_heard_of" in repr(read)


@pytest.mark.parametrize("name", [name for name in OBJECTS if "properties" in SCHEMAS[name]])
def test_no_value_of_a_patient_or_secret_is_shown(name: str) -> None:
    masked = {
        prop: CANARY
        for prop, schema in SCHEMAS[name]["properties"].items()
        if (schema.get("x-phi") or schema.get("x-secret")) and schema.get("type") == "string"
    }
    read = getattr(models, name).from_dict(masked)
    assert CANARY not in repr(read)
    assert read.to_dict() == masked


@pytest.mark.parametrize("name", CODE_LISTS)
def test_unknown_code_stays_itself(name: str) -> None:
    code_list = getattr(models, name)
    known = len(code_list)
    unknown = code_list("never-heard-of")
    assert unknown == "never-heard-of"
    assert not unknown.is_known
    assert all(member.is_known for member in code_list)
    assert len(code_list) == known
    assert pickle.loads(pickle.dumps(unknown)) == copy.deepcopy(unknown) == unknown


@pytest.mark.parametrize("name", CODE_LISTS)
def test_code_list_has_every_code_of_the_contract_under_its_name(name: str) -> None:
    schema = SCHEMAS[name]
    members = {member.name: member.value for member in getattr(models, name)}
    assert members == dict(zip(schema["x-enum-varnames"], schema["enum"], strict=True))


def test_functions_of_a_model_are_made_once_whoever_calls_them() -> None:
    """Whoever got hold of `to_dict` before its first call holds what makes it."""
    code = """
import pokitdok_api._compiled as compiled
from pokitdok_api.models import Money
made, make = [], compiled.compile_function
compiled.compile_function = lambda cls, function: (made.append(function), make(cls, function))
read, write = Money.from_dict, Money.to_dict
for _ in range(3):
    assert write(read({"amount": "25"})) == {"amount": "25"}
print(made)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["['_read',", "'to_dict']"]
