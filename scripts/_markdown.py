"""GitHub-flavored Markdown: text that stays text, tables, anchors. Nothing here knows the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"[\\`*\[\]<>|~#]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def text(words: str) -> str:
    """*words* on one line, with every character that Markdown would read as markup escaped."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(words.split()))


def sentence(words: str) -> str:
    """*words* as text that ends in a full stop; nothing stays nothing."""
    written = text(words)
    return written if not written or written.endswith((".", "!", "?")) else f"{written}."


def code(words: str) -> str:
    """*words* as code, for tables too: there a pipe ends the cell even inside of code."""
    fence = "``" if "`" in words else "`"
    pad = " " if "`" in words else ""
    return f"{fence}{pad}{words}{pad}{fence}".replace("|", r"\|")


def link(label: str, target: str) -> str:
    """A link; *label* is Markdown already."""
    return f"[{label}]({target})"


def anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading of these words, the first of that name on its page."""
    return _NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table and a blank line after it; nothing without rows. Cells are Markdown already."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return []
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines, ""]
