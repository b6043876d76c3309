"""What the cassettes exercise of the contract: all operations and statuses, and never less than before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from pokitdok_ext.testing import Contract, Coverage, measure

FILE = Path(__file__).parent / "coverage.yaml"
PAYERS = Path(__file__).parent / "cassettes" / "test_operations" / "list_payers.yaml"


def test_every_operation_and_every_documented_status_has_a_cassette(
    coverage: Coverage, record_property: Callable[[str, object], None]
) -> None:
    record_property("summary", coverage.summary())
    statuses = {item for item in coverage.known if item[0] == "statuses"}
    assert statuses - coverage.exercised == set()
    assert coverage.figures()["operations"] == (97, 97)


def test_nothing_is_exercised_no_more(coverage: Coverage) -> None:
    lost = coverage.lost(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    assert lost == [], "the cassettes exercise less than before; if that is meant: nox -s record -- --accept-losses"


def test_what_is_exercised_is_written_down(coverage: Coverage) -> None:
    """Else a later loss of it would pass."""
    kept = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert coverage.names() == kept, f"{FILE.name} is not what the cassettes exercise: nox -s record"


def test_a_loss_is_named_unless_the_contract_lost_it_too() -> None:
    contract = Contract()
    whole = measure([PAYERS], contract)
    floor = whole.names()
    floor["answer properties"]["NoSuchComponent"] = ["no_such_property"]

    assert whole.lost(floor) == []
    assert measure([], contract).lost(floor)[:3] == [
        "answer properties: ErrorData errors",
        "answer properties: ErrorEnvelope data",
        "answer properties: ErrorEnvelope meta",
    ]
    assert "statuses: list_payers 422" in measure([], contract).lost(floor)


def test_what_is_counted_are_names_and_codes_of_the_contract_alone(tmp_path: Path) -> None:
    text = PAYERS.read_text(encoding="utf-8").replace("/payers/", "/payers/?state=SC&patient=Quillfeather")
    cassette = tmp_path / "payers.yaml"
    cassette.write_text(text, encoding="utf-8")

    coverage = measure([cassette], Contract())

    assert ("parameters", "list_payers", "state") in coverage.exercised
    assert "patient" not in str(coverage.names())
    assert "Quillfeather" not in str(coverage.names())
