"""Other ways to read the same answer: what the stock generator makes, and pydantic models of the same contract."""

from __future__ import annotations

import datetime
import enum
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Union

from pydantic import BaseModel, ConfigDict, create_model

ROOT = Path(__file__).resolve().parents[1]

_SCALARS: dict[Any, Any] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": None}
_FORMATS: dict[str, Any] = {"date": datetime.date, "date-time": datetime.datetime}


def stock_model(name: str) -> Any:
    """The class *name* as openapi-python-client makes it without our templates."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text("post_hooks: []\n", encoding="utf-8")
        output = Path(folder) / "stock_api"
        arguments = ["--path", ROOT / "openapi.yaml", "--meta", "none", "--output-path", output, "--config", config]
        subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", *map(str, arguments)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # it complains of what our own generation accounts for
        )
        sys.path.insert(0, folder)
        try:
            return getattr(importlib.import_module("stock_api.models"), name)
        finally:
            sys.path.remove(folder)


def pydantic_model(name: str, schemas: dict[str, Any]) -> type[BaseModel]:
    """The component *name* as a pydantic model. It is as tolerant: nothing is required, what is unknown is kept."""
    made: dict[str, Any] = {}

    def component(name: str) -> Any:
        schema = schemas[name]
        if name not in made and "enum" in schema:
            codes = enum.Enum(name, [(f"CODE_{i}", code) for i, code in enumerate(schema["enum"])])  # type: ignore[misc]
            made[name] = Union[codes, str]  # noqa: UP007 - the parts are known at run time only
        elif name not in made and "properties" in schema:
            made[name] = Any  # a component within itself is not followed
            fields: dict[str, Any] = {key: (type_of(each) | None, None) for key, each in schema["properties"].items()}
            made[name] = create_model(name, __config__=ConfigDict(extra="allow"), **fields)
        elif name not in made:
            made[name] = dict[str, Any]
        return made[name]

    def type_of(schema: dict[str, Any]) -> Any:
        if "$ref" in schema:
            return component(schema["$ref"].rpartition("/")[2])
        if "anyOf" in schema:
            return Union[tuple(type_of(each) for each in schema["anyOf"])]  # noqa: UP007
        kind = schema.get("type")
        if kind == "array":
            return list[type_of(schema["items"])]  # type: ignore[misc]
        if "format" in schema and schema["format"] in _FORMATS:
            return Union[_FORMATS[schema["format"]], str]  # noqa: UP007
        if isinstance(kind, list):
            return Union[tuple(_SCALARS[each] for each in kind)]  # noqa: UP007
        return _SCALARS.get(kind, Any)

    model: type[BaseModel] = component(name)
    return model


def pydantic_writer(model: BaseModel) -> Callable[[], dict[str, Any]]:
    """Writes *model* as JSON types, without what was not there."""
    return lambda: model.model_dump(mode="json", exclude_unset=True)
