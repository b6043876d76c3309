"""The report on a changed contract: every edit is seen, judged and placed, and none ends in a traceback."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pokitdok_ext.testing import Contract as Checker

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from _contract import Contract  # noqa: E402 - scripts/ is no package
from _forms import Forms  # noqa: E402
from _spec_changes import Level  # noqa: E402
from _spec_diff import changes  # noqa: E402
from _spec_fit import cassettes, changed_operations, python_names, skeletons  # noqa: E402
from _spec_problems import read  # noqa: E402
from _spec_source import BadContract  # noqa: E402
from spec_change import main  # noqa: E402

SMALL = """\
openapi: 3.1.0
info: {title: Small, version: 1.0.0}
security: [{oauth2: []}]
paths:
  /pets/{id}:
    get:
      operationId: get_pet
      tags: [pets]
      summary: Read.
      x-retry: safe
      x-paging: {limit: limit}
      x-evidence: inferred
      x-evidence-by-status: {'200': inferred, '404': inferred, default: inferred}
      security: [{oauth2: [read]}]
      parameters:
      - {name: id, in: path, required: true, x-phi: true, schema: {type: string}}
      - {name: limit, in: query, x-phi: false, schema: {type: integer, maximum: 9}}
      responses:
        '200': {description: Yes., content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
        '404': {description: No.}
        default: {description: Other.}
  /pets:
    post:
      operationId: add_pet
      tags: [pets]
      summary: Add.
      x-retry: unsafe
      x-evidence: inferred
      x-evidence-by-status: {'200': inferred}
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Wish'}, examples: {one: {value: {kind: cat}}}}
          text/csv: {schema: {type: string}}
      responses:
        '200': {description: Yes., content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
components:
  securitySchemes:
    oauth2: {type: oauth2, flows: {clientCredentials: {tokenUrl: /token, scopes: {read: Read., write: Write.}}}}
  schemas:
    Pet:
      type: object
      required: [kind]
      properties:
        kind: {$ref: '#/components/schemas/Breed'}
        owner: {type: string, x-phi: true}
        born: {type: string, format: date}
        age: {type: [integer, 'null']}
        tags: {type: array, items: {type: string}}
        mixed: {anyOf: [{type: string}, {type: integer}]}
    Wish:
      type: object
      required: [kind]
      properties:
        kind: {$ref: '#/components/schemas/Breed'}
        note: {type: string, maxLength: 20}
        key: {type: string, x-secret: true}
    Breed: {type: string, enum: [c, d], x-enum-varnames: [CAT, DOG]}
"""
OLD: dict[str, Any] = yaml.safe_load(SMALL)
PET, WISH, KIND = "components|schemas|Pet", "components|schemas|Wish", "components|schemas|Breed"
GET, POST = "paths|/pets/{id}|get", "paths|/pets|post"
Edit = Callable[[Any], None]


def at(document: Any, way: str) -> Any:
    for step in filter(None, way.split("|")):
        document = document[int(step) if isinstance(document, list) else step]
    return document


def put(way: str, value: Any) -> Edit:
    parent, _, last = way.rpartition("|")
    return lambda document: at(document, parent).__setitem__(last, copy.deepcopy(value))


def drop(way: str) -> Edit:
    parent, _, last = way.rpartition("|")
    return lambda document: at(document, parent).pop(int(last) if last.isdigit() and len(last) < 3 else last)


def move(way: str, name: str, **more: Any) -> Edit:
    """Put what stands at *way* under another name beside it."""
    parent, _, last = way.rpartition("|")
    return lambda document: at(document, parent).__setitem__(name, {**at(document, parent).pop(last), **more})


def both(*edits: Edit) -> Edit:
    return lambda document: [edit(document) for edit in edits].clear()


STRING = {"type": "string"}
READ = {**at(OLD, GET), "operationId": "read_pet"}
NEW_PARAMETER = {"name": "q", "in": "query", "schema": STRING}

EDITS: dict[str, tuple[Edit, Level, str, str, str]] = {
    # name: edit, verdict, subject, place, part of what is said
    "answer field added": (put(f"{PET}|properties|x", STRING), Level.MINOR, "field", "Pet.x", "added, optional"),
    "answer field added as required": (
        both(put(f"{PET}|properties|x", STRING), put(f"{PET}|required", ["kind", "x"])),
        *(Level.MINOR, "field", "Pet.x", "added, required"),
    ),
    "request field added": (put(f"{WISH}|properties|x", STRING), Level.MINOR, "field", "Wish.x", "added, optional"),
    "request field added as required": (
        both(put(f"{WISH}|properties|x", STRING), put(f"{WISH}|required", ["kind", "x"])),
        *(Level.MAJOR, "field", "Wish.x", "added, required"),
    ),
    "field removed": (drop(f"{PET}|properties|born"), Level.MAJOR, "field", "Pet.born", "removed"),
    "field renamed": (move(f"{PET}|properties|born", "birth"), Level.MAJOR, "field", "Pet.born", "birth looks like"),
    "field retyped": (put(f"{PET}|properties|tags", STRING), Level.MAJOR, "type", "Pet.tags", "was array of string"),
    "items retyped": (put(f"{PET}|properties|tags|items|type", "integer"), Level.MAJOR, "type", "Pet.tags[]", "string"),
    "answer type wider": (
        put(f"{PET}|properties|age|type", ["integer", "string"]),
        *(Level.MAJOR, "type", "Pet.age", "is integer or string"),
    ),
    "request type wider": (
        put(f"{WISH}|properties|note|type", ["string", "integer"]),
        Level.MINOR,
        "type",
        "Wish.note",
        "",
    ),
    "null no longer stated": (put(f"{PET}|properties|age|type", "integer"), Level.PATCH, "type", "Pet.age", "null"),
    "alternative added": (
        put(f"{PET}|properties|mixed|anyOf", [STRING, {"type": "integer"}, {"type": "boolean"}]),
        *(Level.MAJOR, "type", "Pet.mixed", "may be boolean too"),
    ),
    "alternative of an answer removed": (
        put(f"{PET}|properties|mixed|anyOf", [STRING]),
        *(Level.MINOR, "type", "Pet.mixed", "no longer integer"),
    ),
    "reference to another class": (
        put(f"{PET}|properties|kind|$ref", "#/components/schemas/Wish"),
        *(Level.MAJOR, "type", "Pet.kind", "was Breed, is Wish"),
    ),
    "format changed": (
        put(f"{PET}|properties|born|format", "date-time"),
        Level.MAJOR,
        "format",
        "Pet.born",
        "was date,",
    ),
    "request field made required": (
        put(f"{WISH}|required", ["kind", "note"]),
        *(Level.MAJOR, "requiredness", "Wish.note", "required from now on"),
    ),
    "request field made optional": (put(f"{WISH}|required", []), Level.MINOR, "requiredness", "Wish.kind", "no longer"),
    "answer field made optional": (put(f"{PET}|required", []), Level.MAJOR, "requiredness", "Pet.kind", "no longer"),
    "answer field made required": (
        put(f"{PET}|required", ["kind", "owner"]),
        *(Level.MINOR, "requiredness", "Pet.owner", "required from now on"),
    ),
    "limit tightened": (put(f"{WISH}|properties|note|maxLength", 5), Level.MAJOR, "limit", "Wish.note", "was 20, is 5"),
    "limit loosened": (put(f"{WISH}|properties|note|maxLength", 50), Level.MINOR, "limit", "Wish.note", "is 50"),
    "code added": (
        both(put(f"{KIND}|enum", ["c", "d", "e"]), put(f"{KIND}|x-enum-varnames", ["CAT", "DOG", "EMU"])),
        *(Level.MINOR, "code", "Breed", "code e added (EMU)"),
    ),
    "code removed": (
        both(put(f"{KIND}|enum", ["c"]), put(f"{KIND}|x-enum-varnames", ["CAT"])),
        *(Level.MAJOR, "code", "Breed", "code d removed (DOG)"),
    ),
    "code renamed": (put(f"{KIND}|x-enum-varnames", ["CAT", "HOUND"]), Level.MAJOR, "code", "Breed", "called HOUND"),
    "component added": (put("components|schemas|More", {"type": "object"}), Level.MINOR, "component", "More", "added"),
    "component removed": (
        both(drop(WISH), put(f"{POST}|requestBody|content|application/json|schema", STRING)),
        *(Level.MAJOR, "component", "Wish", "removed"),
    ),
    "operation added": (put("paths|/new/{id}", {"get": READ}), Level.MINOR, "operation", "read_pet", "GET /new/{id}"),
    "operation removed": (drop("paths|/pets"), Level.MAJOR, "operation", "add_pet", "removed"),
    "operation renamed": (
        put(f"{GET}|operationId", "read_pet"),
        Level.MAJOR,
        "operation",
        "get_pet",
        "belongs to read_pet",
    ),
    "path changed": (move("paths|/pets", "/animals"), Level.MAJOR, "operation", "add_pet", "to POST /animals"),
    "method changed": (move(POST, "put"), Level.MAJOR, "operation", "add_pet", "from POST /pets to PUT"),
    "tag changed": (put(f"{POST}|tags", ["zoo"]), Level.MAJOR, "operation", "add_pet", "tag was pets, is zoo"),
    "operation deprecated": (
        put(f"{POST}|deprecated", value=True),
        Level.MINOR,
        "deprecation",
        "add_pet",
        "deprecated",
    ),
    "retry class made safe": (put(f"{POST}|x-retry", "safe"), Level.MAJOR, "retry class", "add_pet", "is safe"),
    "retry class made unsafe": (put(f"{GET}|x-retry", "unsafe"), Level.MINOR, "retry class", "get_pet", "is unsafe"),
    "paging removed": (drop(f"{GET}|x-paging"), Level.MAJOR, "paging", "get_pet", "paging changed"),
    "paging added": (put(f"{POST}|x-paging", {"limit": "limit"}), Level.MINOR, "paging", "add_pet", "can be walked"),
    "status added": (
        put(f"{GET}|responses|403", {"description": "No."}),
        Level.MINOR,
        "status",
        "get_pet answer 403",
        "added",
    ),
    "status removed": (drop(f"{GET}|responses|404"), Level.MINOR, "status", "get_pet answer 404", "removed"),
    "success removed": (drop(f"{GET}|responses|200"), Level.MAJOR, "status", "get_pet answer 200", "removed"),
    "content type added": (
        put(f"{POST}|requestBody|content|text/plain", {"schema": STRING}),
        *(Level.MINOR, "content type", "add_pet request", "text/plain added"),
    ),
    "content type removed": (
        drop(f"{POST}|requestBody|content|text/csv"),
        *(Level.MAJOR, "content type", "add_pet request", "text/csv removed"),
    ),
    "body made optional": (
        drop(f"{POST}|requestBody|required"),
        Level.MINOR,
        "requiredness",
        "add_pet request",
        "no longer",
    ),
    "body removed": (drop(f"{POST}|requestBody"), Level.MAJOR, "body", "add_pet request", "takes no body"),
    "scope needed": (put(f"{GET}|security", [{"oauth2": ["read", "write"]}]), Level.MAJOR, "scope", "get_pet", "write"),
    "scope no longer needed": (drop(f"{GET}|security"), Level.MINOR, "scope", "get_pet", "needs oauth2"),
    "scope removed": (
        drop("components|securitySchemes|oauth2|flows|clientCredentials|scopes|write"),
        *(Level.MAJOR, "scope", "oauth2 flows clientCredentials scopes write", "removed"),
    ),
    "parameter added": (
        lambda document: at(document, f"{GET}|parameters").append(NEW_PARAMETER),
        *(Level.MINOR, "parameter", "get_pet(q)", "added to the query"),
    ),
    "parameter removed": (drop(f"{GET}|parameters|1"), Level.MAJOR, "parameter", "get_pet(limit)", "removed"),
    "parameter made required": (
        lambda document: at(document, f"{GET}|parameters|1").update(required=True),
        *(Level.MAJOR, "requiredness", "get_pet(limit)", "required"),
    ),
    "parameter retyped": (
        lambda document: at(document, f"{GET}|parameters|1|schema").update(type="string"),
        *(Level.MAJOR, "type", "get_pet(limit)", "was integer, is string"),
    ),
    "PHI mark dropped": (drop(f"{PET}|properties|owner|x-phi"), Level.MAJOR, "x-phi", "Pet.owner", "x-phi lost"),
    "PHI mark turned off": (
        put(f"{PET}|properties|owner|x-phi", value=False),
        Level.MAJOR,
        "x-phi",
        "Pet.owner",
        "lost",
    ),
    "PHI mark lost by a rename": (
        both(drop(f"{PET}|properties|owner"), put(f"{PET}|properties|keeper", STRING)),
        *(Level.MAJOR, "x-phi", "Pet.keeper", "on the way from owner"),
    ),
    "PHI mark of a parameter dropped": (
        lambda document: at(document, f"{GET}|parameters|0").pop("x-phi"),
        *(Level.MAJOR, "x-phi", "get_pet.parameters.id", "lost"),
    ),
    "secret mark dropped": (
        drop(f"{WISH}|properties|key|x-secret"),
        Level.MAJOR,
        "x-secret",
        "Wish.key",
        "x-secret lost",
    ),
    "PHI mark set": (put(f"{PET}|properties|born|x-phi", value=True), Level.MINOR, "x-phi", "Pet.born", "x-phi set"),
    "example changed": (
        put(f"{POST}|requestBody|content|application/json|examples|one|value|kind", "d"),
        *(Level.PATCH, "examples", "add_pet request", "examples changed"),
    ),
    "summary changed": (put(f"{POST}|summary", "Add one."), Level.PATCH, "summary", "add_pet", "summary changed"),
    "evidence raised without data": (
        put(f"{GET}|x-evidence-by-status|404", "recorded"),
        *(Level.PATCH, "evidence", "get_pet answer 404", "is recorded"),
    ),
    "unknown keyword": (put(f"{PET}|minContains", 3), Level.MAJOR, "minContains", "Pet", "minContains changed"),
}
ALARMS = {name: "error" for name in EDITS if "dropped" in name or "turned off" in name or "lost by" in name}
ALARMS["evidence raised without data"] = "warning"


def edited(edit: Edit, document: Any = OLD) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(document)
    edit(changed)
    return changed


@pytest.mark.parametrize("name", EDITS)
def test_edit_is_reported_with_its_verdict(name: str) -> None:
    edit, verdict, subject, place, said = EDITS[name]
    found = changes(Contract(OLD), Contract(edited(edit)))
    assert max(each.level for each in found) is verdict, found
    [change] = [each for each in found if (each.subject, each.place) == (subject, place)]
    assert said in change.what
    assert change.why
    assert {each.alarm for each in found} - {None} == ({ALARMS[name]} if name in ALARMS else set())


def test_the_same_contract_has_no_change() -> None:
    assert changes(Contract(OLD), Contract(copy.deepcopy(OLD))) == []


def leaves(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from leaves(child, (*way, key))
    if way and not isinstance(node, dict | list):
        yield way


@pytest.mark.parametrize(
    "way", [w for w in leaves(OLD) if w != ("info", "version")], ids=lambda w: ".".join(map(str, w))
)
def test_no_value_of_the_contract_changes_unnoticed(way: tuple[Any, ...]) -> None:
    document = copy.deepcopy(OLD)
    node: Any = document
    for step in way[:-1]:
        node = node[step]
    value = node[way[-1]]
    node[way[-1]] = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x"
    text = yaml.safe_dump(document, sort_keys=False).encode()
    try:
        _, contract, _ = read("new.yaml", text)
        noticed: list[Any] = changes(Contract(OLD), contract)
    except BadContract as error:
        noticed = [problem for problem in error.problems if problem.line and problem.message]
    assert noticed


def run(folder: Path, capsys: Any, text: str | bytes, *arguments: str) -> tuple[int, str, str]:
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(SMALL)
    new.write_bytes(text if isinstance(text, bytes) else text.encode())
    status = main(["--contract", str(new), "--base", str(old), *arguments])
    out, err = capsys.readouterr()
    return status, out, err


KIND_LINE = "    Breed: {type: string, enum: [c, d], x-enum-varnames: [CAT, DOG]}\n"
BROKEN: dict[str, tuple[str, str, str]] = {
    # name: text, what stands in its place, what is said; the line is the place itself or the head of what it stands in
    "reference to nothing": ("schemas/Breed'}\n        owner", "schemas/Bre!ed'}\n        owner", "write it as"),
    "reference to a missing component": (
        "schemas/Breed'}\n        owner",
        "schemas/None'}\n        owner",
        "names nothing",
    ),
    "reference to another file": (
        "'#/components/schemas/Breed'}\n        owner",
        "other.yaml}\n        owner",
        "write it as",
    ),
    "reference in a circle": (KIND_LINE, "    Breed: {$ref: '#/components/schemas/Breed'}\n", "leads back to itself"),
    "key twice": ("        note: {", "        note: {type: string}\n        note: {", "note stands here and on line"),
    "operationId twice": ("operationId: add_pet", "operationId: get_pet", "operationId get_pet is used on line 7"),
    "operationId missing": ("      operationId: add_pet\n", "", "no operationId"),
    "no tag": (
        "    post:\n      operationId: add_pet\n      tags: [pets]",
        "    post:\n      operationId: add_pet\n      tags: []",
        "one tag",
    ),
    "retry class unknown": ("x-retry: unsafe", "x-retry: perhaps", "safe or unsafe"),
    "component name taken": (
        KIND_LINE,
        KIND_LINE + "    Client: {type: object}\n",
        "component Client: the name is taken",
    ),
    "component name in two spellings": (KIND_LINE, KIND_LINE + "    breed: {type: object}\n", "both become"),
    "field name taken": (
        "        note: {",
        "        to_dict: {type: string}\n        note: {",
        "to_dict: the name is taken",
    ),
    "parameter name taken": ("name: limit, in", "name: client, in", "collides with an argument"),
    "codes without names": (KIND_LINE, "    Breed: {type: string, enum: [c, d]}\n", "x-enum-varnames is missing"),
    "fewer names than codes": ("[CAT, DOG]", "[CAT]", "2 codes and 1 x-enum-varnames"),
    "not YAML": ("      summary: Add.", "      summary: [Add.", "not YAML"),
    "type unknown": ("note: {type: string", "note: {type: text", "note"),
    "properties a list": (
        "        tags: {type: array, items: {type: string}}",
        "        tags: {properties: [a]}",
        "dictionary",
    ),
    "required names nothing": (
        "      required: [kind]\n",
        "      required: [nothing]\n",
        "nothing, which is no property",
    ),
    "pattern broken": ("maxLength: 20", "pattern: '('", "regular expression"),
    "mark that is no boolean": ("x-secret: true", "x-secret: yes please", "x-secret is true or false"),
    "path parameter undeclared": ("/pets/{id}:", "/pets/{name}:", "not in both"),
    "media type unknown": ("text/csv:", "text/odd:", "media type text/odd is not known"),
    "alias of itself": ("        note: {", "        loop: &loop {items: *loop}\n        note: {", "alias"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_contract_is_refused_with_file_and_line(name: str, tmp_path: Path, capsys: Any) -> None:
    old, new, said = BROKEN[name]
    assert old in SMALL
    status, out, err = run(tmp_path, capsys, SMALL.replace(old, new, 1))
    assert (status, out) == (2, "")
    assert said in err
    first = SMALL[: SMALL.index(old)].count("\n") + 1
    lines = [int(line.split("new.yaml:")[1].split(":")[0]) for line in err.splitlines() if "new.yaml:" in line]
    assert any(first - 10 <= line <= first + new.count("\n") + 1 for line in lines), (first, err)
    assert "Traceback" not in err


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff\xfe\x00", b"a: \x07", b"paths: 3", b"? [a]\n: b\n"], ids=repr)
def test_file_that_is_no_contract_is_refused(text: bytes, tmp_path: Path, capsys: Any) -> None:
    status, out, err = run(tmp_path, capsys, text)
    assert (status, out) == (2, "")
    assert "new.yaml:" in err


def test_breaking_change_needs_a_new_major_version(tmp_path: Path, capsys: Any) -> None:
    text = SMALL.replace("        born: {type: string, format: date}\n", "")
    status, out, _ = run(tmp_path, capsys, text)
    assert (status, "set info.version to 2.0.0" in out) == (1, True)
    status, out, _ = run(tmp_path, capsys, text.replace("version: 1.0.0", "version: 2.0.0"))
    assert (status, "FAILED" in out) == (0, False)


def test_lost_phi_mark_fails_under_any_version(tmp_path: Path, capsys: Any) -> None:
    text = SMALL.replace("owner: {type: string, x-phi: true}", "owner: {type: string}")
    status, out, _ = run(tmp_path, capsys, text.replace("version: 1.0.0", "version: 2.0.0"))
    assert status == 1
    assert "new.yaml:46: Pet.owner: x-phi lost" in out


def test_markdown_and_terminal_tell_the_same(tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "report.md"
    text = SMALL.replace("        born: {", "        colour: {type: string}\n        born: {")
    status, out, _ = run(tmp_path, capsys, text, "--markdown", str(page))
    assert status == 0
    for told in ("verdict: minor (1 minor)", "models.Pet.colour", "- `Pet.colour`: added, optional.", "new.yaml:47"):
        assert told in out
        assert told in page.read_text()


def test_missing_base_is_told(capsys: Any) -> None:
    assert main(["--base", "no-such-revision"]) == 2
    assert "give --base FILE" in capsys.readouterr().err


def test_names_are_those_that_the_generated_package_has() -> None:
    contract = Contract.load(ROOT / "openapi.yaml")
    package = ROOT / "generated" / "pokitdok_api"
    sources = {file: file.read_text() for file in (package / "models").glob("*.py")}
    text = "\n".join(sources.values())
    names = python_names(contract, Forms(contract))
    for name in names:
        kind, first, *rest = name.split(".")
        if kind == "api":
            function, _, argument = rest[0].partition("(")
            module = (package / "api" / first / f"{function}.py").read_text() if argument else ""
            assert (package / "api" / first / f"{function}.py").is_file()
            assert not argument or f" {argument.rstrip(')')}:" in module, name
        else:
            assert f"class {first}(" in text, name
            assert not rest or f"    {rest[0]}: " in text or f"    {rest[0]} = " in text, name
    assert len([name for name in names if name.count(".") == 1]) > 300


REAL: dict[str, Any] = Contract.load(ROOT / "openapi.yaml").document
COVERAGE = "components|schemas|EligibilityCoverage"


def test_real_contract_reports_what_no_longer_fits() -> None:
    document = edited(drop(f"{COVERAGE}|properties|plan_number"), REAL)
    old, new = Contract(REAL), Contract(document)
    found = changes(old, new)
    assert [(each.level, each.place) for each in found] == [(Level.MAJOR, "EligibilityCoverage.plan_number")]
    changed = changed_operations(found, old, new)
    assert "check_eligibility" in changed
    assert "list_payers" not in changed
    evidence = skeletons(ROOT / "tests/contract/evidence", REAL, document)
    assert "check_eligibility" in {name.split()[0] for name, _ in evidence.lost} <= changed
    folder = ROOT / "tests/contract/cassettes"
    fit = cassettes(folder, Checker(REAL), Checker(document), changed, b"")
    assert "test_operations/check_eligibility" in {name for name, _ in fit.lost}
    assert all("plan_number" in reason for _, reason in fit.lost)


def test_report_on_a_cassette_shows_nothing_that_it_holds(tmp_path: Path) -> None:
    """One that nobody scrubbed, whose members and values are a patient's."""
    file = ROOT / "tests/contract/cassettes/test_operations/create_identity.yaml"
    cassette = yaml.safe_load(file.read_text(encoding="utf-8"))
    for each in cassette["interactions"]:
        each["request"]["uri"] += "?Quillfeather=1"
        if "json" in (each["response"]["body"] or {}):
            each["response"]["body"]["json"] |= {"data": {"first_name": ["Quillfeather"], "Quillfeather": "1931-07-23"}}
    (tmp_path / "foreign.yaml").write_text(yaml.safe_dump(cassette), encoding="utf-8")
    narrower = edited(drop("components|schemas|Meta|properties|activity_id"), REAL)

    fit = cassettes(tmp_path, Checker(REAL), Checker(narrower), set(), b"")

    assert [name for name, _ in fit.lost] == ["foreign"]
    assert "Quillfeather" not in str(fit)
    assert "1931" not in str(fit)


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (put(f"{COVERAGE}|properties|colour", STRING), Level.MINOR),
        (drop("paths|/api/v4/activities/|get|x-paging"), Level.MAJOR),
        (put("paths|/api/v4/activities/|get|responses|401", {"description": "No."}), Level.MAJOR),
        (put("components|responses|Unauthorized|description", "Other words."), Level.PATCH),
        (put("components|examples|TokenResponse|value", {}), Level.PATCH),
        (put("webhooks|activityFinished|post|summary", "Other."), Level.MAJOR),
    ],
)
def test_edit_of_the_real_contract_has_its_verdict(edit: Edit, verdict: Level) -> None:
    found = changes(Contract(REAL), Contract(edited(edit, REAL)))
    assert max(each.level for each in found) is verdict
