"""What the model and enum templates see: a class of the parser joined with the facts of its component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from _code import ModuleCode
from _contract import Contract, GenerationError
from _texts import field_doc, sentence
from openapi_python_client.parser.openapi import GeneratorData
from openapi_python_client.parser.properties.any import AnyProperty
from openapi_python_client.parser.properties.enum_property import EnumProperty
from openapi_python_client.parser.properties.literal_enum_property import LiteralEnumProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.strings import ClassName, in_double_quote_literal


@dataclass(frozen=True)
class FieldView:
    """A field of a generated class."""

    name: str
    wire: str
    annotation: str
    required: bool
    doc: str
    kind: str | None


@dataclass(frozen=True)
class ModelView:
    """A class of fields, or a map whose keys are data."""

    name: str
    module: str
    doc: str
    is_map: bool
    fields: list[FieldView]
    masked: list[str]
    wire_names: dict[str, str]
    kinds: dict[str, str]
    values: str
    others: str | None
    named: list[str]


class Models:
    """Joins the parser's objects with the contract; raises GenerationError for what the templates do not know."""

    def __init__(self, contract: Contract, data: GeneratorData) -> None:
        self._contract = contract
        self._component = {ClassName(name, "field_"): name for name in contract.schemas}
        self._required: dict[str, tuple[str, ...]] = {
            cls: contract.required(name) for cls, name in self._component.items() if contract.is_object(name)
        }
        self._within: dict[str, tuple[str, ...]] = {
            cls: contract.required_within(name) for cls, name in self._component.items()
        }
        self._maps = frozenset(cls for cls, name in self._component.items() if contract.is_map(name))
        self.modules = {each.class_info.name: each.class_info.module_name for each in (*data.models, *data.enums)}

    def code(self, *, sent: bool) -> ModuleCode:
        return ModuleCode(sent=sent, required=self._required, within=self._within, maps=self._maps)

    def view(self, model: ModelProperty) -> ModelView:
        """The view for `model.py.jinja`."""
        cls = model.class_info.name
        component = self._component.get(cls)
        if component is None:
            raise GenerationError(f"{cls} is an inline object: make it a named component")
        described = self._contract.properties(component)
        code = self.code(sent=component in self._contract.request_only)
        props = {
            prop.name.get_untrusted_value(): prop
            for prop in (*(model.required_properties or ()), *(model.optional_properties or ()))
        }
        if set(props) != set(described):
            raise GenerationError(f"{component}: the parser lost {', '.join(sorted(set(described) ^ set(props)))}")
        sent = component in self._contract.request_only
        fields = [self._field(props[wire], node, code, sent=sent) for wire, node in described.items()]
        fields.sort(key=lambda each: not each.required)
        extra = model.additional_properties or AnyProperty.build(
            name=model.name, required=True, default=None, python_name=model.python_name, description=None, example=None
        )
        values = code.type_of(extra)
        return ModelView(
            name=cls,
            module=model.class_info.module_name,
            doc=self._contract.schemas[component].get("description", ""),
            is_map=cls in self._maps,
            fields=fields,
            masked=[each.name for each in fields if _hidden(described[each.wire])],
            wire_names={each.name: each.wire for each in fields if each.name != each.wire},
            kinds={each.name: each.kind for each in fields if each.kind},
            values=values,
            others=code.kind(extra),
            named=sorted(code.named - {cls}),
        )

    def _field(self, prop: PropertyProtocol, node: Mapping[str, Any], code: ModuleCode, *, sent: bool) -> FieldView:
        wire = prop.name.get_untrusted_value()
        return FieldView(
            name=prop.python_name,
            wire=in_double_quote_literal(wire),
            annotation=code.declared(prop),
            required=sent and prop.required,
            doc=field_doc(prop, node, sent=sent),
            kind=code.kind(prop),
        )

    def enum(self, enum: EnumProperty | LiteralEnumProperty) -> dict[str, Any]:
        """Names, literals and description for the enum templates."""
        component = self._component.get(enum.class_info.name)
        if component is None or not isinstance(enum, EnumProperty):
            raise GenerationError(f"{enum.class_info.name} is an inline enum: make it a named component")
        schema = self._contract.schemas[component]
        owner = schema.get("x-code-owner")
        members = {
            name: f'"{value}"' if isinstance(value, str) else str(value)  # the parser has escaped strings already
            for name, value in enum.values.items()
        }
        return {
            "name": enum.class_info.name,
            "doc": sentence(schema.get("description", ""), owner and f"Code list of {owner}."),
            "members": members,
        }


def _hidden(node: Mapping[str, Any]) -> bool:
    return bool(node.get("x-phi") or node.get("x-secret"))
