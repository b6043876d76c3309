"""docs/reference: it is what the contract gives, tells everything once, and its links lead somewhere."""

from __future__ import annotations

import copy
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pokitdok_api._operations import OPERATIONS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"

sys.path.insert(0, str(ROOT / "scripts"))
from _contract import Contract, GenerationError  # noqa: E402 - scripts/ is no package
from _markdown import anchor, code, text  # noqa: E402
from reference import Reference, differing  # noqa: E402

LINK = re.compile(r"(?<!\\)\]\(([^()\s]*)\)")
ROW_OF_OPERATION = re.compile(r"\| `([A-Z]+ /[^`]*)` \|")


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.load(ROOT / "openapi.yaml")


@pytest.fixture(scope="module")
def fresh(contract: Contract) -> dict[str, str]:
    return Reference(contract, OPERATIONS).pages()


@pytest.fixture(scope="module")
def committed() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}


def headings(page: str) -> list[str]:
    return [line.lstrip("#").strip() for line in page.splitlines() if line.startswith("#")]


def broken_links(pages: Mapping[str, str]) -> Iterator[str]:
    anchors = {name: {anchor(each) for each in headings(page)} for name, page in pages.items()}
    for name, page in pages.items():
        for target in LINK.findall(page):
            file, _, fragment = target.partition("#")
            if file.startswith("../"):
                if not (FOLDER / file).is_file():
                    yield f"{name}: {target}"
            elif (file or name) not in anchors or (fragment and fragment not in anchors[file or name]):
                yield f"{name}: {target}"


def cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def uneven_tables(page: str) -> Iterator[str]:
    width = 0
    for line in page.splitlines():
        if not line.startswith("|"):
            width = 0
        elif width and cells(line) != width:
            yield line
        else:
            width = cells(line)


def test_pages_are_what_the_contract_gives(fresh: dict[str, str]) -> None:
    stale = differing(fresh, FOLDER)
    assert not stale, f"docs/reference differs from the contract in {stale}; to write it anew: nox -s reference"


def test_every_operation_component_and_code_list_is_described_once(
    contract: Contract, committed: dict[str, str]
) -> None:
    described = Counter(each for name, page in committed.items() if name != "README.md" for each in headings(page))
    expected = [*contract.operations, *contract.schemas]
    expected += [call["operationId"] for item in contract.document["webhooks"].values() for call in item.values()]
    assert {name: described[name] for name in expected if described[name] != 1} == {}


def test_every_operation_is_called_by_its_method_and_path_and_listed_in_the_index(
    contract: Contract, committed: dict[str, str]
) -> None:
    expected = Counter(f"{facts.method} {facts.path}" for facts in contract.operations.values())
    assert Counter(call for page in committed.values() for call in ROW_OF_OPERATION.findall(page)) == expected
    missing = [name for name in contract.operations if f"[`{name}`]" not in committed["README.md"]]
    assert missing == []


def test_every_function_is_named_on_the_page_of_its_area(committed: dict[str, str]) -> None:
    missing = [
        name
        for name, form in OPERATIONS.items()
        if f"[`pokitdok_api.api.{form.tag}.{name}`]" not in committed[f"{form.tag}.md"]
    ]
    assert missing == []


def test_every_field_and_every_code_stands_in_its_description(contract: Contract, committed: dict[str, str]) -> None:
    sections: dict[str, str] = {}
    for name, page in committed.items():
        if name != "README.md":
            sections |= {part.partition("\n")[0]: part for part in re.split(r"^### ", page, flags=re.MULTILINE)[1:]}
    missing = [
        f"{name}: {word}"
        for name, schema in contract.schemas.items()
        for word in (*schema.get("properties", ()), *schema.get("enum", ()), *schema.get("x-enum-varnames", ()))
        if f"| {code(word)} |" not in sections[name]
    ]
    assert missing == []


def test_every_link_leads_to_a_file_and_an_anchor(committed: dict[str, str]) -> None:
    assert sum(len(LINK.findall(page)) for page in committed.values()) > len(OPERATIONS)
    assert list(broken_links(committed)) == []


def test_no_table_has_a_row_of_another_width(committed: dict[str, str]) -> None:
    assert [row for page in committed.values() for row in uneven_tables(page)] == []


def test_a_page_that_was_changed_by_hand_a_missing_one_and_a_stray_one_are_found(
    fresh: dict[str, str], tmp_path: Path
) -> None:
    changed, missing, *_ = sorted(fresh)
    for name, page in fresh.items():
        if name != missing:
            (tmp_path / name).write_text(page + (" " if name == changed else ""), encoding="utf-8")
    (tmp_path / "stray.md").write_text("left over", encoding="utf-8")
    assert differing(fresh, tmp_path) == sorted([changed, missing, "stray.md"])


def test_a_broken_anchor_and_a_missing_file_are_found() -> None:
    pages = {"a.md": "# Here\n[x](b.md#there) [y](#here) [z](c.md)\n", "b.md": "# Elsewhere\n[x](../missing.py)\n"}
    assert list(broken_links(pages)) == ["a.md: b.md#there", "a.md: c.md", "b.md: ../missing.py"]


def test_a_change_of_the_contract_changes_a_page(contract: Contract, fresh: dict[str, str]) -> None:
    document = copy.deepcopy(contract.document)
    name, schema = next((name, each) for name, each in document["components"]["schemas"].items() if "enum" in each)
    schema["enum"][0] = "planted"
    pages = Reference(Contract(document), OPERATIONS).pages()
    changed = [page for page in pages if pages[page] != fresh[page]]
    assert len(changed) == 1
    assert name in headings(pages[changed[0]])


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        ({"description": "Nothing has it.", "type": "object"}, "Planted: nothing of the contract uses it"),
        (
            {"description": "Beyond us.", "type": "object", "properties": {"a": {"minimum": 1}}},
            "does not tell of minimum",
        ),
    ],
)
def test_what_no_page_would_tell_is_an_error(contract: Contract, planted: dict[str, object], complaint: str) -> None:
    document = copy.deepcopy(contract.document)
    document["components"]["schemas"]["Planted"] = planted
    if "properties" in planted:
        document["x-browser"]["planted"] = {"description": "x", "of": {"$ref": "#/components/schemas/Planted"}}
    with pytest.raises(GenerationError, match=complaint):
        Reference(Contract(document), OPERATIONS).pages()


def test_an_operation_that_was_not_generated_is_an_error(contract: Contract) -> None:
    name, *_ = contract.operations
    others = {each: form for each, form in OPERATIONS.items() if form.id != name}
    with pytest.raises(GenerationError, match=f"{name}: .*run nox -s generate first"):
        Reference(contract, others).pages()


def test_markup_in_words_of_the_contract_stays_text() -> None:
    assert text("a | b <c> *d* _e_ snake_case &lt;") == r"a \| b \<c\> \*d\* \_e\_ snake_case \&lt;"
    assert code("a|b") == r"`a\|b`"
