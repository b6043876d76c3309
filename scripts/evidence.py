"""Makes tests/contract/evidence from recordings of the real platform: shapes without values, and where each was seen.

Recordings come from ../shared/platform/recordings, or from clones of the old clients' public repositories, whose whole
history is read:

    python scripts/evidence.py
    python scripts/evidence.py --clone ~/src/pokitdok-python --clone ~/src/pokitdok-ruby

It writes docs/evidence.md too, which says of each operation what it rests on.

A skeleton holds method, path template, status, member names and JSON types of request and answer. Keys that the
contract does not know, such as those of a map, become `*`. No value of any recording is kept but its SHA-256.
"""

from __future__ import annotations

import _interrupts  # noqa: F401 - first

# isort: split
import argparse
import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from _replacing import replace_text, replacing
from evidence_page import page

from pokitdok_ext.testing import Contract
from pokitdok_ext.testing.contract import Operation

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT.parent / "shared" / "platform" / "recordings"
EVIDENCE = ROOT / "tests" / "contract" / "evidence"
PAGE = ROOT / "docs" / "evidence.md"

CASSETTES = ("tests/fixtures/vcr_cassettes", "vcr_cassettes", "spec/fixtures/vcr_cassettes")
"""Where the old clients kept their recordings, over their history."""

TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

Shape = Any
"""A JSON value without its content: type names, a list of one shape, members with theirs, or `{"|": several}`."""


@dataclass(frozen=True)
class Recorded:
    """One recorded interaction and its source."""

    method: str
    url: str
    request: str
    status: int
    answer: str
    source: str


def main() -> int:
    """Write the evidence; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clone", type=Path, action="append", default=[], help="a clone of an old client's repository")
    parser.add_argument("--output", type=Path, default=EVIDENCE, help="folder to write (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.clone:
        recorded = [found for clone in arguments.clone for found in from_clone(clone)]
    elif RECORDINGS.is_dir():
        recorded = list(from_recordings(RECORDINGS))
    else:
        print("no recordings: ../shared is absent; give --clone PATH of an old client's repository", file=sys.stderr)
        return 1
    foreign = sorted(path.name for path in arguments.output.glob("*") if path.suffix != ".yaml")
    if foreign:
        print(f"{arguments.output} holds {foreign[0]}, which is no evidence; give another --output", file=sys.stderr)
        return 1
    contract = Contract()
    written = write(recorded, contract, arguments.output)
    if arguments.output.resolve() == EVIDENCE:
        replace_text(PAGE, page(contract, EVIDENCE))
    print(f"{len(recorded)} recordings, {written} skeletons in {arguments.output}")
    return 0


def from_recordings(folder: Path) -> Iterator[Recorded]:
    """The recordings of ../shared/platform, which name their source."""
    for file in sorted(folder.glob("*/*.yaml")):
        for interaction in yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["interactions"]:
            yield recorded(interaction, interaction["recorded_by"])


def from_clone(clone: Path) -> Iterator[Recorded]:
    """Every interaction of every revision of every cassette in a clone, with the commit that brought it."""
    name = git(clone, "config", "--get", "remote.origin.url").strip().removesuffix(".git").split("github.com")[-1]
    seen: set[str] = set()
    history = git(clone, "log", "--all", "--reverse", "--format=%H %as", "--", *CASSETTES).splitlines()
    for commit, day in (line.split() for line in history):
        for line in git(clone, "ls-tree", "-r", commit, "--", *CASSETTES).splitlines():
            about, path = line.split("\t")
            blob = about.split()[2]
            if blob in seen or not path.endswith((".yml", ".yaml")):
                continue
            seen.add(blob)
            document = yaml.load(git(clone, "cat-file", "blob", blob), Loader=yaml.CSafeLoader)
            for interaction in document.get("http_interactions") or document["interactions"]:
                yield recorded(interaction, f"{name.strip('/:')}@{commit} {day} {path}")


def git(clone: Path, *arguments: str) -> str:
    """What a git command prints."""
    return subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True, text=True, check=True).stdout


def recorded(interaction: dict[str, Any], source: str) -> Recorded:
    """An interaction as vcrpy or Ruby's VCR wrote it."""
    request, response = interaction["request"], interaction["response"]
    return Recorded(
        method=str(request["method"]).upper(),
        url=request["uri"],
        request=text_of(request.get("body")),
        status=int(response["status"]["code"]),
        answer=text_of(response.get("body")),
        source=source,
    )


def text_of(body: Any) -> str:
    content = body.get("string") if isinstance(body, dict) else body
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else content or ""


def write(recordings: list[Recorded], contract: Contract, output: Path) -> int:
    """Write one file an operation; return the number of skeletons."""
    skeletons: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for one in recordings:
        operation = contract.operation(one.method, one.url)
        if operation is None:
            continue
        skeleton = skeleton_of(one, operation, contract)
        digest = hashlib.sha256(one.answer.encode()).hexdigest()
        same = skeletons[operation.id].setdefault(json.dumps(skeleton, sort_keys=True), {**skeleton, "seen": []})
        same["seen"].append(f"{one.source} sha256:{digest}")
    with replacing(output) as fresh:
        for name, entries in skeletons.items():
            ordered = sorted(entries.values(), key=lambda entry: (entry["status"], entry["seen"]))
            text = yaml.dump(ordered, Dumper=yaml.CSafeDumper, sort_keys=False, width=200, default_flow_style=None)
            file = fresh / f"{name}.yaml"
            file.write_text(f"# Made by scripts/evidence.py; do not edit.\n{text}", encoding="utf-8")
    return sum(map(len, skeletons.values()))


def skeleton_of(one: Recorded, operation: Operation, contract: Contract) -> dict[str, Any]:
    """The recording without its values."""
    skeleton: dict[str, Any] = {"method": operation.method, "path": operation.path, "status": one.status}
    query = sorted({name for name, _ in parse_qsl(urlsplit(one.url).query, keep_blank_values=True)})
    if query:
        skeleton["query"] = query
    is_form = any("urlencoded" in name for name in operation.definition.get("requestBody", {}).get("content", ()))
    request = dict(parse_qsl(one.request)) if is_form else as_json(one.request)
    if request:
        skeleton["request"] = shape_of(request, contract.property_names)
    if one.answer:
        skeleton["answer"] = shape_of(as_json(one.answer), contract.property_names)
    return skeleton


def as_json(text: str) -> Any:
    """The parsed text; None for what is no JSON, such as a redirect's HTML."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def shape_of(value: Any, known: Collection[str]) -> Shape:
    """*value* without its content. Keys outside of *known* are data and become `*`."""
    if isinstance(value, dict):
        members = [(name if name in known else "*", shape_of(child, known)) for name, child in value.items()]
        return {name: merged([shape for other, shape in members if other == name]) for name in sorted(dict(members))}
    if isinstance(value, list):
        return [merged([shape_of(item, known) for item in value])] if value else []
    return TYPES[type(value)]


def merged(shapes: list[Shape]) -> Shape:
    """One shape for several: members of all, alternatives joined by `|`."""
    objects = [shape for shape in shapes if isinstance(shape, dict)]
    lists = [shape for shape in shapes if isinstance(shape, list)]
    names = sorted({name for shape in shapes if isinstance(shape, str) for name in shape.split("|")})
    parts: list[Shape] = ["|".join(names)] if names else []
    if objects:
        keys = sorted({key for shape in objects for key in shape})
        parts.append({key: merged([shape[key] for shape in objects if key in shape]) for key in keys})
    if lists:
        items = [shape[0] for shape in lists if shape]
        parts.append([merged(items)] if items else [])
    return parts[0] if len(parts) == 1 else {"|": parts}


if __name__ == "__main__":
    sys.exit(main())
