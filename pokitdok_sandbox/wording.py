"""How texts are compared in searches: with a few slips forgiven, or word by word. What is searched is elsewhere."""

from __future__ import annotations

import re
from functools import lru_cache

from jellyfish import levenshtein_distance

EDITS = 2
"""Slips that a fuzzy field forgives, as documented for identities."""


def alike(wanted: str, text: str, edits: int = EDITS) -> bool:
    """Tell whether two texts are the same but for letter case and at most ``edits`` single-letter slips."""
    wanted, text = (_unicode(one.strip().casefold()) for one in (wanted, text))
    if abs(len(wanted) - len(text)) > edits:
        return False
    return levenshtein_distance(wanted, text) <= min(edits, max(len(wanted), len(text)) - 1)


def has_alike_words(wanted: str, text: str) -> bool:
    """Tell whether each word of ``wanted`` is like some word of ``text``; short words have to be the same."""
    found = words(text)
    return all(any(alike(word, other, EDITS if len(word) > 3 else 0) for other in found) for word in words(wanted))


def has_words(wanted: str, text: str) -> bool:
    """Tell whether each word of ``wanted`` begins some word of ``text``, whatever the case."""
    found = words(text)
    return all(any(other.startswith(word) for other in found) for word in words(wanted))


def same(wanted: str, text: str) -> bool:
    """Tell whether two texts are the same but for letter case and blanks around."""
    return wanted.strip().casefold() == text.strip().casefold()


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a text in one letter case."""
    return tuple(re.findall(r"\w+", text.casefold()))


def _unicode(text: str) -> str:
    """Return a text with question marks for lone surrogates, which JSON can hold and jellyfish cannot read."""
    return text.encode("utf-8", "replace").decode()
