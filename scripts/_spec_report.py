"""The report on a changed contract, for a terminal and as Markdown, and what it says of the version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from _markdown import code, table, text
from _spec_changes import Change, Level
from _spec_fit import Fit
from _spec_source import Source

SECTIONS = ("Added", "Changed", "Deprecated", "Removed")


@dataclass(frozen=True)
class Report:
    """What is known about a change.

    Attributes:
        against: What the new contract is compared with, in words.
        added: Names in Python that come.
        removed: Names in Python that go.
    """

    old: Source
    new: Source
    against: str
    changes: Sequence[Change]
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    fits: Sequence[Fit] = ()

    @property
    def verdict(self) -> Level:
        """The gravest change."""
        return max((each.level for each in self.changes), default=Level.NONE)

    @property
    def failures(self) -> list[str]:
        """Why this change may not be released as it is."""
        marks = [each for each in self.changes if each.alarm == "error"]
        found = [f"{self.place(each)}: {each.place}: {each.what}; {each.why}" for each in marks]
        before, after = (_version(each) for each in (self.old, self.new))
        if self.verdict is Level.MAJOR and _major(after) <= _major(before):
            found.append(f"a breaking change needs a new major version: set info.version to {_major(before) + 1}.0.0")
        return found

    def place(self, change: Change) -> str:
        """File and line of a change; what was removed stands in the old contract."""
        source = self.old if change.section == "Removed" else self.new
        return f"{source.name}:{source.line(change.pointer)}"

    def changelog(self) -> list[str]:
        """A draft of the entry: what callers see, by section."""
        lines: list[str] = []
        for section in SECTIONS:
            told = [each for each in self.changes if each.section == section and each.level > Level.PATCH]
            items = [f"- `{each.place}`: {each.what}." for each in told]
            lines += [f"### {section}", "", *items, ""] if items else []
        return lines or ["Nothing that callers see.", ""]

    def terminal(self) -> str:
        """The report as plain text."""
        lines = [f"{self.new.name} against {self.against}", self._headline(), ""]
        for level in (Level.MAJOR, Level.MINOR, Level.PATCH):
            group = [each for each in self.changes if each.level is level]
            lines += [level.name.lower(), *(line for each in group for line in self._lines(each)), ""] if group else []
        if self.added or self.removed:
            lines += [
                "Python names",
                *(f"  + {name}" for name in self.added),
                *(f"  - {name}" for name in self.removed),
                "",
            ]
        lines += [line for fit in self.fits for line in _fit_lines(fit)]
        lines += ["", "Draft for CHANGELOG.md", "", *self.changelog()] if self.changes else []
        lines += [f"FAILED: {each}" for each in self.failures]
        return "\n".join(lines).rstrip() + "\n"

    def markdown(self) -> str:
        """The report as Markdown."""
        rows = [
            (
                each.level.name.lower(),
                each.subject,
                code(each.place),
                _flag(each) + text(each.what),
                text(each.why),
                self.place(each),
            )
            for each in self.changes
        ]
        lines = [f"# {self.new.name} against {text(self.against)}", "", self._headline(), ""]
        lines += table(("Level", "Subject", "Place", "Change", "Reason", "Line"), rows)
        names = [("added", code(each)) for each in self.added] + [("removed", code(each)) for each in self.removed]
        lines += ["## Python names", "", *table(("", "Name"), names)] if names else []
        lost = [(fit.what, text(name), text(reason)) for fit in self.fits for name, reason in fit.lost]
        touched = [
            (fit.what, text(name), "its operation changed; it still fits") for fit in self.fits for name in fit.touched
        ]
        lines += ["## What was recorded", "", *(f"- {_summary(fit)}" for fit in self.fits), ""] if self.fits else []
        lines += table(("Kind", "Name", "Finding"), [*lost, *touched])
        lines += ["## Draft for CHANGELOG.md", "", *self.changelog()] if self.changes else []
        lines += [f"**Failed:** {text(each)}" for each in self.failures]
        return "\n".join(lines).rstrip() + "\n"

    def _headline(self) -> str:
        if not self.changes:
            return "verdict: nothing changed"
        before, after = _version(self.old), _version(self.new)
        counts = ", ".join(
            f"{number} {level.name.lower()}"
            for level in (Level.MAJOR, Level.MINOR, Level.PATCH)
            if (number := sum(each.level is level for each in self.changes))
        )
        return f"verdict: {self.verdict.name.lower()} ({counts}); info.version was {before}, is {after}"

    def _lines(self, change: Change) -> Iterator[str]:
        yield f"  {_flag(change)}{change.subject}: {change.place}: {change.what}"
        yield f"      {self.place(change)}: {change.why}"


def _flag(change: Change) -> str:
    return f"{change.alarm.upper()} " if change.alarm else ""


def _summary(fit: Fit) -> str:
    touched = f", {len(fit.touched)} of a changed operation still fit" if fit.touched else ""
    dated = f", {fit.dated} stamped with another contract" if fit.dated else ""
    return f"{fit.what}: {len(fit.lost)} of {fit.total} stop fitting{touched}{dated}"


def _fit_lines(fit: Fit) -> Iterator[str]:
    yield _summary(fit)
    yield from (f"  - {name}: {reason}" for name, reason in fit.lost)
    yield from (f"  ~ {name}" for name in fit.touched)
    if fit.what == "cassettes" and fit.lost:
        yield "  record anew: nox -s record"


def _version(source: Source) -> str:
    return str(source.document["info"]["version"])


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else 0
