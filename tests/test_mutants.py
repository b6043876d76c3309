"""What `nox -s mutants` rests on: a sample of each part is noticed, and a change that is not noticed is told."""

from __future__ import annotations

import ast
import math
import sys
from pathlib import Path

import pytest

from pokitdok_ext.testing import Contract as Checker

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import mutants  # noqa: E402 - scripts/ is no package
from _answer_mutants import answer_mutants, unseen  # noqa: E402
from _contract import Contract  # noqa: E402
from _contract_checks import ContractChecks  # noqa: E402
from _contract_mutants import Mutant, sampled  # noqa: E402
from _sandbox_checks import PACKAGE, TESTS, copy, judges  # noqa: E402
from _sandbox_deviations import DEVIATIONS, Deviation  # noqa: E402
from _source_mutants import source_mutants  # noqa: E402
from _spec_changes import Level  # noqa: E402

pytestmark = pytest.mark.slow

CONTRACT = Contract.load(ROOT / "openapi.yaml")
DOCUMENT = CONTRACT.document
FOLDER = ROOT / "tests" / "contract"


@pytest.fixture(scope="module")
def checks() -> ContractChecks:
    return ContractChecks(DOCUMENT, FOLDER)


# ---------------------------------------------------------------- the contract

EVERY = sampled(DOCUMENT, 0, seed=5)
KINDS = {mutant.kind for mutant in EVERY}
REFUSED = {mutant.kind for mutant in EVERY if mutant.level is None}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_edit_of_the_whole_contract_is_told_with_its_level_and_name(kind: str, checks: ContractChecks) -> None:
    """One of each kind: one that a cassette uses, if there is such."""
    every = [mutant for mutant in EVERY if mutant.kind == kind]
    mutant = next((each for each in every if each.use in checks.uses), every[0])
    assert list(checks.misses(mutant)) == [], str(mutant)


def test_every_operation_and_every_component_is_edited() -> None:
    places = {mutant.place for mutant in EVERY}
    assert CONTRACT.operations.keys() <= places
    assert CONTRACT.schemas.keys() <= places
    assert len(KINDS) >= 40
    assert {
        "code without a name",
        "field with a name that is taken",
        "operationId twice",
        "reference to nothing",
        "retry class lost",
    } == REFUSED


def test_every_edit_changes_the_contract_and_leaves_the_original_alone() -> None:
    before = repr(DOCUMENT)
    for mutant in sampled(DOCUMENT, 200, seed=2):
        assert mutant.applied(DOCUMENT) != DOCUMENT, str(mutant)
    assert repr(DOCUMENT) == before


@pytest.mark.parametrize(
    ("mutant", "told"),
    [
        (Mutant("nothing", "x", [(("info", "title"), DOCUMENT["info"]["title"])], Level.PATCH), "says nothing"),
        (Mutant("words", "info", [(("info", "title"), "Other.")], Level.MAJOR), "says patch, not major"),
        (Mutant("words", "info", [(("info", "title"), "Other.")], Level.PATCH, alarm=True), "mark is not told"),
        (Mutant("words", "Claim", [(("info", "title"), "Other.")], Level.PATCH), "does not name Claim"),
        (Mutant("words", "info", [(("info", "title"), "Other.")], None), "it is not refused"),
        (
            Mutant("words", "info", [(("info", "title"), "Other.")], Level.PATCH, use=("operation", "submit_claim")),
            "uses it and still fits",
        ),
    ],
)
def test_what_the_checks_miss_is_told(mutant: Mutant, told: str, checks: ContractChecks) -> None:
    assert any(told in miss for miss in checks.misses(mutant))


def test_cassettes_use_much_of_the_contract(checks: ContractChecks) -> None:
    """Else the second half of what is checked would be idle."""
    assert {("operation", name) for name in CONTRACT.operations} <= checks.uses.keys()
    assert ("field", "EligibilityCoverage", "plan_number") in checks.uses
    assert len([use for use in checks.uses if use[0] == "field"]) > 500


# ---------------------------------------------------------------- the sandbox


def test_changed_answers_are_found_by_the_checker() -> None:
    checker = Checker(DOCUMENT)
    every = [*answer_mutants(FOLDER / "cassettes" / "test_claims", checker)]
    assert len(every) > 100
    assert [str(each) for each in every if unseen(each, checker)] == []


def test_answers_are_changed_in_every_way() -> None:
    every = list(answer_mutants(FOLDER / "cassettes" / "test_eligibility", Checker(DOCUMENT)))
    assert {mutant.kind for mutant in every} == {
        "status undocumented",
        "body cut off",
        "member renamed",
        "member added",
        "member retyped",
        "required member left out",
        "code unknown",
    }
    same = [mutant for mutant in every if mutant.before == mutant.after]
    assert same == []
    unchanged = type(every[0])("none", "nowhere", every[0].before, every[0].before)
    assert unseen(unchanged, Checker(DOCUMENT))


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=str)
def test_deviation_changes_its_module(deviation: Deviation) -> None:
    ast.parse(deviation.source())
    assert deviation.source() != deviation.file.read_text(encoding="utf-8")


def test_deviation_that_no_longer_applies_says_so() -> None:
    with pytest.raises(ValueError, match=r"'no such text' stands in wire\.py 0 times"):
        Deviation("gone", "wire", "no such text", "").source()


def test_tests_of_the_sandbox_pass_on_a_copy_and_fail_on_a_changed_one() -> None:
    module, tests = PACKAGE / "paging.py", [TESTS / "test_activities.py"]
    source = module.read_text(encoding="utf-8")
    [deviation] = [each for each in DEVIATIONS if each.what == "a page too many"]
    with copy() as place:
        assert place.outcome(module, source, tests) == "unnoticed"
        assert place.outcome(module, deviation.source(), tests) == "noticed"
        assert place.outcome(module, "syntax error", tests) == "noticed"
        assert place.outcome(module, source, tests) == "unnoticed"
        with pytest.raises(RuntimeError, match="cannot be run"):
            place.outcome(module, source, [TESTS / "test_missing.py"])
    assert module.read_text(encoding="utf-8") == source


SOURCE = '''
"""Words: 3 of them are no code."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    A = 1 < 2

def f(a: int = 5, *, b: "dict[str, int]") -> "int | None":
    if a < 3 and not b:
        log(a)
        return b["x"]
    raise ValueError(f"{a == 4}")
'''


def test_source_is_changed_in_one_place_each(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(SOURCE)
    found = list(source_mutants(module))
    assert [str(each).partition(": ")[2] for each in found] == [
        "5 becomes 6",
        "if a < 3 and (not b):: always",
        "if a < 3 and (not b):: never",
        "a < 3 and (not b): and becomes or",
        "a < 3: Lt becomes LtE",
        "3 becomes 4",
        "not b: not left out",
        "log(a): left out",
        "return b['x']: nothing is returned",
        "b['x']: the key becomes x_too",
    ]
    plain = ast.unparse(ast.parse(SOURCE))
    texts = [each.source() for each in found]
    assert len({*texts, plain}) == len(found) + 1
    assert all(len(set(text.splitlines()) ^ set(plain.splitlines())) == 2 for text in texts)


def test_tests_named_like_a_module_come_first() -> None:
    names = [test.name for test in judges(PACKAGE / "identity.py")]
    assert names[:3] == ["test_identity.py", "test_identity_match.py", "test_identity_proof.py"]
    assert "test_fuzz.py" not in names
    assert "test_wire.py" in names


# ---------------------------------------------------------------- the command


def part(*unnoticed: str, tried: int = 4, least: float = 1.0) -> mutants.Part:
    return mutants.Part(lambda *_: mutants.Tally(tried, unnoticed, least), 4)


@pytest.mark.parametrize(
    ("tried", "status", "printed"),
    [
        (part(), 0, "contract: 4 of 4 noticed (100%)\n"),
        (part("a.py:3: x"), 1, "  unnoticed: a.py:3: x\nFAILED: contract: at least 100% have to be noticed\n"),
        (part("a.py:3: x", least=0.7), 0, "contract: 3 of 4 noticed (75%)\n  unnoticed: a.py:3: x\n"),
        (part(tried=0), 1, "FAILED: contract: at least 100% have to be noticed\n"),
    ],
)
def test_what_goes_unnoticed_fails(
    tried: mutants.Part, status: int, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutants, "PARTS", {"contract": tried})
    assert mutants.main([]) == status
    assert capsys.readouterr().out.endswith(printed)


def test_unknown_part_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mutants.main(["weather"])
    assert "there is no part weather: contract, answers, deviations, rules" in capsys.readouterr().err


class Judge:
    """Stands in for a copy of the sandbox; notices every change of *module* but none of the rest."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def outcome(self, file: Path, source: str, tests: list[Path]) -> str:
        return "noticed" if file.stem == self.module else "unnoticed"


def test_deviations_that_no_test_notices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "copy", lambda: Judge("grants"))
    tally = mutants.deviations(0, 1, until=math.inf)
    assert (tally.tried, tally.fine) == (len(DEVIATIONS), False)
    assert sorted(tally.unnoticed) == sorted(str(each) for each in DEVIATIONS if each.module != "grants")
    assert mutants.deviations(3, 1, until=0.0).tried == 0


def test_tests_that_fail_without_a_change_judge_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutants, "copy", lambda: Judge("wire"))
    assert mutants.main(["rules", "--sample", "1"]) == 1
    assert "fail without any change" in capsys.readouterr().err
