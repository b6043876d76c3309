"""What a change of the contract is: how much it asks of callers, where it stands, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal

from _spec_source import Pointer

Node = Mapping[str, Any]
Section = Literal["Added", "Changed", "Deprecated", "Removed"]


class Level(IntEnum):
    """Which part of the version a change moves."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True)
class Change:
    """One difference between two contracts.

    Attributes:
        subject: What kind of thing changed, such as operation, field, code or scope.
        place: Its name.
        what: What happened to it.
        why: Why it has this level.
        pointer: Where it stands, in the old contract if it was removed.
        section: Heading of the changelog under which callers look for it.
        alarm: ``error`` for what no version allows; ``warning`` for what somebody has to look at.
    """

    level: Level
    subject: str
    place: str
    what: str
    why: str
    pointer: Pointer
    section: Section = "Changed"
    alarm: Literal["error", "warning"] | None = None


@dataclass(frozen=True)
class At:
    """A place in both contracts: what it is called, where it stands, and which way its values go."""

    name: str
    pointer: Pointer
    sent: bool
    answered: bool

    def down(self, name: str, *steps: str | int) -> At:
        """A place below this one."""
        return replace(self, name=name, pointer=(*self.pointer, *steps))

    def change(self, level: Level, subject: str, what: str, why: str, section: Section = "Changed") -> Change:
        return Change(level, subject, self.name, what, why, self.pointer, section)

    def wider(self, subject: str, what: str) -> Change:
        """More values are allowed than before."""
        if self.answered:
            return self.change(Level.MAJOR, subject, what, "answers may hold what callers do not expect")
        return self.change(Level.MINOR, subject, what, "what was sent before still fits")

    def narrower(self, subject: str, what: str) -> Change:
        """Fewer values are allowed than before."""
        if self.sent:
            return self.change(Level.MAJOR, subject, what, "requests that fitted before are refused")
        return self.change(Level.MINOR, subject, what, "what comes back was allowed before")


def texts(old: Node, new: Node, at: At, known: frozenset[str]) -> list[Change]:
    """Differences of members that none of the rules in *known* judges."""
    found = []
    for key in dict.fromkeys((*old, *new)):
        if key in known or old.get(key) == new.get(key):
            continue
        here = at.down(at.name, key)
        if key.startswith("x-") or key in TEXTS:
            what = "added" if key not in old else "removed" if key not in new else "changed"
            found.append(here.change(Level.PATCH, key, f"{key} {what}", "words for readers; no call changes"))
        else:
            why = "no rule of scripts/spec_change.py judges it: taken as breaking"
            found.append(here.change(Level.MAJOR, key, f"{key} changed", why))
    return found


TEXTS = frozenset({"description", "summary", "title", "example", "examples", "externalDocs", "$comment", "license"})
