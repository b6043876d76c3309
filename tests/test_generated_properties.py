"""Every generated model against JSON that hypothesis invents: what fits the contract, what nearly does, what does not.

What the strategies invent follows the contract's schemas, not the generated code. Examples are few and always the same.
For a long run with other examples each time: ``POKITDOK_EXAMPLES=50 pytest tests/test_generated_properties.py``.
"""

from __future__ import annotations

import copy
import datetime
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pokitdok_api import models
from pokitdok_api._kinds import Object
from pokitdok_api._values import Misfit
from pokitdok_ext.testing import Contract

CONTRACT = Contract()
SCHEMAS: dict[str, dict[str, Any]] = dict(CONTRACT.document["components"]["schemas"])
OBJECTS = [name for name, schema in SCHEMAS.items() if schema.get("type") == "object"]

EXAMPLES = os.environ.get("POKITDOK_EXAMPLES")
SETTINGS = settings(
    max_examples=int(EXAMPLES or 4),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
PLANTED = settings(SETTINGS, max_examples=1000, derandomize=True, phases=[Phase.generate])
"""For tests that a property can fail: enough examples to meet what is broken, and no time for making them small."""

CANARY = "Quillfeather-1931"

# ---------------------------------------------------------------- what fits the contract

WIDTH = (6, 2, 1, 0)
"""Optional members of an object at most, by depth; below there are only required ones, so that recursion ends."""

TEXTS = st.one_of(
    st.sampled_from(["", " ", "0", "1", "1.0", "true", "null", "2015-02-29", "20150228", "2015-02-28", "Zoë", "\x00"]),
    st.text(max_size=6),
)
FREE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=4,
)
DATES = st.dates(min_value=datetime.date(1000, 1, 1)).map(datetime.date.isoformat)
LOCAL_TIMES = st.datetimes(min_value=datetime.datetime(1000, 1, 1)).map(datetime.datetime.isoformat)  # noqa: DTZ001

TYPES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    # 1.0 is an integer of JSON Schema; it must not come back as 1.
    "integer": st.one_of(st.integers(), st.sampled_from([0, 1, 1.0, -0.0, 10**20])),
    "number": st.one_of(
        st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.sampled_from([0.1, 1, 1.0, -0.0])
    ),
    "boolean": st.booleans(),
    "null": st.none(),
}
FORMATS: dict[str, st.SearchStrategy[Any]] = {
    "date": DATES,
    "date-time-local": LOCAL_TIMES,
    "date-time": st.one_of(LOCAL_TIMES.map("{}Z".format), LOCAL_TIMES.map("{}-05:30".format)),
    "decimal": st.from_regex(r"-?[0-9]{1,6}(\.[0-9]{1,4})?", fullmatch=True),
    "uri": st.sampled_from(["https://example.org/a?b=%20#c", "urn:x:y", "http://127.0.0.1:8400/"]),
    "email": st.sampled_from(["a@example.org", "zoe+x@example.org"]),
    "binary": TEXTS,
}


def fitting(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON that the *schema* allows."""
    if "$ref" in schema:
        return fitting_component(schema["$ref"].rpartition("/")[2], depth)
    if "anyOf" in schema:
        return st.one_of(*(fitting(each, depth) for each in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind is None:
        return FREE
    if isinstance(kind, list):
        return st.one_of(*(fitting({**schema, "type": each}, depth) for each in kind))
    if kind == "object":
        return fitting_objects(schema, depth)
    if kind == "array":
        return st.lists(fitting(schema["items"], depth + 1), max_size=2 if depth == 0 else 1)
    if kind == "string" and "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"].replace("$", r"\Z"), re.ASCII))
    if kind == "string" and "format" in schema:
        return FORMATS[schema["format"]]
    return TYPES[kind]


@functools.cache
def fitting_component(name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: fitting(SCHEMAS[name], depth))


def fitting_objects(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if "properties" not in schema:
        values = schema.get("additionalProperties", True)
        inner = FREE if values is True else fitting(values, depth + 1)
        return st.dictionaries(st.text(max_size=5), inner, max_size=2)
    required = schema.get("required", [])
    optional = [name for name in schema["properties"] if name not in required]
    width = min(WIDTH[min(depth, len(WIDTH) - 1)], len(optional))
    chosen = st.lists(st.sampled_from(optional), unique=True, max_size=width) if width else st.just([])
    if depth == 0:
        chosen = st.one_of(chosen, st.just(optional))
    members = {name: fitting(each, depth + 1) for name, each in schema["properties"].items()}

    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        return {name: draw(members[name]) for name in [*required, *draw(chosen)]}

    return objects()


# ---------------------------------------------------------------- places of a fitting value


class Place(NamedTuple):
    """Where something else can be put."""

    holder: Any
    """The object or array that has it."""
    key: Any
    """Under which key or index."""
    schema: dict[str, Any]
    """What the contract has there."""
    name: str
    """How a Misfit has to call it."""
    chosen: bool
    """Whether a union of several objects is above: then the class that reads it may be another one."""

    @property
    def value(self) -> Any:
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        self.holder[self.key] = value


def resolved(schema: dict[str, Any], value: Any) -> tuple[dict[str, Any], str]:
    """The member of a union that *value* is of, without references; and its name, if it has one."""
    name = ""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = SCHEMAS[name]
        else:
            schema = min(schema["anyOf"], key=lambda each: distance(value, each))
    return schema, name


def distance(value: Any, schema: dict[str, Any]) -> float:
    """How far *value* is from a member of a union."""
    if "$ref" in schema:
        return len(CONTRACT.check_component(schema["$ref"].rpartition("/")[2], value))
    kind = {dict: "object", list: "array"}.get(type(value), "string")
    return 0 if kind == schema["type"] else float("inf")


def objects_of(schema: dict[str, Any]) -> int:
    return sum(each.get("$ref", "").rpartition("/")[2] in OBJECTS for each in schema.get("anyOf", ()))


def places(value: Any, schema: dict[str, Any], name: str, chosen: bool = False) -> Iterator[Place]:
    """Every place below *value*, which fits the *schema*."""
    chosen = chosen or objects_of(schema) > 1
    schema, component = resolved(schema, value)
    if isinstance(value, dict):
        values = schema.get("additionalProperties", True)
        for key in value:
            if key in schema.get("properties", ()):
                place = Place(value, key, schema["properties"][key], f"{component}.{key}", chosen)
            elif "properties" not in schema and isinstance(values, dict):
                place = Place(value, key, values, f"{component}.*", chosen)
            else:
                continue
            yield place
            yield from places(value[key], place.schema, place.name, chosen)
    elif isinstance(value, list) and "items" in schema:
        for index in range(len(value)):
            place = Place(value, index, schema["items"], f"{name}[]", chosen)
            yield place
            yield from places(value[index], place.schema, place.name, chosen)


def open_objects(value: Any, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object in *value* that can get an unknown member: all but maps of something."""
    own, _ = resolved(schema, value)
    if isinstance(value, dict):
        if not isinstance(own.get("additionalProperties"), dict):
            yield value
        for key, each in value.items():
            inner = own.get("properties", {}).get(key, own.get("additionalProperties"))
            yield from open_objects(each, inner if isinstance(inner, dict) else {})
    elif isinstance(value, list):
        for each in value:
            yield from open_objects(each, own.get("items", {}))


# ---------------------------------------------------------------- comparing


def same(left: Any, right: Any) -> bool:
    """Equal as JSON text: 1 is neither 1.0 nor True, and a code or a date is no plain text."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(each, right[key]) for key, each in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return repr(left) == repr(right) if isinstance(left, float) else bool(left == right)


def fits_and_comes_back(name: str, model: Any, value: Any) -> None:
    """A strategy that strays from the contract would prove something else."""
    astray = [each for each in CONTRACT.check_component(name, value) if each.rule != "undocumented property"]
    assert not astray, "what is tried does not fit the contract"
    read_back(model, value)


def read_back(model: Any, value: Any) -> None:
    given = copy.deepcopy(value)
    written = model.from_dict(value).to_dict()
    assert same(value, given), "what is read was changed"
    assert same(written, given), f"{given!r} came back as {written!r}"


def prove(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], how: settings = SETTINGS) -> None:
    @how
    @given(strategy)
    def holds(value: Any) -> None:
        check(value)

    holds()


def reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(
    ("left", "right"), [(1, 1.0), (1, True), (1, "1"), (0.0, -0.0), (None, False), ([{"a": 1}], [{"a": 1.0}]), ({}, [])]
)
def test_values_of_different_json_types_are_told_apart(left: Any, right: Any) -> None:
    assert not same(left, right)
    assert same(left, copy.deepcopy(left))
    assert same(right, copy.deepcopy(right))


# ---------------------------------------------------------------- 1. what fits


@pytest.mark.parametrize("name", OBJECTS)
def test_what_fits_the_contract_comes_back_as_it_was(name: str) -> None:
    prove(fitting_component(name), functools.partial(fits_and_comes_back, name, getattr(models, name)))


class WholeNumbersOnly(models.Meta):
    """A broken model: it writes 1.0 as 1."""

    def to_dict(self) -> dict[str, Any]:
        return {
            key: int(each) if isinstance(each, float) and each.is_integer() else each
            for key, each in super().to_dict().items()
        }


class Forgetful(models.Meta):
    """A broken model: it forgets what is empty."""

    def to_dict(self) -> dict[str, Any]:
        return {key: each for key, each in super().to_dict().items() if each != ""}


@pytest.mark.parametrize("model", [WholeNumbersOnly, Forgetful])
def test_broken_model_is_found_by_what_fits(model: Any) -> None:
    with pytest.raises(AssertionError, match="came back as"):
        prove(fitting_component("Meta"), functools.partial(read_back, model), PLANTED)


# ---------------------------------------------------------------- 2. what nearly fits

BAD_DATES = st.sampled_from(
    [
        *("2015-02-30", "20150228", "2015-2-8", "2015-W08-6", "02/28/2015", "0000-00-00", "2015-02-28T00:00:00Z", "T"),
        *(
            "2015-02-28T10",
            "2015-02-28 10:00:00",
            "2015-02-28T10:00:00.5",
            "2015-02-28T10:00:00+00:00",
            "20150228T100000",
        ),
    ]
)
BAD_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 1.0, 1.5, -0.0, 10**30, 1e300, "", "1", "1.50", "true", "never-heard-of", "\ud800"]),
    BAD_DATES,
    st.text(max_size=5),
)
UNKNOWN_KEYS = st.sampled_from(
    ["never_heard_of", "Zoë", "", "a.b", "additional_properties", "async_", "_rest", "_v", "self", "cls", "from_dict"]
).filter(lambda key: key not in CONTRACT.property_names)


@st.composite
def nearly_fitting(draw: st.DrawFn, name: str) -> Any:
    """A fitting value with a few faults: nulls, unknown members, unknown codes, scalars of another type, bad dates."""
    value = copy.deepcopy(draw(fitting_component(name)))
    found = list(places(value, reference(name), name))
    hosts = list(open_objects(value, reference(name)))
    if found:
        for index in draw(st.sets(st.integers(0, len(found) - 1), min_size=1, max_size=3)):
            place = found[index]
            bad = st.one_of(BAD_DATES, BAD_SCALARS) if "date" in place.schema.get("format", "") else BAD_SCALARS
            place.put(None if isinstance(place.value, dict | list) else draw(bad))
    if hosts and draw(st.booleans()):
        draw(st.sampled_from(hosts))[draw(UNKNOWN_KEYS)] = draw(FREE)
    return value


@pytest.mark.parametrize("name", OBJECTS)
def test_what_nearly_fits_is_read_and_nothing_is_lost(name: str) -> None:
    prove(nearly_fitting(name), functools.partial(read_back, getattr(models, name)))


class LenientDates(models.EligibilityMember):
    """A broken model: it reads a date that is written in another way, and writes it back in its own."""

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        read = super().from_dict(source)
        if isinstance(read.birth_date, str):
            with suppress(ValueError):
                read.birth_date = datetime.date.fromisoformat(read.birth_date)
        return read


class StrictDates(models.EligibilityMember):
    """A broken model: it refuses a date that is none."""

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        if isinstance(source.get("birth_date"), str):
            datetime.date.fromisoformat(source["birth_date"])
        return super().from_dict(source)


class Closed(models.EligibilityMember):
    """A broken model: it leaves out what it does not know."""

    def to_dict(self) -> dict[str, Any]:
        self.additional_properties.clear()
        return super().to_dict()


@pytest.mark.parametrize(
    ("model", "error"), [(LenientDates, AssertionError), (StrictDates, ValueError), (Closed, AssertionError)]
)
def test_broken_model_is_found_by_what_nearly_fits(model: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        prove(nearly_fitting("EligibilityMember"), functools.partial(read_back, model), PLANTED)


# ---------------------------------------------------------------- 3. containers of the wrong kind

WRONG = {
    "object": [{}, {CANARY: CANARY}],
    "array": [[], [CANARY], [[CANARY]], [1]],
    "string": [CANARY, ""],
    "number": [19310723, 1931.5, 0],
    "boolean": [True, False],
}
MISFIT = re.compile(r"[A-Z]\w*(\.(\w+|\*)(\[\])*)?: (object|array|object or array) expected, (\w+) found")


def kinds(schema: dict[str, Any]) -> frozenset[str]:
    """The JSON types that the contract has in a place."""
    if "$ref" in schema:
        return kinds(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return frozenset().union(*map(kinds, schema["anyOf"]))
    kind = schema.get("type", list(WRONG))
    return frozenset(kind if isinstance(kind, list) else [kind])


def is_documented(kind: str, schema: dict[str, Any]) -> bool:
    known = kinds(schema)
    return kind in known or (kind == "number" and "integer" in known)


def read_or_refused(model: Any, value: Any, place: str | None, *, refused: bool) -> None:
    """*value* comes back as it was, or a Misfit names the *place*; *refused*: only the latter will do."""
    given = copy.deepcopy(value)
    found: Misfit | None = None
    try:
        written = model.from_dict(value).to_dict()
    except Misfit as misfit:
        found = misfit
    if found is None:
        assert not refused, f"{given!r} was read as {written!r}"
        assert same(written, given), f"{given!r} came back as {written!r}"
        return
    text = str(found)
    named = text.partition(":")[0]
    assert MISFIT.fullmatch(text), text
    assert CANARY not in repr(found)
    assert "1931" not in repr(found)
    assert found.__cause__ is None
    assert place is None or named.startswith(place), text
    assert place is None or not refused or named == place, text


@st.composite
def misfitting(draw: st.DrawFn, name: str) -> tuple[Any, str | None, bool]:
    """A fitting value with one container of the wrong kind; what a Misfit has to name; whether there has to be one."""
    value = copy.deepcopy(draw(fitting_component(name)))
    found = [
        (place, wrong)
        for place in places(value, reference(name), name)
        if isinstance(place.value, dict | list)
        and (wrong := [each for each in WRONG if not is_documented(each, place.schema)])
    ]
    if not found:
        return value, None, False
    place, wrong = draw(st.sampled_from(found))
    known = kinds(place.schema)
    place.put(draw(st.sampled_from(WRONG[draw(st.sampled_from(wrong))])))
    certain = not (place.chosen or objects_of(place.schema) > 1)
    return value, place.name if certain else None, certain and known in (frozenset({"object"}), frozenset({"array"}))


def judge(model: Any) -> Callable[[tuple[Any, str | None, bool]], None]:
    return lambda case: read_or_refused(model, case[0], case[1], refused=case[2])


@pytest.mark.parametrize("name", OBJECTS)
def test_container_of_the_wrong_kind_is_refused_by_name_or_kept_at_any_depth(name: str) -> None:
    prove(misfitting(name), judge(getattr(models, name)))


def fields_with_wrong_values(name: str) -> Iterator[tuple[dict[str, Any], str, bool]]:
    """Each member of a model, and each item of its arrays, with everything that the contract does not have there."""
    members = SCHEMAS[name].get("properties", {})
    values = SCHEMAS[name].get("additionalProperties")
    if isinstance(values, dict):
        members = {"*": values}
    for key, member in members.items():
        schema, place, wrap = member, f"{name}.{key}", 0
        while True:
            only = kinds(schema) in (frozenset({"object"}), frozenset({"array"}))
            for kind, wrongs in WRONG.items():
                if is_documented(kind, schema):
                    continue
                for wrong in wrongs:
                    value = copy.deepcopy(wrong)
                    for _ in range(wrap):
                        value = [value]
                    yield {key: value}, place, only
            if schema.get("type") != "array":
                break
            schema, place, wrap = schema["items"], f"{place}[]", wrap + 1


def read_or_refuse_every_member(name: str, model: Any) -> None:
    for value, place, only in fields_with_wrong_values(name):
        read_or_refused(model, value, place, refused=only)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_member_refuses_the_wrong_kind_by_name_or_keeps_it(name: str) -> None:
    read_or_refuse_every_member(name, getattr(models, name))


class Silent(models.ClaimRequest):
    """A broken model: it drops what does not fit."""

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        try:
            return super().from_dict(source)
        except Misfit:
            return super().from_dict({})


class Talkative(models.ClaimRequest):
    """A broken model: it shows what does not fit."""

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        try:
            return super().from_dict(source)
        except Misfit as misfit:
            raise Misfit(f"{misfit}: {source!r}") from None


class Nameless(models.ClaimRequest):
    """A broken model: it does not say where."""

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        try:
            return super().from_dict(source)
        except Misfit:
            raise Misfit("ClaimRequest: object expected, string found") from None


class Crashing(models.ClaimRequest):
    """A broken model: it raises something else."""

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        try:
            return super().from_dict(source)
        except Misfit:
            raise TypeError from None


@pytest.mark.parametrize(
    ("model", "error"),
    [(Silent, AssertionError), (Talkative, AssertionError), (Nameless, AssertionError), (Crashing, TypeError)],
)
def test_broken_model_is_found_by_the_wrong_kind(model: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        prove(misfitting("ClaimRequest"), judge(model), PLANTED)
    with pytest.raises(error):
        read_or_refuse_every_member("ClaimRequest", model)


# ---------------------------------------------------------------- 4. what is read at the first look


def outcome_of(read: Callable[[Any], Any], value: Any) -> tuple[Any, str | None]:
    try:
        return read(value), None
    except Misfit as misfit:
        return None, str(misfit)


def reads_as_at_once(name: str, value: Any) -> None:
    """What is refused is refused when the answer comes; what is not can be looked at, compared and written back."""
    answer, refused = outcome_of(Object(name).answer_reader(name), copy.deepcopy(value))
    at_once, refused_at_once = outcome_of(getattr(models, name).from_dict, copy.deepcopy(value))
    assert refused == refused_at_once
    assert answer == at_once
    assert answer is None or same(answer.to_dict(), value)


@pytest.mark.parametrize("name", OBJECTS)
def test_answer_is_read_at_first_look_as_it_would_be_at_once(name: str) -> None:
    prove(
        st.one_of(fitting_component(name), misfitting(name).map(lambda case: case[0])),
        lambda value: reads_as_at_once(name, value),
    )
