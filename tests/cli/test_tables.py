"""Tables in windows of every width: money and dates stay whole, and rows can be told apart."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rich.console import Console

from pokitdok_api.models import EligibilityCoverage, EligibilityResponse
from pokitdok_ext.cli import _claims
from pokitdok_ext.cli._benefits import benefits, show_answer
from pokitdok_ext.cli._tables import aligned, differences, fitted, in_words, show_rows
from pokitdok_sandbox import Sandbox

Run = Callable[..., Any]

MONEY = ("2387.25 USD", "18000.00 USD", "25.50 USD", "4774.50 USD")
COVERAGE = {
    "active": True,
    "plan_description": "A PLAN WITH QUITE A LONG NAME FOR ALL WHO WORK AT SEA",
    "plan_begin_date": "2026-01-01",
    "deductibles": [
        {
            "benefit_amount": {"amount": "2387.25", "currency": "USD"},
            "coverage_level": "employee_and_spouse",
            "in_plan_network": "yes",
            "time_period": "calendar_year",
        },
        {
            "benefit_amount": {"amount": "18000", "currency": "USD"},
            "coverage_level": "employee_and_spouse",
            "in_plan_network": "not_applicable",
            "time_period": "remaining",
        },
    ],
    "copay": [
        {
            "copayment": {"amount": "25.5", "currency": "USD"},
            "coverage_level": "individual",
            "in_plan_network": "yes",
            "messages": [{"message": "PRIMARY CARE"}],
            "service_types": ["professional_physician_visit_office"],
        },
        {
            "copayment": {"amount": "4774.50", "currency": "USD"},
            "coverage_level": "individual",
            "in_plan_network": "yes",
            "messages": [{"message": "SPECIALIST, WITH A LETTER OF THE FIRST"}],
            "service_types": ["professional_physician_visit_office"],
        },
    ],
    "coinsurance": [
        {"benefit_percent": 0.125, "in_plan_network": "yes"},
        {"benefit_percent": 1, "in_plan_network": "no"},
    ],
}


def printed(width: int, show: Callable[[Console], None], encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(Console(file=file, width=width, highlight=False, emoji=False, markup=False))
    file.flush()
    content = file.buffer.getvalue()
    text: str = content.decode(encoding)
    return text


def show_example(out: Console) -> None:
    show_answer(out, EligibilityResponse.from_dict({"valid_request": True, "coverage": COVERAGE}))


@pytest.mark.parametrize("width", range(60, 201))
def test_benefits_are_a_table_with_whole_amounts_at_every_width(width: int) -> None:
    text = printed(width, show_example)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for amount in (*MONEY, "2026-01-01", "12.5%", "100.0%"):
        assert sum(amount in line for line in lines) == 1, amount
    assert "benefit:" not in text, "not a list"
    assert "…" not in text


def test_decimal_points_are_in_one_place() -> None:
    lines = printed(80, show_example).splitlines()
    [*places] = {line.index(amount) + amount.index(".") for line in lines for amount in MONEY if amount in line}
    assert len(places) == 1


@pytest.mark.parametrize("width", [20, 40])
def test_very_narrow_window_gets_a_list(width: int) -> None:
    text = printed(width, show_example)
    assert "amount: 2387.25 USD\n" in text
    assert max(map(len, text.splitlines())) <= width


def test_output_without_unicode_gets_lines_of_ascii() -> None:
    for encoding in ("ascii", "latin-1"):
        for width in (60, 80, 200):
            assert printed(width, show_example, encoding).isascii()


def test_text_that_the_output_cannot_show_is_escaped_and_stays_in_its_column() -> None:
    rows = [("José", "1.00 USD"), ("Ann", "22.00 USD")]
    text = printed(80, lambda out: show_rows(out, ("name", "amount"), rows, amounts=("amount",)), "ascii")
    assert "Jos\\xe9" in text
    assert len({len(line) for line in text.splitlines()}) == 1


def test_copays_tell_which_they_are() -> None:
    rows = benefits(EligibilityCoverage.from_dict(COVERAGE))
    assert [row.about for row in rows if row.kind == "copay"] == [
        "PRIMARY CARE",
        "SPECIALIST, WITH A LETTER OF THE FIRST",
    ]
    assert [row.about for row in rows if row.kind != "copay"] == ["", "", "", ""], "what is told by a column is enough"


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"messages": [{"message": "A CARE"}]}, {"messages": []}, ["A CARE", ""]),
        ({"service_types": ["chiropractic"]}, {"service_types": ["vision"]}, ["chiropractic", "vision"]),
        ({"check_number": "CHK_0001"}, {"check_number": "chk_b"}, ["check number CHK_0001", "check number chk_b"]),
        ({"check": {"check_id": "ab_c"}}, {"check": {"check_id": "A_1"}}, ["check ab_c", "check A_1"]),
        ({"quantity": 5}, {"quantity": 6}, ["quantity 5", "quantity 6"]),
        ({"is_in": True}, {"is_in": False}, ["is in yes", "is in no"]),
        ({"plan_begin_date": "2026-01-01"}, {}, ["plan begin date 2026-01-01", ""]),
        ({"a": {"b": ["deep text"]}, "same": 1}, {"a": None, "same": 1}, ["deep text", ""]),
        ({"same": 1}, {"same": 1}, ["", ""]),
    ],
)
def test_rows_that_look_alike_get_what_tells_them_apart(one: Any, other: Any, told: list[str]) -> None:
    assert differences(["same", "same"], [one, other]) == told
    assert differences(["one", "other"], [one, other]) == ["", ""]


def test_statuses_of_a_claim_that_look_alike_are_told_apart() -> None:
    statuses = [
        {"status_category": "Pending", "status_code": "Waiting for the file of the patient"},
        {"status_category": "Pending", "status_code": "Waiting for the other payer"},
    ]
    found = list(_claims._statuses([{"tracking_id": "T1", "service_date": "2026-11-02", "statuses": statuses}]))
    assert [row for row, _ in found] == [("T1", "2026-11-02", "", "", "Pending")] * 2
    assert differences([row for row, _ in found], [facts for _, facts in found]) == [
        "Waiting for the file of the patient",
        "Waiting for the other payer",
    ]


@pytest.mark.parametrize("tracking_id", ["AB_12_C", "ab_c", "A_1"])
def test_tracking_id_is_shown_as_it_is(tracking_id: str) -> None:
    [(row, _)] = _claims._statuses([{"tracking_id": tracking_id, "service_date": "2026-11-02"}])
    assert row[:2] == (tracking_id, "2026-11-02")


@pytest.mark.parametrize("tracking_id", ["5F0C1D2E3A4B5C6D7E8F9A0B", "0123456789" * 4 + "abcdef"])
@pytest.mark.parametrize("words", ["Paid", "See https://example.com/claims/" + "a" * 60])
def test_one_long_word_makes_no_list_of_a_table(tracking_id: str, words: str) -> None:
    row = (tracking_id, "2026-11-02", "12387.25 USD", "2387.25 USD", words)
    options: Any = {"amounts": ("charged", "paid"), "whole": ("tracking id", "service date")}
    lines = printed(80, lambda out: show_rows(out, _claims.COLUMNS, [row, row], **options)).splitlines()
    assert re.split(r" {2,}", lines[0].strip()) == list(_claims.COLUMNS), "not a list"
    assert max(map(len, lines)) <= 80
    for whole in row[1:4]:
        assert sum(whole in line for line in lines) == 2
    assert "".join(line.split(" ")[0] for line in lines[2:]) == tracking_id * 2, "no character of it is lost"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_status_of_a_claim_keeps_ids_dates_and_money_whole(width: int) -> None:
    words = "The claim has been acknowledged and waits for the adjudication"
    row = ("5F0C1D2E3A4B5C6D", "2026-11-02", "12387.25 USD", "2387.25 USD", words)
    options: Any = {"amounts": ("charged", "paid"), "whole": ("tracking id", "service date")}
    text = printed(width, lambda out: show_rows(out, _claims.COLUMNS, [row], **options))
    for whole in row[:4]:
        assert whole in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        (["2500 USD", "2387.25 USD"], ["2500.00 USD", "2387.25 USD"]),
        (["25 USD", "2500 USD"], ["  25 USD", "2500 USD"]),
        (["-1.5 USD", "", "10%"], ["-1.50 USD", "", "10%"]),
        (["60.0 USD"], ["60.00 USD"]),
        (["1.005 USD", "12.5%"], [" 1.005 USD", "12.5%"]),
        (["unknown", "1 USD"], ["unknown", "      1 USD"]),
        ([], []),
    ],
)
def test_amounts_are_aligned(amounts: list[str], shown: list[str]) -> None:
    assert [text.rstrip() for text in aligned(amounts)] == shown


@pytest.mark.parametrize(
    ("natural", "least", "room", "widths"),
    [
        ([10, 5], [4, 5], 20, [10, 5]),
        ([10, 5], [4, 5], 12, [7, 5]),
        ([10, 9, 3], [2, 2, 3], 13, [5, 5, 3]),
        ([10, 5], [4, 5], 8, None),
    ],
)
def test_widest_column_is_narrowed_first(
    natural: Sequence[int], least: Sequence[int], room: int, widths: list[int] | None
) -> None:
    assert fitted(natural, least, room) == widths


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), ("", ""), (0, "0"), (False, "no"), ("a_b", "a b"), ("AB_12_C", "AB_12_C"), (["x", None, "y"], "x, y")],
)
def test_value_in_words(value: Any, words: str) -> None:
    assert in_words(value) == words


def test_money_is_a_number_in_json(connected: Sandbox, pokitdok: Run) -> None:
    member = ("-t", "MOCKPAYER", "--npi", "1234567893", "--member-id", "W100000001")
    ran = pokitdok("eligibility", *member, "--json")
    found = [entry["benefit_amount"] for entry in ran.json["data"]["coverage"]["deductibles"]]
    assert {"amount": 2387.25, "currency": "USD"} in found
    assert {"amount": 2500, "currency": "USD"} in found
    assert re.search(r'"amount": 2387\.25,', ran.out)
