"""What contract tests send to each operation: the contract's examples, or what operations.yaml puts in their place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import yaml

from pokitdok_api import Client, models
from pokitdok_api._operations import OPERATIONS
from pokitdok_api._operations import Operation as Form
from pokitdok_api.types import File, Response
from pokitdok_ext.testing import Contract
from pokitdok_ext.testing.contract import Operation

TESTS = Path(__file__).resolve().parents[1]
SENT: dict[str, dict[str, Any]] = yaml.safe_load((TESTS / "operations.yaml").read_text(encoding="utf-8"))
CONTRACT = Contract()
EXAMPLES = CONTRACT.document["components"]["examples"]
UNKNOWN = "no-such-thing"
FAULTS = {
    400: "bad_request",
    402: "payment_required",
    403: "rate_limit",
    404: "not_found",
    422: "unprocessable",
    500: "server_error",
}
"""Faults of the sandbox by the status they answer."""

Made = Mapping[str, Any]
"""What earlier steps have made, by the name of a member of the path or the body."""


@dataclass(frozen=True)
class Function:
    """One generated function and how to call it with a sample."""

    name: str
    form: Form
    module: ModuleType

    @property
    def body_type(self) -> str | None:
        """The annotation of its argument body; None without one."""
        body = inspect.signature(self.module.sync).parameters.get("body")
        return None if body is None else body.annotation

    def __call__(self, client: Client, made: Made, **other: Any) -> Response[Any]:
        """Call it; *other* takes the place of arguments of the sample."""
        return self.module.sync_detailed(client=client, **{**self._arguments(made), **other})

    def _arguments(self, made: Made) -> dict[str, Any]:
        known = SENT["paths"].get(self.form.id, "1")
        arguments: dict[str, Any] = {name: made.get(name, known) for name in self.path_names}
        arguments |= SENT["queries"].get(self.form.id, {})
        if self.body_type is not None:
            arguments["body"] = self.body(self._sample(made))
        return arguments

    @property
    def path_names(self) -> list[str]:
        return [part.strip("{}") for part in self.form.path.split("/") if part.startswith("{")]

    def body(self, sample: Any) -> Any:
        """*sample* as the argument body."""
        if self.body_type == "str | bytes":
            return sample
        model = getattr(models, str(self.body_type).partition(" | ")[0])
        if self.form.form == "multipart":
            return model(**sample)
        return model.from_dict(sample)

    def sample_without(self, member: str) -> Any:
        return {name: value for name, value in self._sample({}).items() if name != member}

    def nothing(self) -> Any:
        """A body that says nothing, or no X12."""
        if self.form.form == "multipart":
            return self.body({**self._sample({}), "file": File(b"no X12", "sample.x12")})
        return "no X12 and no table" if self.body_type == "str | bytes" else self.body({})

    def _sample(self, made: Made) -> Any:
        name = self.form.id
        if name in SENT["bodies"]:
            own: dict[str, Any] = SENT["bodies"][name]
            return own | {key: value for key, value in made.items() if key in own}
        if name in SENT["x12"] and self.body_type in {"str | bytes", "X12Document", "FileUpload", "ClaimConvertUpload"}:
            return self._x12((TESTS / "sandbox" / "x12" / SENT["x12"][name]).read_text(encoding="utf-8"))
        if self.body_type == "str | bytes":
            return EXAMPLES["CsvText"]["value"]
        return EXAMPLES[str(self.body_type).partition(" | ")[0]]["value"]

    def _x12(self, text: str) -> Any:
        file = File(text.encode(), "sample.x12")
        whole = {"x12": text, "file": file, "trading_partner_id": "MOCKPAYER"}
        members = {
            "X12Document": ["x12"],
            "FileUpload": ["file", "trading_partner_id"],
            "ClaimConvertUpload": ["file"],
        }.get(str(self.body_type))
        return text if members is None else {name: whole[name] for name in members}


FUNCTIONS = {
    name: Function(name, form, import_module(f"pokitdok_api.api.{form.tag}.{name}"))
    for name, form in OPERATIONS.items()
}
FORMS: dict[str, list[Function]] = {}
"""The functions of each operation; the first has the operation's name."""
for _function in FUNCTIONS.values():
    FORMS.setdefault(_function.form.id, []).append(_function)


@dataclass(frozen=True)
class Refusal:
    """How to be refused: who asks, what is sent in place of the sample, and a fault for the sandbox to answer with."""

    caller: Literal["user", "stranger", "without_scope"] = "user"
    instead: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


def refusal(operation: Operation, status: int) -> Refusal:
    """How the operation comes to answer *status*: by a rule of the sandbox where one does, else by a fault."""
    function = FORMS[operation.id][0]
    own = SENT["refused"].get(operation.id, {}).get(status)
    if isinstance(own, dict):
        return Refusal(instead={"body": function.body(own)})
    if status == 401:
        return Refusal("stranger")
    if status == 403 and any(any(each.values()) for each in operation.definition.get("security", ())):
        return Refusal("without_scope")
    if own is None and status == 404:
        return Refusal(instead=dict.fromkeys(function.path_names, UNKNOWN))
    if own is None and status == 400:
        return Refusal(instead={"body": function.body(function.sample_without("trading_partner_id"))})
    if own is None and status == 422 and function.body_type:
        return Refusal(instead={"body": function.nothing()})
    if own is None and status == 422 and "limit" in inspect.signature(function.module.sync).parameters:
        return Refusal(instead={"limit": "many"})
    return Refusal(fault=FAULTS[status])


def made_before(operation: str, client: Client) -> dict[str, Any]:
    """Take the steps that an operation needs, and return what they made."""
    made: dict[str, Any] = {}
    for step in SENT["steps"].get(operation, ()):
        answer: Any = None
        for _ in range(step.get("times", 1)):
            answer = FUNCTIONS[step["call"]](client, made).parsed.to_dict()
        made |= {name: _member(answer, place) for name, place in step.get("gives", {}).items()}
    return made


def _member(answer: Any, place: str) -> Any:
    for step in place.split("."):
        answer = answer[int(step) if step.isdigit() else step]
    return answer
