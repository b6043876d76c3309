"""The page docs/evidence.md: what each operation rests on. Made from the contract and tests/contract/evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pokitdok_ext.testing import Contract

PAGE_HEAD = """\
# What each operation rests on

Made by `nox -s evidence`; do not edit.

The platform is retired, so nothing here can be asked of it again. Each operation and each status of `openapi.yaml` says
what is known of it:

- **recorded**: an old official client met it on the wire, between 2014 and 2016, and the recording was published with
  the client. `tests/contract/evidence/` keeps the shape of each recording without its values, with repository, commit,
  file and SHA-256. A field, type or status of them that the contract loses fails a test in every clone.
- **documented**: it stands in the platform's documentation.
- **inferred**: our reading, from sibling operations or from what a client does.

"""


COLUMNS = "| operation | rests on | statuses recorded | other statuses | documentation | recordings |"


def page(contract: Contract, folder: Path) -> str:
    """The page docs/evidence.md."""
    counts = dict.fromkeys(("recorded", "documented", "inferred"), 0)
    rows = []
    for path, item in contract.document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            counts[operation["x-evidence"]] += 1
            rows.append(row(path, method, operation, folder / f"{operation['operationId']}.yaml"))
    total = ", ".join(f"{count} {level}" for level, count in counts.items())
    table = [COLUMNS, "|---" * COLUMNS.count(" | ") + "|---|", *rows]
    return f"{PAGE_HEAD}{sum(counts.values())} operations: {total}.\n\n" + "\n".join(table) + "\n"


def row(path: str, method: str, operation: Any, evidence: Path) -> str:
    """One operation as a line of the table."""
    by_status = operation["x-evidence-by-status"]
    recorded_statuses = " ".join(status for status, level in by_status.items() if level == "recorded")
    others = " ".join(f"{status} ({level})" for status, level in by_status.items() if level != "recorded")
    first, last = operation["x-documented"]["first"], operation["x-documented"]["last"]
    documented = f"{first} to {last}" if first else "never"
    seen = 0
    if evidence.exists():
        skeletons = yaml.load(evidence.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        seen = sum(len(skeleton["seen"]) for skeleton in skeletons)
    name = f"`{operation['operationId']}` {method.upper()} {path}"
    return f"| {name} | {operation['x-evidence']} | {recorded_statuses} | {others} | {documented} | {seen or ''} |"
