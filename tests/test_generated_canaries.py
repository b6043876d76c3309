"""Patient data and secrets planted wherever the contract has them: in every model, and in every call of every function.

They must show in no `repr` of a model, and in no error, warning or log record of a call. What holds data on purpose is
exempt: ``body``, ``messages`` and ``headers`` of an error, content and fields of an answer.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest

from pokitdok_api import Client, models
from pokitdok_api._operations import OPERATIONS
from pokitdok_api.errors import APIError, InvalidResponseError, PokitDokError
from pokitdok_api.types import File, Response
from pokitdok_ext.testing import Contract

DOCUMENT = Contract().document
SCHEMAS: dict[str, dict[str, Any]] = dict(DOCUMENT["components"]["schemas"])
OBJECTS = [name for name, schema in SCHEMAS.items() if schema.get("type") == "object"]

# Somebody who is not: as text that nothing would let through as a name or an id, as a date, as a number.
CANARY, BORN, NUMBER = "Quillfeather, Zoë", "1931-07-23", 193107230042
TRACES = ("uillfeather", BORN, "1931, 7, 23", str(NUMBER))


def shown(texts: list[str]) -> list[str]:
    return [text for text in texts if any(trace in text for trace in TRACES)]


# ---------------------------------------------------------------- filled values


def is_secret(schema: dict[str, Any]) -> bool:
    return bool(schema.get("x-phi") or schema.get("x-secret"))


def filled(
    schema: dict[str, Any],
    *,
    variant: int = 0,
    everywhere: bool = False,
    planted: bool = False,
    above: tuple[str, ...] = (),
) -> Any:
    """JSON in which every member is there, down to where a component comes again, with canaries where it is secret.

    Args:
        schema: What to fill.
        variant: Which member of each union; from VARIANTS on again, with canaries in place of dates.
        everywhere: Whether every text is a canary, secret or not.
        planted: Whether this place is secret.
        above: The components around it.
    """
    again = functools.partial(filled, variant=variant, everywhere=everywhere)
    planted = planted or everywhere or is_secret(schema)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return again(SCHEMAS[name], planted=planted, above=(*above, name))
    if "anyOf" in schema:
        return again(schema["anyOf"][variant % len(schema["anyOf"])], planted=planted, above=above)
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = kind[variant % len(kind)]
    if kind == "object":
        if "properties" not in schema:
            values = schema.get("additionalProperties", True)
            inner = again(values, planted=True, above=above) if isinstance(values, dict) else {CANARY: [CANARY, NUMBER]}
            return {CANARY: inner}
        members = {
            name: again(each, planted=planted, above=above)
            for name, each in schema["properties"].items()
            if not comes_again(each, above)
        }
        return {**members, "never_heard_of": {CANARY: [CANARY, NUMBER]}}
    if kind == "array":
        return [again(schema["items"], planted=planted, above=above)]
    return scalar(schema, kind, variant) if planted else plain(schema, kind)


def comes_again(schema: dict[str, Any], above: tuple[str, ...]) -> bool:
    inner = (schema, schema.get("items", {}), *schema.get("anyOf", ()))
    return len(above) > 4 or any(each.get("$ref", "").rpartition("/")[2] in above for each in inner)


def scalar(schema: dict[str, Any], kind: str, variant: int) -> Any:
    if kind in {"integer", "number"}:
        return NUMBER
    if kind == "boolean":
        return False
    written = {"date": BORN, "date-time": f"{BORN}T10:00:00Z", "date-time-local": f"{BORN}T10:00:00"}
    return written.get(schema.get("format", ""), CANARY) if variant < VARIANTS else CANARY


def plain(schema: dict[str, Any], kind: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    return {"integer": 1, "number": 1.5, "boolean": False}.get(kind, "plain")


VARIANTS = 9
"""Members of the largest union of the contract."""


def test_every_member_of_every_union_is_tried() -> None:
    unions: list[int] = []

    def look(node: Any) -> None:
        if isinstance(node, dict):
            unions.append(len(node.get("anyOf", ())))
        for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            look(each)

    look(SCHEMAS)
    assert max(unions) == VARIANTS


def variants_of(name: str, **how: Any) -> Iterator[Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    seen: list[Any] = []
    for variant in range(2 * VARIANTS):
        value = filled(schema, variant=variant, **how)
        if value not in seen:
            seen.append(value)
            yield value


# ---------------------------------------------------------------- models


@pytest.mark.parametrize("name", OBJECTS)
def test_no_secret_shows_at_any_depth_of_a_model(name: str) -> None:
    model = getattr(models, name)
    for value in variants_of(name):
        read = model.from_dict(value)
        answer = Response(status_code=200, headers={}, content=json.dumps(value).encode(), parsed=read)
        assert shown([repr(read), str(read), f"{read}", repr([read]), repr(answer), str(answer)]) == []


@pytest.mark.parametrize("name", [name for name in OBJECTS if "properties" in SCHEMAS[name]])
def test_a_model_shows_what_is_no_secret_and_the_names_of_what_is_unknown(name: str) -> None:
    """Masking everything would be safe and of no use."""
    members = SCHEMAS[name]["properties"]
    texts = {key for key, each in members.items() if each.get("type") == "string" and "format" not in each}
    for key in texts:
        read = getattr(models, name).from_dict({key: CANARY})
        assert (CANARY in repr(read)) is not is_secret(members[key]), key
    read = getattr(models, name).from_dict({"never_heard_of": CANARY})
    assert "never_heard_of" in repr(read)
    assert CANARY not in repr(read)


class Unmasked(models.EligibilityMember):
    """A broken model: it shows everything."""

    def __repr__(self) -> str:
        return f"EligibilityMember({self.to_dict()})"


class KeysShown(models.FreeForm):
    """A broken model: it shows its keys, which are data."""

    def __repr__(self) -> str:
        return f"FreeForm({sorted(self.additional_properties)})"


@pytest.mark.parametrize("model", [Unmasked, KeysShown])
def test_broken_model_is_found(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    name = model.__mro__[1].__name__
    monkeypatch.setattr(models, name, model, raising=False)
    with pytest.raises(AssertionError):
        test_no_secret_shows_at_any_depth_of_a_model(name)


# ---------------------------------------------------------------- functions

MESSAGE = f"{CANARY}, born {BORN}, is no member"
ERRORS: list[Any] = [
    {"message": MESSAGE},
    {"meta": {"activity_id": MESSAGE}, "data": {"errors": {"validation": {MESSAGE: [MESSAGE], "id": {"a": MESSAGE}}}}},
    {"data": {"errors": {"validation": MESSAGE}}},
    {"data": {"errors": {"scope": MESSAGE, "general": MESSAGE, "query": MESSAGE}}},
    {"data": {"errors": {"parsing": filled({"$ref": "#/components/schemas/AcknowledgmentError"}, everywhere=True)}}},
    {"data": {"errors": MESSAGE}},
    {"data": {"errors": [MESSAGE]}},
    {"data": MESSAGE},
    {"error": MESSAGE, "error_description": MESSAGE},
    [MESSAGE],
    MESSAGE,
    b"<html>" + MESSAGE.encode(),
    b"",
]
"""Bodies of errors: all documented ones, and others."""

STATUSES = (400, 401, 402, 403, 404, 422, 500)

ERRORS_OF_A_SUCCESS = [each for each in ERRORS if isinstance(each, dict) and isinstance(each.get("data"), dict)]
BROKEN: list[Any] = [
    b'{"meta": {"activity_id": "x"}, "data": {"name": "' + CANARY.encode(),
    CANARY.encode("latin-1"),
    b"[" * 100_000 + CANARY.encode(),
    [CANARY],
    CANARY,
    NUMBER,
    {"meta": CANARY, "data": CANARY},
    {"meta": [CANARY], "data": [[CANARY]]},
]
"""Bodies of a success: cut off, in another encoding, nested too deeply, of the wrong kind."""


class Heard(logging.Handler):
    """Everything that is logged, with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts += [self.format(record), str(record.args)]


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[Heard]:
    """All loggers at DEBUG."""
    for name in ("", *logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name or None)
    handler = Heard()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


class Platform:
    """Answers with what it was last given."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.requests = 0
        self.has_met_a_canary = False

    def give(self, status: int, body: Any) -> None:
        self.status, self.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if "uillfeather" in f"{request.url}{request.content!r}":
            self.has_met_a_canary = True
        return httpx.Response(self.status, content=self.body, headers={"X-Member": CANARY.encode()})


def arguments_of(function: Any) -> tuple[list[Any], dict[str, Any]]:
    """Canaries for every parameter of the function, needed or not."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in {"client", "timeout"}:
            continue
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            positional.append(CANARY)
        elif parameter.name == "body":
            keywords["body"] = body_of(parameter.annotation)
        else:
            keywords[parameter.name] = CANARY
    return positional, keywords


def body_of(annotation: str) -> Any:
    kind = annotation.partition(" | ")[0]
    if kind == "str":
        return f"ISA*00*{CANARY}*{BORN}~"
    value = filled({"$ref": f"#/components/schemas/{kind}"}, everywhere=True)
    for key, each in SCHEMAS[kind]["properties"].items():
        if each.get("format") == "binary":
            value[key] = File(CANARY.encode(), CANARY)
    return getattr(models, kind).from_dict(value)


def successes(annotation: str) -> Iterator[Any]:
    """Bodies that the function can read."""
    if annotation == "None":
        yield b""
        return
    for kind in annotation.split(" | "):
        if kind == "str":
            yield f"ISA*00*{CANARY}*{BORN}~".encode()
        else:
            yield from variants_of(kind, everywhere=True)


def texts_of(error: BaseException) -> Iterator[str]:
    """Everything that a program would print of an error: its own texts, its fields, its causes."""
    seen: BaseException | None = error
    while seen is not None:
        yield from (str(seen), repr(seen), repr(seen.args), repr(getattr(seen, "__notes__", ())))
        on_purpose = {"body", "content", "messages", "headers"}
        # activity_id comes as the API sent it; the text of an error lets through only what looks like one.
        fields = {key: each for key, each in vars(seen).items() if key not in on_purpose | {"activity_id"}}
        yield repr(fields)
        seen = seen.__cause__ or seen.__context__


Call = Callable[[], Any]


def outcome(call: Call, expected: tuple[type[PokitDokError], ...], *, needed: bool) -> list[str]:
    """Texts of what comes of a *call*: an error that is *expected*, or an answer unless an error is *needed*."""
    try:
        answer = call()
    except expected as error:
        return list(texts_of(error))
    assert not needed, "read as an answer"
    return [repr(answer), str(answer)]


def module_of(name: str) -> Any:
    return import_module(f"pokitdok_api.api.{OPERATIONS[name].tag}.{name}")


def success_of(name: str) -> str:
    """What the function returns, as its annotation."""
    return str(inspect.signature(module_of(name).sync).return_annotation)


def cases(annotation: str, errors: list[Any]) -> Iterator[tuple[int, Any, tuple[type[PokitDokError], ...], bool]]:
    """Status, body, errors that may come, whether one has to."""
    for body in successes(annotation):
        # errors in the data are an error, also where the contract has that member in a result (InsurancePrices.errors)
        told = isinstance(body, dict) and isinstance(body.get("data"), dict) and bool(body["data"].get("errors"))
        yield 200, body, (APIError,) if told else (), told
    for body in BROKEN:
        yield 200, body, (InvalidResponseError,), annotation not in {"None", "str"} and isinstance(body, bytes)
    for body in ERRORS_OF_A_SUCCESS:
        yield 200, body, (APIError,), True
    for status in STATUSES:
        for body in errors:
            yield status, body, (APIError,), True


def texts_of_calls(
    function: Any, annotation: str, errors: list[Any], run: Callable[[Call], Any] = lambda call: call()
) -> list[str]:
    """Everything that is said while the function meets every case; what is logged and warned is heard elsewhere."""
    platform = Platform()
    transport = httpx.MockTransport(platform)
    positional, keywords = arguments_of(function)
    texts: list[str] = []
    with Client("http://platform.invalid", transport=transport, async_transport=transport) as client:
        for number, (status, body, expected, needed) in enumerate(cases(annotation, errors), start=1):
            platform.give(status, body)
            call = functools.partial(run, functools.partial(function, *positional, client=client, **keywords))
            texts += outcome(call, expected, needed=needed)
            assert platform.requests == number
    assert platform.has_met_a_canary is bool(positional or keywords), "what was sent held no canary"
    return texts


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_said_of_a_call_shows_what_was_sent_or_answered(name: str, heard: Heard) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        texts = texts_of_calls(module_of(name).sync_detailed, success_of(name), ERRORS)
    assert any("HTTP Request" in text for text in heard.texts)
    assert OPERATIONS[name].deprecated is any(each.category is DeprecationWarning for each in warned)
    assert shown([*texts, *heard.texts, *(str(each.message) for each in warned)]) == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_said_of_a_call_on_an_event_loop_shows_what_was_sent_or_answered(name: str, heard: Heard) -> None:
    with warnings.catch_warnings(record=True) as warned, asyncio.Runner() as runner:
        warnings.simplefilter("always")
        # What is read and raised is the same code: two bodies of errors are enough to hear of the way there.
        call = module_of(name).asyncio_detailed
        texts = texts_of_calls(call, success_of(name), ERRORS[:2], lambda each: runner.run(each()))
    assert any("HTTP Request" in text for text in heard.texts)
    assert shown([*texts, *heard.texts, *(str(each.message) for each in warned)]) == []


def leaking(how: str, function: Any) -> Any:
    """A broken function: it tells what it was given, in one of many ways."""

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        given = f"{arguments} {keywords['body'].to_dict()}"
        if how == "log":
            logging.getLogger("anything").debug("sending %s", given)
        if how == "warning":
            warnings.warn(given, UserWarning, stacklevel=2)
        try:
            return function(*arguments, **keywords)
        except APIError as error:
            if how == "note":
                error.add_note(given)
            if how == "field":
                error.sent = given
            if how == "cause":
                raise error from ValueError(given)
            raise

    return call


@pytest.mark.parametrize("how", ["log", "warning", "note", "field", "cause"])
def test_broken_function_is_found(monkeypatch: pytest.MonkeyPatch, heard: Heard, how: str) -> None:
    module = module_of("check_eligibility")
    monkeypatch.setattr(module, "sync_detailed", leaking(how, module.sync_detailed))
    with pytest.raises(AssertionError, match="uillfeather"):
        test_nothing_said_of_a_call_shows_what_was_sent_or_answered("check_eligibility", heard)
