"""A contract as text: the parsed document, and the line on which each of its places stands. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Pointer = tuple[str | int, ...]
"""The way from the top of the document: keys of mappings and numbers of list items."""


@dataclass(frozen=True)
class Problem:
    """Something because of which a contract cannot be used, and where it stands; line 0 is the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


class BadContract(Exception):  # noqa: N818 - it carries problems and is none
    """A contract cannot be compared; `problems` say where and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Source:
    """A YAML text with the lines of its keys.

    Args:
        name: What the file is called in messages.
        text: Its content.

    Raises:
        BadContract: It is not YAML, no mapping, holds a key twice, or refers to itself by an alias.
    """

    def __init__(self, name: str, text: bytes) -> None:
        self.name = name
        self.text = text
        try:
            loader = yaml.CSafeLoader(text)
            root = loader.get_single_node()
            self._lines = dict(_lines(root, (), ())) if root is not None else {}
            problems = [Problem(name, line, message) for line, message in _doubled(root)]
            document: Any = None if problems or root is None else loader.construct_document(root)
        except _Aliased as error:
            raise BadContract([Problem(name, error.line, "an alias makes this node a part of itself")]) from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise BadContract([Problem(name, line, f"not YAML: {error.problem or error.context}")]) from error
        except (yaml.YAMLError, ValueError) as error:  # bytes that are no text; a date that is none
            raise BadContract([Problem(name, 1, f"not YAML: {' '.join(str(error).split())}")]) from error
        if problems:
            raise BadContract(problems)
        if not isinstance(document, dict):
            raise BadContract([Problem(name, 1, "a mapping is expected at the top of an OpenAPI document")])
        self.document: dict[str, Any] = document

    def line(self, pointer: Pointer) -> int:
        """The line of the last step of *pointer* that the text has."""
        for end in range(len(pointer), 0, -1):
            line = self._lines.get(pointer[:end])
            if line is not None:
                return line
        return 1

    def problem(self, pointer: Pointer, message: str) -> Problem:
        """A problem at *pointer*."""
        return Problem(self.name, self.line(pointer), message)


class _Aliased(Exception):  # noqa: N818
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _lines(node: yaml.Node, pointer: Pointer, above: tuple[int, ...]) -> Iterator[tuple[Pointer, int]]:
    if id(node) in above:
        raise _Aliased(node.start_mark.line + 1)
    inside = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            step = (*pointer, str(key.value))
            yield step, key.start_mark.line + 1
            yield from _lines(value, step, inside)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*pointer, number), value.start_mark.line + 1
            yield from _lines(value, (*pointer, number), inside)


def _doubled(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Keys that stand twice in one mapping: of these YAML readers silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if key.value in first:
                    yield line, f"{key.value} stands here and on line {first[key.value]}: drop or rename one"
                first.setdefault(key.value, line)
            yield from _doubled(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value)
