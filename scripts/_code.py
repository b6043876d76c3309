"""Python types and expressions for the properties of one module: how a value is declared, read and written.

The helpers that the expressions call live in `templates/_values.py.jinja`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from _contract import GenerationError
from openapi_python_client.parser.properties.any import AnyProperty
from openapi_python_client.parser.properties.boolean import BooleanProperty
from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.date import DateProperty
from openapi_python_client.parser.properties.datetime import DateTimeProperty
from openapi_python_client.parser.properties.enum_property import EnumProperty
from openapi_python_client.parser.properties.file import FileProperty
from openapi_python_client.parser.properties.float import FloatProperty
from openapi_python_client.parser.properties.int import IntProperty
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.none import NoneProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.parser.properties.string import StringProperty
from openapi_python_client.parser.properties.union import UnionProperty
from openapi_python_client.parser.properties.uuid import UuidProperty

_PLAIN: dict[type[PropertyProtocol], str] = {
    AnyProperty: "Any",
    BooleanProperty: "bool",
    ConstProperty: "str",
    FileProperty: "File",
    FloatProperty: "float",
    IntProperty: "int",
    NoneProperty: "None",
    StringProperty: "str",
    UuidProperty: "str",
}
"""Kinds whose values are taken as they come, with their types. A misfit among them is kept as it is."""

_DATES: dict[type[PropertyProtocol], tuple[str, str]] = {
    DateProperty: ("datetime.date | str", "read_date"),
    DateTimeProperty: ("datetime.datetime | str", "read_datetime"),
}


class ModuleCode:
    """Code for the properties of one module; notes which classes the module has to know.

    Attributes:
        named: Classes in annotations.
        bound: Classes needed when the code runs.
        choices: Constants of the module that choose among classes: name to (members, fallback).
        code_lists: Code lists that values are looked up in.
    """

    def __init__(
        self,
        *,
        sent: bool,
        required: Mapping[str, tuple[str, ...]],
        within: Mapping[str, tuple[str, ...]],
        maps: frozenset[str],
    ) -> None:
        self.named: set[str] = set()
        self.bound: set[str] = set()
        self.choices: dict[str, tuple[dict[str, tuple[str, ...]], str | None]] = {}
        self.code_lists: set[str] = set()
        self._sent = sent
        self._required = required
        self._within = within
        self._maps = maps

    # ------------------------------------------------------------ types

    def type_of(self, prop: PropertyProtocol) -> str:
        """The type of a value of *prop* that is there and not null."""
        if type(prop) in _PLAIN:
            return _PLAIN[type(prop)]
        if type(prop) in _DATES:
            return _DATES[type(prop)][0]
        if isinstance(prop, EnumProperty | ModelProperty):
            self.named.add(prop.class_info.name)
            return prop.class_info.name
        if isinstance(prop, ListProperty):
            return f"list[{self.type_of(prop.inner_property)}]"
        if isinstance(prop, UnionProperty):
            members = _present(prop)
            if is_alternative(prop) and not self._sent and not _is_plain(members[0]):
                return self.type_of(members[0])
            types = dict.fromkeys(part for member in members for part in self.type_of(member).split(" | "))
            return " | ".join(types)
        raise _unsupported(prop)

    def declared(self, prop: PropertyProtocol) -> str:
        """The annotation of the field for *prop*."""
        base = self.type_of(prop)
        parts = [base]
        if (not self._sent or _is_nullable(prop)) and base not in {"Any", "None"}:
            parts.append("None")
        if not (self._sent and prop.required):
            parts.append("Unset")
        return " | ".join(parts)

    # ------------------------------------------------------------ reading

    def read(self, prop: PropertyProtocol, value: str, where: str, depth: int = 0) -> str:
        """An expression that reads the decoded JSON in the variable *value*; *value* itself if it stays as it is."""
        if type(prop) in _PLAIN:
            return value
        if type(prop) in _DATES:
            return f"{_DATES[type(prop)][1]}({value})"
        if isinstance(prop, EnumProperty):
            self.code_lists.add(prop.class_info.name)
            kind = "isinstance({0}, str)" if prop.value_type is str else "type({0}) is int"
            return f"_{prop.class_info.name}[{value}] if {kind.format(value)} else {value}"
        if isinstance(prop, ModelProperty):
            read = self._read_object([prop], value, where)
            return f'{read} if isinstance({value}, dict) else null_or_misfit({value}, "object", "{where}")'
        if isinstance(prop, ListProperty):
            items = self._read_items(prop, value, where, depth)
            return f'{items} if isinstance({value}, list) else null_or_misfit({value}, "array", "{where}")'
        if isinstance(prop, UnionProperty):
            return self._read_union(prop, value, where, depth)
        raise _unsupported(prop)

    def _read_items(self, prop: ListProperty, value: str, where: str, depth: int) -> str:
        item = f"_i{depth or ''}"
        read = self.read(prop.inner_property, item, f"{where}[]", depth + 1)
        return value if read == item else f"[{read} for {item} in {value}]"

    def _read_object(self, members: Sequence[ModelProperty], value: str, where: str) -> str:
        names: list[str] = [member.class_info.name for member in members]
        if len(names) == 1:
            self.bound.add(names[0])
            return f"{names[0]}.from_dict({value})"
        constant = f"_{where.rpartition('.')[2].removesuffix('[]').upper()}"
        constant = "".join(character if character.isalnum() else "_" for character in constant)
        fallback = next((name for name in names if name in self._maps), None)
        chosen = {name: self._required[name] for name in names if name not in self._maps}
        if len({frozenset(keys) for keys in chosen.values()}) < len(chosen):
            chosen = self._deeper(chosen)
        if "." not in where:  # the whole answer: it has to become one of the classes
            constant, fallback = "_RESULT", fallback or names[0]
        self.choices[constant] = (chosen, fallback)
        return f"{constant}.read({value})"

    def _deeper(self, chosen: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The required keys of *chosen* with those one level deeper, but for those that all of them have."""
        shared = frozenset.intersection(*(frozenset(self._within[name]) for name in chosen))
        return {
            name: (*keys, *(each for each in self._within[name] if each not in shared)) for name, keys in chosen.items()
        }

    def _read_union(self, prop: UnionProperty, value: str, where: str, depth: int) -> str:
        members = _present(prop)
        models = [member for member in members if isinstance(member, ModelProperty)]
        lists = [member for member in members if isinstance(member, ListProperty)]
        scalars = [member for member in members if not isinstance(member, ModelProperty | ListProperty)]
        if len(lists) > 1:
            raise GenerationError(f"{where}: more than one kind of array in a union cannot be told apart")
        lone_value = is_list_first(prop)
        lone_list = is_alternative(prop) and isinstance(members[0], ModelProperty)

        read = self._read_scalar(scalars, value, where)
        branches = []
        if models:
            one = self._read_object(models, value, where)
            branches.append(f"{f'lone({one})' if lone_value else one} if isinstance({value}, dict)")
        if lists:
            items = self._read_items(lists[0], value, where, depth)
            if lone_list or items != value or not scalars or lone_value:
                branches.append(f"{f'sole({items})' if lone_list else items} if isinstance({value}, list)")
        if scalars and lone_value:
            return " else ".join([*branches, f"lone({read})"])
        if scalars:
            return " else ".join([*branches, read])
        expected = " or ".join(["object"] * bool(models) + ["array"] * bool(lists))
        return " else ".join([*branches, f'null_or_misfit({value}, "{expected}", "{where}")'])

    def _read_scalar(self, scalars: Sequence[PropertyProtocol], value: str, where: str) -> str:
        """The expression of the one scalar that needs reading; it leaves the others as they are."""
        reads = {read for scalar in scalars if (read := self.read(scalar, value, where)) != value}
        if len(reads) > 1:
            raise GenerationError(f"{where}: a union of several dates or code lists cannot be told apart")
        return reads.pop() if reads else value

    # ------------------------------------------------------------ writing

    def write(self, prop: PropertyProtocol, value: str, depth: int = 0) -> str:
        """An expression that turns the variable *value* into JSON types; *value* itself if it stays as it is."""
        if type(prop) in _PLAIN:
            return value
        if type(prop) in _DATES:
            return f"write_date({value})"
        if isinstance(prop, EnumProperty):
            return f"write_code({value})"
        if isinstance(prop, ModelProperty):
            return f"{value}.to_dict() if isinstance({value}, Model) else {value}"
        if isinstance(prop, ListProperty):
            item = f"_i{depth or ''}"
            write = self.write(prop.inner_property, item, depth + 1)
            items = f"list({value})" if write == item else f"[{write} for {item} in {value}]"
            return f"{items} if isinstance({value}, (list, tuple)) else {value}"
        if isinstance(prop, UnionProperty):
            return f"to_json({value})"
        raise _unsupported(prop)


def is_alternative(prop: PropertyProtocol) -> bool:
    """Whether *prop* is one thing, or an array of the same, in either order."""
    if not isinstance(prop, UnionProperty):
        return False
    members = _present(prop)
    lists = [member for member in members if isinstance(member, ListProperty)]
    others = [member for member in members if not isinstance(member, ListProperty)]
    return (
        len(members) == 2
        and len(lists) == 1
        and lists[0].inner_property.get_type_string(no_optional=True) == others[0].get_type_string(no_optional=True)
    )


def is_list_first(prop: PropertyProtocol) -> bool:
    """Whether *prop* is documented as an array and may come as a lone item."""
    return isinstance(prop, UnionProperty) and is_alternative(prop) and isinstance(_present(prop)[0], ListProperty)


def listed_object(prop: PropertyProtocol) -> str | None:
    """The class of *prop* if it is documented as an object and may come as an array of that object."""
    if is_alternative(prop) and isinstance(prop, UnionProperty):
        first = _present(prop)[0]
        if isinstance(first, ModelProperty):
            return first.class_info.name
    return None


def _present(prop: UnionProperty) -> list[PropertyProtocol]:
    return [member for member in prop.inner_properties if not isinstance(member, NoneProperty)]


def _is_nullable(prop: PropertyProtocol) -> bool:
    return isinstance(prop, UnionProperty) and len(_present(prop)) < len(prop.inner_properties)


def _is_plain(prop: PropertyProtocol) -> bool:
    return type(prop) in _PLAIN or type(prop) in _DATES or isinstance(prop, EnumProperty)


def _unsupported(prop: PropertyProtocol) -> GenerationError:
    kind = type(prop).__name__.removesuffix("Property").lower()
    return GenerationError(
        f"{prop.name.get_untrusted_value()}: the templates know no {kind} here; teach _code.py about it"
    )
