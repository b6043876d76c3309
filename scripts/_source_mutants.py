"""Python modules changed in one place each: a comparison turned, a branch dropped, a constant or a call changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
SHOWN = 60
NOT_RUN = frozenset({"annotation", "returns", "decorator_list", "type_params", "exc", "cause"})
"""Parts of the syntax in which nothing is changed: types, and the words of errors."""


@dataclass(frozen=True)
class SourceMutant:
    """One change of one module.

    Attributes:
        file: The module.
        line: Where it stands.
        what: The change in words.
    """

    file: Path
    line: int
    what: str
    _tree: ast.Module = field(repr=False, compare=False)
    _node: ast.AST = field(repr=False, compare=False)
    _name: str = field(repr=False, compare=False)
    _instead: Any = field(repr=False, compare=False)

    def source(self) -> str:
        """The text of the changed module."""
        kept = getattr(self._node, self._name)
        setattr(self._node, self._name, self._instead)
        try:
            return ast.unparse(self._tree)
        finally:
            setattr(self._node, self._name, kept)

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}: {self.what}"


def source_mutants(file: Path) -> Iterator[SourceMutant]:
    """Every mutant of a module."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in _run(tree):
        for name, instead, what in _changes(node):
            yield SourceMutant(file, getattr(node, "lineno", 0), what, tree, node, name, instead)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below *node* that runs; no f-string, whose parts are words."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or name in NOT_RUN or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            yield child
            yield from _run(child)


def _changes(node: ast.AST) -> Iterator[tuple[str, Any, str]]:
    """The name of a part of *node*, what to put in its place, and that in words."""
    shown = ast.unparse(node).partition("\n")[0][:SHOWN] if isinstance(node, ast.expr | ast.stmt) else ""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in TURNED:
            other = TURNED[type(operator)]
            yield "ops", [other()], f"{shown}: {type(operator).__name__} becomes {other.__name__}"
        case ast.BoolOp(op=ast.And()):
            yield "op", ast.Or(), f"{shown}: and becomes or"
        case ast.BoolOp(op=ast.Or()):
            yield "op", ast.And(), f"{shown}: or becomes and"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "operand", ast.UnaryOp(ast.Not(), operand), f"{shown}: not left out"
        case ast.If() | ast.IfExp():
            yield "test", ast.Constant(value=True), f"{shown}: always"
            yield "test", ast.Constant(value=False), f"{shown}: never"
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "value", ast.Constant(value=None), f"{shown}: nothing is returned"
        case ast.Expr(value=ast.Call()):
            yield "value", ast.Constant(value=None), f"{shown}: left out"
        case ast.Constant(value=bool() as value):
            yield "value", not value, f"{value} becomes {not value}"
        case ast.Constant(value=int() | float() as value):
            yield "value", value + 1, f"{value} becomes {value + 1}"
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            yield "slice", ast.Constant(value=f"{key}_too"), f"{shown}: the key becomes {key}_too"
