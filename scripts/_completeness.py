"""Compares the contract with the code that came out: the generator loses some things without a word."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from _contract import Contract, GenerationError, OperationFacts
from _forms import MULTIPART, Form, Forms
from openapi_python_client.strings import ClassName, PythonIdentifier

FORBIDDEN_COMPONENTS = frozenset(
    {
        *("Any", "Array", "Callable", "ClassVar", "Client", "Code", "Either", "File", "IntEnum", "Kind", "Kinds"),
        *("Literal", "Lone", "ManyOrOne", "MapModel", "Mapping", "Misfit", "Model", "Number", "Object", "OneOf"),
        *("OneOrMany", "Operation", "RequestParts", "Response", "Self", "StrEnum", "Tokens", "Unset"),
    }
)
"""Names that a module of the generated package already uses for something else."""

FORBIDDEN_PROPERTIES = frozenset({"additional_properties", "from_dict", "to_dict"})
AS_THEY_COME = {"Any", "File", "None", "Unset", "bool", "float", "int", "str"}
"""Types of fields that need no entry in the table of kinds."""
FUNCTIONS = {"sync", "sync_detailed", "asyncio", "asyncio_detailed"}


FORBIDDEN_PARAMETERS = frozenset({"body", "client", "timeout"})
"""Arguments that every generated function has."""


def check_names(contract: Contract, forms: Forms) -> None:
    """Raise GenerationError if two names of the contract become one, or one hides a name of ours."""
    _fail([message for _, message in name_problems(contract, forms)])


def name_problems(contract: Contract, forms: Forms) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where in the document a name cannot stay, and why: two become one, or one hides a name of ours."""
    schemas = ("components", "schemas")
    for name in contract.schemas:
        if _class(name) in FORBIDDEN_COMPONENTS:
            yield (*schemas, name), f"component {name}: the name is taken"
    for name, message in _collisions("components", contract.schemas, _module):
        yield (*schemas, name), message
    for name, message in _collisions("functions", forms.by_name, lambda name: PythonIdentifier(name, "field_")):
        yield _pointer(forms.by_name[name].operation), message
    for name in contract.schemas:
        for key in contract.properties(name):
            if PythonIdentifier(key, "field_") in FORBIDDEN_PROPERTIES:
                message = f"{name}.{key}: the name is taken by a method of every model"
                yield (*schemas, name, "properties", key), message
        for message in _enum_names(name, contract.schemas[name]):
            yield (*schemas, name, "x-enum-varnames"), message
    for name, operation in contract.operations.items():
        if PythonIdentifier(name, "field_") != name:
            yield _pointer(operation), f"operationId {name}: write it as {PythonIdentifier(name, 'field_')}"
        for parameter in operation.parameters:
            if PythonIdentifier(parameter.name, "field_") in FORBIDDEN_PARAMETERS:
                yield (
                    _pointer(operation),
                    f"{name}: a parameter named {parameter.name} collides with an argument of ours",
                )


def _pointer(operation: OperationFacts) -> tuple[str, ...]:
    return ("paths", operation.path, operation.method.lower(), "operationId")


def _enum_names(name: str, schema: dict[str, Any]) -> list[str]:
    codes: list[Any] = schema.get("enum", [])
    names: list[str] = schema.get("x-enum-varnames", [])
    if codes and not names:
        return [f"{name}: x-enum-varnames is missing; without it the names of codes change as codes are added"]
    if len(names) != len(codes):
        return [f"{name}: {len(codes)} codes and {len(names)} x-enum-varnames"]
    found = _collisions(f"codes of {name}", names, lambda each: PythonIdentifier(each, "field_"))
    return [message for _, message in found]


def check_completeness(contract: Contract, forms: Forms, output: Path) -> None:
    """Raise GenerationError unless *output* has the forms, components, properties and codes of the contract."""
    problems: list[str] = []
    modules = _modules(output / "models")
    problems += _difference("component", {_module(name) for name in contract.schemas}, set(modules))
    for name in contract.schemas:
        tree = modules.get(_module(name))
        if tree is not None:
            problems += list(_component(contract, name, _class_in(tree, _class(name))))
    problems += _forms(contract, forms)
    expected = {f"{form.operation.tag}/{form.name}": form for form in forms.by_name.values()}
    found = {
        f"{folder.name}/{name}": tree for folder in _folders(output / "api") for name, tree in _modules(folder).items()
    }
    problems += _difference("operation", set(expected), set(found))
    for name, tree in found.items():
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        problems += [f"operation {name}: no function {missing}" for missing in sorted(FUNCTIONS - functions)]
        problems += _media(name, expected[name], tree) if name in expected else []
    _fail(problems)


def _forms(contract: Contract, forms: Forms) -> Iterator[str]:
    """Operations and media types of the contract that no form stands for."""
    for facts in contract.operations.values():
        own = [form for form in forms.by_name.values() if form.operation.id == facts.id]
        if not own:
            yield f"operation {facts.tag}/{facts.id}: no form of it came out"
        sent = {media for form in own for media in (form.request, *form.aliases) if media}
        body = contract.resolve(facts.definition.get("requestBody", {}))
        yield from _difference(f"request form of {facts.id}", set(body.get("content", {})), sent)
        good = [answer for status, answer in contract.answers(facts).items() if status.startswith("2")]
        documented = {media for answer in good for media in answer.get("content", {})}
        yield from _difference(f"answer form of {facts.id}", documented, {form.answer for form in own if form.answer})


def _media(name: str, form: Form, tree: ast.Module) -> list[str]:
    """The media types of *form* that its module does not name."""
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    wanted = {media for media in (form.request, form.accept) if media and media != MULTIPART}
    return [f"operation {name}: media type {media} did not come out" for media in sorted(wanted - named)]


def _component(contract: Contract, name: str, body: list[ast.stmt] | None) -> Iterator[str]:
    if body is None:
        yield f"component {name}: its module has no class {_class(name)}"
    elif "enum" in contract.schemas[name]:
        codes = [ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign)]
        yield from _difference(f"code of {name}", set(contract.schemas[name]["enum"]), set(codes))
    else:
        yield from _fields(contract, name, body)


def _fields(contract: Contract, name: str, body: list[ast.stmt]) -> Iterator[str]:
    """Properties without a field, and entries of the tables of a class that name no field."""
    fields: dict[str, str] = {}
    tables: dict[str, Any] = {}
    for node in body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=key), annotation=annotation):
                if "ClassVar" in ast.unparse(annotation):
                    tables[key] = node.value
                else:
                    fields[key] = ast.unparse(annotation)
    wire_names = ast.literal_eval(tables.get("_wire_names", "{}"))
    expected = set(contract.properties(name))
    yield from _difference(f"property of {name}", expected, {wire_names.get(key, key) for key in fields})
    for table in ("_wire_names", "_masked", "_kinds"):
        for each in sorted(_names_in(tables.get(table)) - set(fields)):
            yield f"{name}.{table} names {each}, which is no field"
    for key, declared in fields.items():
        if set(declared.split(" | ")) - AS_THEY_COME and key not in _names_in(tables.get("_kinds")):
            yield f"{name}.{key} is {declared}, and _kinds does not say how to read it"


def _names_in(table: ast.expr | None) -> set[str]:
    """The keys of a table, or its items."""
    if isinstance(table, ast.Call):  # frozenset
        [table] = table.args
    items = table.keys if isinstance(table, ast.Dict) else table.elts if isinstance(table, ast.Set) else []
    return {str(item.value) for item in items if isinstance(item, ast.Constant)}


def _modules(folder: Path) -> dict[str, ast.Module]:
    return {path.stem: ast.parse(path.read_bytes()) for path in folder.glob("*.py") if path.stem != "__init__"}


def _folders(path: Path) -> Iterator[Path]:
    return (folder for folder in path.iterdir() if folder.is_dir() and folder.name != "__pycache__")


def _class_in(tree: ast.Module, name: str) -> list[ast.stmt] | None:
    return next((node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _class(name: str) -> str:
    return ClassName(name, "field_")


def _module(name: str) -> str:
    return PythonIdentifier(_class(name), "field_")


def _collisions(kind: str, names: Iterable[str], become: Any) -> Iterator[tuple[str, str]]:
    """Names that become what an earlier one became, with the message."""
    seen: dict[str, str] = {}
    for name in names:
        key = become(name).lower()
        if key in seen:
            yield name, f"{kind} {seen[key]} and {name} would both become {become(name)}: rename one"
        seen[key] = name


def _difference(kind: str, expected: set[Any], found: set[Any]) -> list[str]:
    lost = [f"{kind} {each} did not come out" for each in sorted(expected - found)]
    return lost + [f"{kind} {each} came out but is not in the contract" for each in sorted(found - expected)]


def _fail(problems: list[str]) -> None:
    if problems:
        raise GenerationError("contract and code do not fit together:\n" + "\n".join(f"  {each}" for each in problems))
