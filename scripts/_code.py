"""Python types and kinds for the properties of one module: how a value is declared, and how it is read and written.

The kinds are the classes of `templates/_kinds.py.jinja` and `templates/_unions.py.jinja`.
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
"""Properties whose values are taken as they come, with their types. A misfit among them is kept as it is."""

_DATES: dict[type[PropertyProtocol], tuple[str, str]] = {
    DateProperty: ("datetime.date | str", "DATE"),
    DateTimeProperty: ("datetime.datetime | str", "DATE_TIME"),
}


class ModuleCode:
    """Code for the properties of one module.

    Attributes:
        named: Classes in annotations, which the module has to know.
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

    # ------------------------------------------------------------ reading and writing

    def kind(self, prop: PropertyProtocol, *, whole: bool = False) -> str | None:
        """An expression for the kind of *prop*; None if its values are taken as they come.

        Args:
            prop: What is described.
            whole: Whether it is the whole answer: an object then has to become one of the classes.
        """
        if type(prop) in _PLAIN:
            return None
        if type(prop) in _DATES:
            return _DATES[type(prop)][1]
        if isinstance(prop, EnumProperty):
            return f'{"Code" if prop.value_type is str else "Number"}("{prop.class_info.name}")'
        if isinstance(prop, ModelProperty):
            return self._object([prop], whole=whole)
        if isinstance(prop, ListProperty):
            return f"Array({self.kind(prop.inner_property) or ''})"
        if isinstance(prop, UnionProperty):
            return self._union(prop, whole=whole)
        raise _unsupported(prop)

    def _object(self, members: Sequence[ModelProperty], *, whole: bool) -> str:
        names: list[str] = [member.class_info.name for member in members]
        if len(names) == 1:
            return f'Object("{names[0]}")'
        fallback = next((name for name in names if name in self._maps), names[0] if whole else None)
        chosen = {name: self._required[name] for name in names if name not in self._maps}
        if len({frozenset(keys) for keys in chosen.values()}) < len(chosen):
            chosen = self._deeper(chosen)
        return one_of(chosen, fallback)

    def _deeper(self, chosen: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The required keys of *chosen* with those one level deeper, but for those that all of them have."""
        shared = frozenset.intersection(*(frozenset(self._within[name]) for name in chosen))
        return {
            name: (*keys, *(each for each in self._within[name] if each not in shared)) for name, keys in chosen.items()
        }

    def _union(self, prop: UnionProperty, *, whole: bool) -> str | None:
        members = _present(prop)
        models = [member for member in members if isinstance(member, ModelProperty)]
        lists = [member for member in members if isinstance(member, ListProperty)]
        scalars = [member for member in members if not isinstance(member, ModelProperty | ListProperty)]
        place = prop.name.get_untrusted_value()
        if len(lists) > 1:
            raise GenerationError(f"{place}: more than one kind of array in a union cannot be told apart")
        if is_list_first(prop):
            return f"ManyOrOne({self.kind(lists[0].inner_property) or ''})"
        if is_alternative(prop) and isinstance(members[0], ModelProperty):
            return f"OneOrMany({self.kind(members[0])})"
        of_object = self._object(models, whole=whole) if models else None
        of_array = self.kind(lists[0]) if lists else None
        read = {kind for scalar in scalars if (kind := self.kind(scalar))}
        if len(read) > 1:
            raise GenerationError(f"{place}: a union of several dates or code lists cannot be told apart")
        otherwise = read.pop() if read else "ANY" if scalars else None
        if of_object and not (of_array or otherwise):
            return of_object
        if of_array and not (of_object or otherwise):
            return of_array
        if not (of_object or of_array):
            return None if otherwise == "ANY" else otherwise
        return f"Either({of_object}, {of_array}, {otherwise})"


def one_of(required: Mapping[str, tuple[str, ...]], fallback: str | None) -> str:
    """The expression of a choice among classes by their *required* keys."""
    classes = ", ".join(f'"{name}": {tuple(keys)!r}' for name, keys in required.items())
    return f"OneOf({{{classes}}}{f', fallback={fallback!r}' if fallback else ''})"


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
