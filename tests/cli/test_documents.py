"""What is read from files and the standard input, what is printed, and both under locales that are not UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from pokitdok_ext.cli._documents import amount_as_number, decoded, read_document, with_numbers
from pokitdok_ext.cli._profiles import load

Run = Callable[..., Any]
BOM = b"\xef\xbb\xbf"
NAME = "Jos\u00e9 \u5f20 \U0001f600"

HALF = "holds half a character (a lone surrogate, such as \\ud800)"

LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    "C, as Python has it": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"},
    "UTF-8": {"PYTHONUTF8": "1"},
}


def command(*arguments: str | bytes, locale: str = "UTF-8", stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-m", "pokitdok_ext.cli", *arguments],
        input=stdin,
        capture_output=True,
        env=variables | LOCALES[locale],
        timeout=60,
        check=False,
    )


# ---------------------------------------------------------------- input


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("mark", [b"", BOM], ids=["", "BOM"])
def test_standard_input_is_utf_8_whatever_the_locale(server: Any, locale: str, mark: bytes) -> None:
    server.answer = server.http_answer(b'{"data": {"id": "1", "state": {"name": "init"}}}')
    claim = {"subscriber": {"first_name": NAME}}
    stdin = mark + json.dumps(claim, ensure_ascii=False).encode()
    ran = command("claims", "submit", "-", stdin=stdin, locale=locale)
    assert ran.returncode == 0, ran.stderr
    assert [json.loads(body) for body in server.bodies] == [claim]


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(BOM + b'{"a": "\xc3\xa9"}')
    assert read_document(str(file)) == {"a": "\u00e9"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"name": "Canary\xe9"}', "is not UTF-8 (byte 16, counted from 0)"),
        (BOM + b'{"name": "Canary\xe9"}', "is not UTF-8 (byte 19, counted from 0)"),
        ('{"name": "Canary"}'.encode("utf-16"), "is not UTF-8 (byte 0, counted from 0)"),
        (b'{"name": "Canary\xed\xa0\x80"}', "is not UTF-8 (byte 16, counted from 0)"),
        (b'{"n": 1,\n "name": "Canary\\ud800"}', f"{HALF} in line 2, column 17"),
        (b'{"\\uDC00": "Canary"}', f"{HALF} in line 1, column 3"),
        (b'["\\\\\\ud83d", "Canary"]', f"{HALF} in line 1, column 5"),
        (b'{"amount": NaN, "name": "Canary"}', "is not JSON: NaN is no number"),
        (b'{"amount": 1e400}', "holds a number with more digits than are kept"),
        (b'{"amount": 12345678901234.56789}', "holds a number with more digits than are kept"),
        (b'{"name": "Canary"', "is not JSON: line 1, column 18"),
        (b"", "is not JSON: line 1, column 1"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "holds a number of thousands of digits"),
    ],
)
def test_document_that_cannot_be_sent_is_refused_by_its_place(
    pokitdok: Run, server: Any, content: bytes, told: str
) -> None:
    ran = pokitdok("claims", "submit", "-", stdin=content)
    assert (ran.code, ran.out) == (2, "")
    assert f"the standard input {told}" in ran.err
    assert "Canary" not in ran.err
    assert server.bodies == []


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are UTF-16 there")
@pytest.mark.parametrize("locale", LOCALES)
def test_arguments_are_utf_8_under_a_locale_without_it(server: Any, locale: str) -> None:
    server.answer = server.http_answer(b'{"data": {"valid_request": true}}')
    member = ("--birth-date", "1984-06-17", "--last-name")
    ran = command("eligibility", "-t", "MOCKPAYER", *member, NAME, locale=locale)
    assert ran.returncode == 0, ran.stderr
    assert [json.loads(body)["member"]["last_name"] for body in server.bodies] == [NAME]
    ran = command("eligibility", "-t", "MOCKPAYER", *member, b"Canary\xe9", locale="C")
    assert (ran.returncode, ran.stdout, b"is not UTF-8" in ran.stderr, b"Canary" in ran.stderr) == (2, b"", True, False)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud800"', r'"\\\\ud800"', r'"\uD83D\uDE00 \n"'])
def test_whole_characters_in_escapes_are_no_halves(tmp_path: Path, text: str) -> None:
    file = tmp_path / "document.json"
    file.write_text(text)
    assert read_document(str(file)) == json.loads(text)


def test_missing_file_is_told() -> None:
    with pytest.raises(click.UsageError, match=r"no-such-file cannot be read"):
        read_document("no-such-file")


def test_profiles_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.touch(0o600)
    file.write_bytes(BOM + b'[default]\nclient_id = "x"\n')
    assert load(file)["default"].client_id == "x"


# ---------------------------------------------------------------- output


@pytest.mark.parametrize("locale", LOCALES)
def test_output_does_not_die_of_what_the_locale_cannot_write(server: Any, locale: str) -> None:
    partner = {"data": {"id": "X", "name": NAME, "supported_transactions": ["270"]}}
    server.answer = server.http_answer(json.dumps(partner).encode())
    ran = command("trading-partners", "X", locale=locale)
    assert (ran.returncode, ran.stderr) == (0, b"")
    encoding = "ascii" if locale.startswith("C") else locale
    assert NAME.encode(encoding, "backslashreplace") in ran.stdout
    ran = command("trading-partners", "X", "--json", locale=locale)
    assert json.loads(ran.stdout) == partner


@pytest.mark.parametrize("locale", LOCALES)
def test_table_of_benefits_is_shown_in_every_locale(connected: Any, locale: str) -> None:
    member = ("-t", "MOCKPAYER", "--npi", "1234567893", "--member-id", "W100000001")
    ran = command("eligibility", *member, locale=locale)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"2387.25 USD" in ran.stdout
    assert ran.stdout.isascii() is (locale != "UTF-8")


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        (b'{"detail": "Not Found"}', '{\n  "detail": "Not Found"\n}\n'),
        (b"<h1>Request Entity Too Large</h1>\n", "<h1>Request Entity Too Large</h1>\n"),
        (b"upstream connect error", "upstream connect error\n"),
        ("D\u00e9faut".encode("latin-1"), "D\u00e9faut\n"),
        (b"", ""),
    ],
)
@pytest.mark.parametrize("arguments", [("request", "POST", "/claims/", "-d", "-"), ("claims", "submit", "-", "--json")])
def test_error_is_printed_as_it_came(server: Any, content: bytes, printed: str, arguments: tuple[str, ...]) -> None:
    server.answer = server.http_answer(content, "413 Content Too Large")
    ran = command(*arguments, stdin=b"{}")
    assert ran.returncode == 1
    assert ran.stdout == printed.encode("latin-1")
    assert b"--json shows" not in ran.stderr


def test_success_that_cannot_be_read_is_printed_as_it_came(server: Any) -> None:
    server.answer = server.http_answer(b"<h1>Welcome to the hotel</h1>")
    for arguments in (("request", "GET", "/activities/"), ("trading-partners", "--json")):
        ran = command(*arguments)
        assert (ran.returncode, ran.stdout) == (4, b"<h1>Welcome to the hotel</h1>\n")


def test_request_prints_numbers_and_texts_as_they_came(server: Any) -> None:
    server.answer = server.http_answer(b'{"data": {"amount": "2387.10", "share": 0.1, "n": 12345678901234567890}}')
    ran = command("request", "GET", "/activities/")
    assert ran.stdout.split() == b'{ "data": { "amount": "2387.10", "share": 0.1, "n": 12345678901234567890 } }'.split()


# ---------------------------------------------------------------- money


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2387.25", 2387.25),
        ("2500", 2500),
        ("0.10", 0.1),
        ("-25.00", -25.0),
        ("0", 0),
        ("", ""),
        ("12,5", "12,5"),
        ("007", "007"),
        ("1e5", "1e5"),
        ("9007199254740993.25", "9007199254740993.25"),
        ("123456789012345.123456", "123456789012345.123456"),
        ("\u0661", "\u0661"),
    ],
)
def test_amount_is_a_number_if_no_digit_is_lost(text: str, number: Any) -> None:
    assert amount_as_number(text) == number
    assert type(amount_as_number(text)) is type(number)


def test_amounts_are_told_by_their_names() -> None:
    answer = {
        "copayment": {"amount": "25.50", "currency": "USD"},
        "claim": {
            "total_charge_amount": "60.0",
            "service_lines": [{"charge_amount": "6.5", "unit_count": "1"}],
        },
        "coordination_of_benefits": {"payer_amount_paid": "1", "amount_owed": "2"},
        "npi": "1234567893",
        "limit_amount": "30",
    }
    assert with_numbers(answer) == {
        "copayment": {"amount": 25.5, "currency": "USD"},
        "claim": {"total_charge_amount": 60.0, "service_lines": [{"charge_amount": 6.5, "unit_count": "1"}]},
        "coordination_of_benefits": {"payer_amount_paid": 1, "amount_owed": 2},
        "npi": "1234567893",
        "limit_amount": "30",
    }
    assert answer["npi"] == "1234567893"
    assert answer["copayment"] == {"amount": "25.50", "currency": "USD"}, "a copy"


def test_number_with_more_digits_than_a_float_stays_text() -> None:
    assert decoded(b"[2387.25, 0.1, 1e400, 0.12345678901234567890123]") == [
        2387.25,
        0.1,
        "1e400",
        "0.12345678901234567890123",
    ]
    with pytest.raises(ValueError, match="NaN"):
        decoded(b"[NaN]")


@pytest.mark.parametrize("locale", ["C", "UTF-8"])
@pytest.mark.parametrize("name", [NAME.encode(), b"Jos\xe9"], ids=["UTF-8", "Latin-1"])
def test_file_of_any_name_is_read(tmp_path: Path, locale: str, name: bytes) -> None:
    folder = os.fsencode(tmp_path)
    with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123 - a name that is no text
        file.write(b"{")
    ran = command("eligibility", "--from", os.path.join(folder, name), locale=locale)  # noqa: PTH118
    assert (ran.returncode, b"is not JSON: line 1, column 2" in ran.stderr) == (2, True), ran.stderr
    ran = command("eligibility", "batch", os.path.join(folder, name), "-o", b"x", locale=locale)  # noqa: PTH118
    assert (ran.returncode, b"of the heading is unknown" in ran.stderr) == (2, True), ran.stderr
