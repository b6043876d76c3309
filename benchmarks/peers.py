"""Other ways to read the same answer: the stock generator's, and pydantic and msgspec models of the same contract.

The models of pydantic and msgspec are written as modules, of the components that the answer can hold and no others,
so that their cold start is that of a careful program. Stock and pydantic keep what is unknown, as ours do. msgspec
drops it, and its unions take neither a code nor a date beside text: there both are plain text.
"""

from __future__ import annotations

import keyword
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_DATES = {"date": "datetime.date", "date-time": "datetime.datetime"}


def write_stock(folder: Path) -> None:
    """The package `stock_api`, as openapi-python-client makes it without our templates."""
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\n", encoding="utf-8")
    arguments = [
        "--path",
        ROOT / "openapi.yaml",
        "--meta",
        "none",
        "--output-path",
        folder / "stock_api",
        "--config",
        config,
    ]
    subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # it complains of what our own generation accounts for
    )


def write_pydantic(folder: Path, name: str, schemas: dict[str, Any]) -> None:
    """The module `pydantic_models` with *name* and what it refers to: nothing is required, what is unknown is kept."""
    lines = ["from __future__ import annotations", "import datetime, enum", "from typing import Any"]
    lines += ["from pydantic import BaseModel, ConfigDict, Field"]
    for each in _reachable(name, schemas):
        schema = schemas[each]
        if "enum" in schema:
            lines += [
                f"class {each}(enum.Enum):",
                *(f"    CODE_{i} = {code!r}" for i, code in enumerate(schema["enum"])),
            ]
        else:
            lines += [f"class {each}(BaseModel):", "    model_config = ConfigDict(extra='allow')"]
            for key, prop in schema["properties"].items():
                kind = _annotation(prop, schemas, codes=True)
                default = f"Field(None, alias={key!r})" if _python(key) != key else "None"
                lines.append(f"    {_python(key)}: {kind} | None = {default}")
    (folder / "pydantic_models.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_msgspec(folder: Path, name: str, schemas: dict[str, Any]) -> None:
    """The module `msgspec_models` with *name* and what it refers to."""
    lines = ["from __future__ import annotations", "from typing import Any"]
    lines += ["from msgspec import UNSET, Struct, UnsetType, field"]
    for each in _reachable(name, schemas):
        if "enum" in schemas[each]:
            continue
        lines.append(f"class {each}(Struct):")
        for key, prop in schemas[each]["properties"].items():
            kind = _annotation(prop, schemas, codes=False)
            default = f"field(default=UNSET, name={key!r})" if _python(key) != key else "UNSET"
            lines.append(f"    {_python(key)}: {kind} | None | UnsetType = {default}")
    (folder / "msgspec_models.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _python(key: str) -> str:
    return (
        f"{key}_"
        if keyword.iskeyword(key)
        else key
        if key.isidentifier()
        else f"field_{''.join(filter(str.isalnum, key))}"
    )


def _referred(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
        return own.union(*(_referred(each) for each in node.values()))
    return set().union(*(_referred(each) for each in node)) if isinstance(node, list) else set()


def _reachable(name: str, schemas: dict[str, Any]) -> list[str]:
    found, todo = set[str](), [name]
    while todo:
        if (each := todo.pop()) not in found:
            found.add(each)
            todo += _referred(schemas[each])
    return sorted(each for each in found if "enum" in schemas[each] or "properties" in schemas[each])


def _annotation(schema: dict[str, Any], schemas: dict[str, Any], *, codes: bool) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if "enum" in schemas[name]:
            return f"{name} | str" if codes else "str"
        return name if "properties" in schemas[name] else "dict[str, Any]"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_annotation(each, schemas, codes=codes) for each in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_annotation(schema['items'], schemas, codes=codes)}]"
    if codes and schema.get("format") in _DATES:
        return f"{_DATES[schema['format']]} | str"
    kinds = kind if isinstance(kind, list) else [kind]
    return " | ".join(_SCALARS.get(each, "Any") for each in kinds)


def pydantic_writer(model: Any) -> Callable[[], dict[str, Any]]:
    """Writes *model* as JSON types, without what was not there."""
    return lambda: model.model_dump(mode="json", exclude_unset=True, by_alias=True)  # type: ignore[no-any-return]
