"""Makes docs/reference from openapi.yaml and the table of generated operations, or checks that it is what they give.

A page for each tag and an index. Each component is described once: on the page of the area whose operations have it
nearest, of equally near areas the first of the contract. Other pages link to it.
"""

from __future__ import annotations

import _interrupts  # noqa: F401 - first

# isort: split
import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from _contract import Contract, GenerationError, OperationFacts, referred
from _markdown import anchor, code, link, sentence, table, text
from _reference_components import Link, described, is_code_list
from _reference_operations import described_operation, described_webhook, state
from _replacing import mend, replacing

from pokitdok_api._operations import OPERATIONS, Operation

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
REMEDY = "nox -s reference"
INDEX = "README.md"
BROWSER = "beside-the-api"
"""The page of what the contract has under x-browser: no tag is called so, a hyphen is in none."""

FIRST_LINE = "<!-- Made by scripts/reference.py from openapi.yaml; do not edit. -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(prog="reference.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page differs")
    options = parser.parse_args(arguments)
    try:
        fresh = Reference(Contract.load(ROOT / "openapi.yaml"), OPERATIONS).pages()
    except GenerationError as error:
        print(f"reference.py: {error}", file=sys.stderr)
        return 1
    if not options.check:
        mend(FOLDER)
    stale = differing(fresh, FOLDER)
    if options.check:
        for name in stale:
            print(f"docs/reference/{name} is not what the contract gives; to write it anew: {REMEDY}")
        return 1 if stale else 0
    if stale:
        write(fresh, FOLDER)
    return 0


def write(pages: Mapping[str, str], folder: Path) -> None:
    """Put *pages* in place of all that *folder* holds."""
    with replacing(folder) as fresh:
        for name, content in pages.items():
            (fresh / name).write_text(content, encoding="utf-8")


def differing(fresh: Mapping[str, str], folder: Path) -> list[str]:
    """Names of pages that are missing from *folder*, differ from *fresh*, or are none of it."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))


@dataclass(frozen=True)
class Area:
    """What one page describes, components apart."""

    name: str
    description: str
    operations: tuple[OperationFacts, ...]
    webhooks: tuple[Mapping[str, Any], ...]
    others: Mapping[str, Mapping[str, Any]]

    @property
    def roots(self) -> Iterator[Any]:
        """The parts of the contract from which the components of the area are reached."""
        yield from (facts.definition for facts in self.operations)
        yield from self.webhooks
        yield from self.others.values()


class Reference:
    """The pages of a contract; GenerationError where it has something that no page would tell."""

    def __init__(self, contract: Contract, operations: Mapping[str, Operation]) -> None:
        self._contract = contract
        self._operations = operations
        self.areas = tuple(self._areas())
        self.used = {area.name: self._distances(area) for area in self.areas}

    def _areas(self) -> Iterator[Area]:
        document = self._contract.document
        operations = self._contract.operations.values()
        calls = [item["post"] for item in document.get("webhooks", {}).values()]
        for tag in document["tags"]:
            name = tag["name"]
            yield Area(
                name=name,
                description=tag.get("description", ""),
                operations=tuple(facts for facts in operations if facts.tag == name),
                webhooks=tuple(call for call in calls if name in call["tags"]),
                others={},
            )
        if "x-browser" in document:
            yield Area(BROWSER, "What browsers did beside the HTTP API", (), (), document["x-browser"])

    def _distances(self, area: Area) -> dict[str, int]:
        """The components that the area uses, with the number of steps to each."""
        found: dict[str, int] = {}
        layer: list[Any] = list(area.roots)
        steps = 0
        while layer:
            names = {name for node in layer for name in self._references(node)} - found.keys()
            found |= dict.fromkeys(names, steps)
            layer = [self._contract.schemas[name] for name in names]
            steps += 1
        return found

    def _references(self, node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from self._references(item)
        elif isinstance(node, dict):
            target = node.get("$ref", "")
            if isinstance(target, str) and target.startswith("#/components/schemas/"):
                yield referred(node)
            elif isinstance(target, str) and target and "/examples/" not in target:
                yield from self._references(self._contract.resolve(node))
            for value in node.values():
                yield from self._references(value)

    @cached_property
    def homes(self) -> dict[str, str]:
        """The page of each component, in the order of the contract."""
        found: dict[str, str] = {}
        for name in self._contract.schemas:
            near = [area for area in self.areas if name in self.used[area.name]]
            if not near:
                raise GenerationError(f"component {name}: nothing of the contract uses it; drop it")
            # What is beside the API comes last however near it is: it is the least of its users.
            found[name] = min(near, key=lambda area: (area.name == BROWSER, self.used[area.name][name])).name
        return found

    def linker(self, page: str) -> Link:
        """Links to components, seen from the page *page*."""

        def to(name: str) -> str:
            home = self.homes[name]
            return link(code(name), f"{'' if home == page else f'{home}.md'}#{anchor(name)}")

        return to

    def pages(self) -> dict[str, str]:
        """All pages by file name."""
        written = {f"{area.name}.md": self._page(area) for area in self.areas}
        written[INDEX] = self._index()
        for name, page in written.items():
            headings = Counter(anchor(line.lstrip("# ")) for line in page.splitlines() if line.startswith("#"))
            twice = [heading for heading, count in headings.items() if count > 1]
            if twice:
                raise GenerationError(f"{name}: several headings have the anchor {twice[0]}: rename a component")
        return written

    def _page(self, area: Area) -> str:
        to = self.linker(area.name)
        title = f"Area {area.name}" if area.name != BROWSER else "Beside the API"
        lines = [FIRST_LINE, "", f"# {title}", "", sentence(area.description), "", link("All areas", INDEX), ""]
        if area.operations:
            lines += ["## Operations", ""]
        for facts in area.operations:
            forms = {name: form for name, form in self._operations.items() if form.id == facts.id}
            lines += described_operation(self._contract, facts, forms, to)
        if area.webhooks:
            lines += ["## Calls that the platform makes", ""]
        for call in area.webhooks:
            lines += described_webhook(self._contract, call, to)
        for name, facts_beside in area.others.items():
            lines += self._beside(name, facts_beside, to)
        return "\n".join([*lines, *self._components(area, to)]).rstrip("\n") + "\n"

    def _beside(self, name: str, facts: Mapping[str, Any], to: Link) -> Iterator[str]:
        yield from (f"## {name}", "", sentence(facts["description"]), "")
        told = {key: value for key, value in facts.items() if key != "description"}
        rows = [
            (text(key.removeprefix("x-")), to(referred(value)) if isinstance(value, dict) else code(value))
            for key, value in told.items()
        ]
        yield from table(("", ""), rows)

    def _components(self, area: Area, to: Link) -> Iterator[str]:
        schemas = self._contract.schemas
        used = [name for name in schemas if name in self.used[area.name]]
        here = [name for name in used if self.homes[name] == area.name]
        lists = [name for name in here if is_code_list(schemas[name])]
        objects = [name for name in here if name not in lists]
        for title, names in (("Components", objects), ("Code lists", lists)):
            if names:
                yield from (f"## {title}", "")
            for name in names:
                yield from described(self._contract, name, to)

    def _index(self) -> str:
        definitions = [facts.definition for facts in self._contract.operations.values()]
        counts = [Counter(each["x-evidence"] for each in definitions), Counter(map(state, definitions))]
        counted = "; ".join(", ".join(f"{count} {word}" for word, count in each.most_common()) for each in counts)
        to = self.linker("")
        schemas = self._contract.schemas
        lists = [name for name in sorted(schemas) if is_code_list(schemas[name])]
        objects = [name for name in sorted(schemas) if name not in lists]
        areas = [(link(area.name, f"{area.name}.md"), sentence(area.description)) for area in self.areas]
        rows = [
            (
                link(area.name, f"{area.name}.md"),
                link(code(facts.id), f"{area.name}.md#{anchor(facts.id)}"),
                facts.method,
                code(facts.path),
                text(facts.definition["x-evidence"]),
                state(facts.definition),
            )
            for area in self.areas
            for facts in area.operations
        ]
        head = ("area", "operation", "method", "path", "evidence", "state")
        lines = [
            *(FIRST_LINE, "", "# Reference", "", f"{len(rows)} operations: {counted}. Evidence and state:"),
            "recorded was seen on the wire, documented stood in the platform's documentation, inferred is our reading;",
            "retired is gone from the last revision of that documentation. PHI and secret mark what is masked wherever",
            *("the client prints.", "", "## Areas", "", *table(("area", "what it is"), areas)),
            *("## All operations", "", *table(head, rows)),
            *("## All components", "", ", ".join(map(to, objects)), ""),
            *("## All code lists", "", ", ".join(map(to, lists)), ""),
        ]
        return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(main())
