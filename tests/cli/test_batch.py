"""A batch: what is read, asked, written once, put back, and taken up again."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokitdok_api._operations import CHECK_ELIGIBILITY
from pokitdok_api.errors import InvalidRequestError, PaymentRequiredError, PokitDokError, ServerError
from pokitdok_ext import ConfigurationError
from pokitdok_ext.cli import _batch
from pokitdok_ext.cli._journal import Journal
from pokitdok_ext.cli._members import Row, read_rows
from pokitdok_sandbox import Sandbox

Run = Callable[..., Any]
PARTNER = ("-t", "MOCKPAYER", "--npi", "1234567893")
ROWS = int(os.environ.get("POKITDOK_BATCH_ROWS", "500"))
"""`nox -s batch` runs the long form: 5,000."""


def csv_of(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "members.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def members(count: int) -> str:
    rows = (f"W{number:09d},First{number},Last{number},1984-03-09,ref-{number}" for number in range(1, count + 1))
    return "\n".join(["member_id,first_name,last_name,birth_date,reference", *rows, ""])


def error(kind: Any, status: int) -> PokitDokError:
    made: PokitDokError = kind(operation=CHECK_ELIGIBILITY, status_code=status, headers={}, body=None, activity_id=None)
    return made


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


# ---------------------------------------------------------------- the input


def test_row_becomes_a_question(tmp_path: Path) -> None:
    text = '\ufeffMember_ID, Birth_Date ,service_types,reference,npi\r\nW1,1984-03-09,a|b,"r,1",\r\n\r\nW2,,,,2\r\n'
    rows = read_rows(csv_of(tmp_path, text), {"trading_partner": "MOCKPAYER", "npi": "1"}, ["c"])
    assert rows == [
        Row(
            1,
            {
                "trading_partner_id": "MOCKPAYER",
                "member": {"id": "W1", "birth_date": "1984-03-09"},
                "provider": {"npi": "1"},
                "service_types": ["a", "b"],
            },
            "r,1",
        ),
        Row(
            2,
            {
                "trading_partner_id": "MOCKPAYER",
                "member": {"id": "W2"},
                "provider": {"npi": "2"},
                "service_types": ["c"],
            },
            None,
        ),
    ]


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("quoted", [True, False])
def test_sign_that_only_python_takes_for_a_line_break_stays_in_its_cell(
    tmp_path: Path, sign: str, quoted: bool
) -> None:
    name = f'"An{sign}na, Lea"' if quoted else f"An{sign}na"
    text = f"member_id,first_name\nW1,{name}\nW2,Ben\n"
    rows = read_rows(csv_of(tmp_path, text), {"trading_partner": "P"}, [])
    assert [row.question["member"] for row in rows] == [
        {"id": "W1", "first_name": name.strip('"')},
        {"id": "W2", "first_name": "Ben"},
    ]


@pytest.mark.parametrize(
    ("ending", "inside"), [*itertools.product(["\n", "\r\n"], ["\n", "\r\n", "\r"]), ("\r", "\r")], ids=ascii
)
def test_line_break_in_quotes_stays_in_its_cell(tmp_path: Path, ending: str, inside: str) -> None:
    text = ending.join(["member_id,first_name", f'W1,"An{inside}na"', "W2,Ben", ""])
    rows = read_rows(csv_of(tmp_path, text), {"trading_partner": "P"}, [])
    assert [row.question["member"] for row in rows] == [
        {"id": "W1", "first_name": f"An{inside}na"},
        {"id": "W2", "first_name": "Ben"},
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no heading"),
        ("member_id,ssn\nW1,canary\n", "column 2 of the heading is unknown; is the first line a heading?"),
        ("W1,canary,1984-03-09\n", "column 1, 2, 3 of the heading is unknown; is the first line a heading?"),
        ("member_id,member_id\nW1,canary\n", "twice"),
        ("member_id\n\nW1\n\ncanary,2\n", "row 2 (line 5): more cells than columns"),
        ("\nmember_id\nW1\n", "no heading"),
        ('member_id,first_name\nW1,"a\n\nb"\ncanary\n', "row 2 (line 5): fewer cells than columns"),
        ("member_id\r\rW1\rcanary,2\r", "row 2 (line 4): more cells than columns"),
        ("member_id\nW1\ncanary,2\n", "row 2 (line 3): more cells than columns"),
        ("member_id,first_name\nW1,\n,canary\n", "row 2 (line 3): neither member_id nor birth_date"),
        (
            "member_id,first_name\nW1,a\ncanary\n",
            "row 2 (line 3): fewer cells than columns; is a line break not in quotes?",
        ),
        ("member_id,first_name\nW1,can\rary\nW2,\n", "line 2: a carriage return in a cell that is not in quotes"),
        ("birth_date\n19840617\n", "row 1 (line 2): birth_date is not a date like 1984-06-17"),
        ("birth_date\n1984-W24-7\n", "row 1 (line 2): birth_date is not a date like 1984-06-17"),
        ("birth_date\n1984-169\n", "row 1 (line 2): birth_date is not a date like 1984-06-17"),
        ("birth_date\n1984-02-30\n", "row 1 (line 2): birth_date is not a date like 1984-06-17"),
        ("birth_date\n\u0661984-06-17\n", "row 1 (line 2): birth_date is not a date like 1984-06-17"),
        ("birth_date\n03/09/1984\n", "row 1 (line 2): birth_date is not a date like 1984-06-17"),
        ('member_id\n"canary\n', "line 2: "),
        (b"member_id\n\xffcanary\n", "is not UTF-8 (byte 10, counted from 0)"),
    ],
)
def test_file_that_cannot_be_asked_is_refused_before_anything_is_sent(
    connected: Sandbox, pokitdok: Run, tmp_path: Path, text: str | bytes, told: str
) -> None:
    before = connected.state()["requests"]
    output = tmp_path / "out.jsonl"
    ran = pokitdok("eligibility", "batch", str(csv_of(tmp_path, text)), "-o", str(output), *PARTNER)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert "canary" not in ran.err
    assert "03/09" not in ran.err
    assert connected.state()["requests"] == before
    assert not output.exists()


# ---------------------------------------------------------------- the run


class Bench:
    """Ten rows, an output, and answers by a function."""

    def __init__(self, tmp_path: Path) -> None:
        self.output = tmp_path / "out.jsonl"
        self.rows = read_rows(csv_of(tmp_path, members(10)), {"trading_partner": "P"}, [])
        self.asked: Counter[str] = Counter()
        self.stop = threading.Event()

    def run(self, answer: Callable[[str, int], Any], in_flight: int = 3) -> _batch.Result:
        async def ask(question: dict[str, Any]) -> Any:
            member = question["member"]["id"]
            self.asked[member] += 1
            attempt = self.asked[member]
            await asyncio.sleep(0)
            outcome = answer(member, attempt)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        with Journal(self.output, self.rows) as journal:
            options: Any = {"client": None, "in_flight": in_flight, "stop": self.stop, "progress": lambda _: None}
            return _batch.run(self.rows, journal, ask, **options)

    def rows_written(self) -> list[int]:
        return [line["row"] for line in lines_of(self.output)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


ACTIVE = {"data": {"valid_request": True, "coverage": {"active": True}}}


def test_every_row_is_written_once_with_its_reference(bench: Bench) -> None:
    result = bench.run(lambda *_: ACTIVE)
    assert sorted(bench.rows_written()) == list(range(1, 11))
    assert {line["reference"] for line in lines_of(bench.output)} == {f"ref-{n}" for n in range(1, 11)}
    assert (result.counts, result.left) == (Counter(active=10), 0)
    assert bench.output.stat().st_mode & 0o077 == 0


def test_second_run_asks_only_what_is_missing(bench: Bench) -> None:
    bench.run(lambda *_: ACTIVE)
    assert bench.run(lambda *_: pytest.fail("asked again")).counts == Counter()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ACTIVE, "active"),
        ({"data": {"valid_request": True, "coverage": {"active": False}}}, "inactive"),
        ({"data": {"valid_request": False, "coverage": {"active": True}}}, "not found"),
        ({"data": {"coverage": None}}, "answered"),
        ({"data": None}, "answered"),
        (["odd"], "answered"),
    ],
)
def test_outcome_is_told(answer: Any, outcome: str) -> None:
    assert _batch.outcome_of(answer) == outcome


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b'{"detail": [{"loc": ["body"]}]}', {"detail": [{"loc": ["body"]}]}),
        (b"<h1>Too large</h1>", "<h1>Too large</h1>"),
        (b"Jos\xe9", "Jos\\xe9"),
        (b"", None),
    ],
)
def test_refusal_is_kept_in_whatever_form_it_came(content: bytes, answer: Any) -> None:
    refused = InvalidRequestError(
        operation=CHECK_ELIGIBILITY, status_code=422, headers={}, content=content, body=None, activity_id=None
    )
    assert _batch.described(refused)["answer"] == answer


def test_refused_row_is_written_and_not_asked_again(bench: Bench) -> None:
    result = bench.run(lambda member, _: error(InvalidRequestError, 422) if member.endswith("4") else ACTIVE)
    [refused] = [line for line in lines_of(bench.output) if line["outcome"] == "refused"]
    assert refused["row"] == 4
    assert refused["error"] == {"kind": "InvalidRequestError", "status": 422, "activity_id": None, "answer": None}
    assert (result.counts["refused"], bench.asked.total()) == (1, 10)


def test_row_without_an_answer_is_asked_again_after_the_others(bench: Bench) -> None:
    down = error(ServerError, 500)
    result = bench.run(lambda member, attempt: down if (member, attempt) == ("W000000001", 1) else ACTIVE, 1)
    assert bench.rows_written() == [*range(2, 11), 1]
    assert result.left == 0


def test_row_that_never_gets_an_answer_is_left_for_another_run(bench: Bench) -> None:
    result = bench.run(lambda member, _: httpx.ReadTimeout("") if member.endswith("7") else ACTIVE)
    assert 7 not in bench.rows_written()
    assert (result.left, bench.asked["W000000007"]) == (1, _batch.ROUNDS)
    assert bench.run(lambda *_: ACTIVE).left == 0
    assert sorted(bench.rows_written()) == list(range(1, 11))


@pytest.mark.parametrize("error", [httpx.DecodingError("x"), httpx.ProxyError("x"), httpx.TooManyRedirects("x")])
def test_failure_of_any_kind_on_the_way_costs_one_row_only(bench: Bench, error: Exception) -> None:
    result = bench.run(lambda member, _: error if member.endswith("7") else ACTIVE)
    assert sorted(bench.rows_written()) == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert (result.error, result.left, bench.asked["W000000007"]) == (None, 1, _batch.ROUNDS)


def test_money_in_the_output_is_a_number(bench: Bench) -> None:
    bench.run(lambda *_: {"data": {"coverage": {"copay": [{"copayment": {"amount": "25.50", "currency": "USD"}}]}}})
    [copayment] = lines_of(bench.output)[0]["answer"]["data"]["coverage"]["copay"]
    assert copayment == {"copayment": {"amount": 25.5, "currency": "USD"}}


def test_run_stops_when_the_credits_are_spent(bench: Bench) -> None:
    result = bench.run(lambda member, _: error(PaymentRequiredError, 402) if member >= "W000000004" else ACTIVE, 1)
    assert isinstance(result.error, PaymentRequiredError)
    assert (bench.rows_written(), result.left, bench.asked.total()) == ([1, 2, 3], 7, 4)


def test_run_stops_when_nobody_is_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batch, "PATIENCE", 4)
    result = bench.run(lambda *_: httpx.ConnectError("refused"), 1)
    assert isinstance(result.error, httpx.ConnectError)
    assert (bench.asked.total(), result.left) == (4, 10)


def test_failures_with_answers_between_them_do_not_stop_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batch, "PATIENCE", 3)
    down = httpx.ReadTimeout("")
    result = bench.run(lambda member, attempt: down if attempt == 1 and int(member[1:]) % 2 else ACTIVE, 1)
    assert (result.error, result.left) == (None, 0)


def test_stopped_run_keeps_what_is_under_way(bench: Bench) -> None:
    def answer(*_: Any) -> Any:
        bench.stop.set()
        return ACTIVE

    result = bench.run(answer, 1)
    assert (bench.rows_written(), result.left) == ([1], 9)


def test_fault_of_ours_is_raised_and_loses_nothing_written(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError):
        bench.run(lambda member, _: ZeroDivisionError() if member.endswith("3") else ACTIVE, 1)
    assert bench.rows_written()[:2] == [1, 2]
    assert 3 not in bench.rows_written()


# ---------------------------------------------------------------- the output


def test_row_counts_as_done_once_it_is_on_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with Journal(bench.output, bench.rows) as journal:
        row = bench.rows[0]
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append([{"row": row.number, "check": row.check}])
        assert journal.done == set()


def test_disk_that_is_full_ends_the_run_and_not_its_output(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = os.write

    def nearly_full(descriptor: int, data: Any) -> int:
        if len(bench.output.read_bytes()) > 200:
            raise OSError(28, "No space left on device")
        return wanted(descriptor, data[:50])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        with pytest.raises(OSError, match="No space left"):
            bench.run(lambda *_: ACTIVE, 1)
    assert not bench.output.read_bytes().endswith(b"\n"), "half a line is what is to be cut off"
    bench.run(lambda *_: ACTIVE)
    assert sorted(bench.rows_written()) == list(range(1, 11))


def test_half_a_line_at_the_end_is_cut_off_and_asked_again(bench: Bench) -> None:
    bench.run(lambda *_: ACTIVE)
    whole = bench.output.read_bytes()
    bench.output.write_bytes(whole[:-20])
    lost = json.loads(whole.splitlines()[-1])
    asked_before = bench.asked.total()
    bench.run(lambda *_: ACTIVE)
    assert bench.asked.total() == asked_before + 1
    assert bench.rows_written()[-1] == lost["row"]
    assert sorted(bench.rows_written()) == list(range(1, 11))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"row": 1, "check": "0000000000000000"}\n', "line 1: row 1 is not what was asked then"),
        ('{"row": 99, "check": "x"}\n', "line 1: row 99 is not what was asked then"),
        ("name,age\n", "line 1: not a record of a batch"),
        ('{"canary": 1}\n', "line 1: not a record of a batch"),
    ],
)
def test_output_of_something_else_is_left_alone(bench: Bench, content: str, told: str) -> None:
    bench.output.write_text(content)
    with pytest.raises(ConfigurationError, match=told):
        bench.run(lambda *_: pytest.fail("asked"))
    assert bench.output.read_text() == content


def test_row_that_is_there_twice_is_told(bench: Bench) -> None:
    bench.run(lambda *_: ACTIVE)
    content = bench.output.read_bytes()
    bench.output.write_bytes(content + content.splitlines(keepends=True)[0])
    with pytest.raises(ConfigurationError, match=r"line 11: row \d+ is there twice"):
        bench.run(lambda *_: ACTIVE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_second_run_at_the_same_time_is_refused(bench: Bench) -> None:
    with Journal(bench.output, bench.rows), pytest.raises(ConfigurationError, match="another run is writing"):
        bench.run(lambda *_: ACTIVE)


# ---------------------------------------------------------------- the command


def test_summary_tells_what_became_of_the_rows(connected: Sandbox, pokitdok: Run, tmp_path: Path) -> None:
    file = csv_of(tmp_path, "member_id\nW100000001\nW100000002\nW100000003\nW5\n")
    command = ("eligibility", "batch", str(file), "-o", str(tmp_path / "out.jsonl"), *PARTNER)
    ran = pokitdok(*command)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "       4 rows\n       2 active\n       1 inactive\n       1 not found\n"
    again = pokitdok(*command, "--json").json
    assert again.pop("seconds") >= 0
    assert again == {"rows": 4, "before": 4, "without_answer": 0}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_batch_survives_kill_9_and_faults(tmp_path: Path) -> None:
    """Every row is answered once in the output, none is lost, and one token serves all runs."""
    file, output = csv_of(tmp_path, members(ROWS)), tmp_path / "results.jsonl"
    with Sandbox(rate_limit=1_000_000) as sandbox:
        for name in ("server_error", "html_500", "truncated_json", "reset_after"):
            order = {"name": name, "share": 0.0075, "operations": ["check_eligibility"]}
            httpx.post(f"{sandbox.url}/_sandbox/faults", json=order).raise_for_status()
        command = [sys.executable, "-m", "pokitdok_ext.cli", "eligibility", "batch", str(file), "-o", str(output)]
        environment = os.environ | {
            "POKITDOK_BASE_URL": sandbox.url,
            "POKITDOK_CLIENT_ID": sandbox.client_id,
            "POKITDOK_CLIENT_SECRET": sandbox.client_secret,
        }
        for share in (0.3, 0.6):
            with subprocess.Popen([*command, *PARTNER], env=environment, stderr=subprocess.PIPE) as process:
                wait_until(output, int(ROWS * share), process)
                process.send_signal(signal.SIGKILL)
                process.wait(timeout=30)
            assert output.read_bytes().count(b"\n") < ROWS, "it was over before it could be killed"
        done = subprocess.run(
            [*command, *PARTNER, "--json"], env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        state = sandbox.state()
    assert (done.returncode, done.stderr) == (0, "")
    lines = lines_of(output)
    assert sorted(line["row"] for line in lines) == list(range(1, ROWS + 1))
    assert {(line["row"], line["answer"]["data"]["subscriber"]["id"]) for line in lines} == {
        (number, f"W{number:09d}") for number in range(1, ROWS + 1)
    }
    assert json.loads(done.stdout)["without_answer"] == 0
    assert sum(state["faults"].values()) > 0
    assert state["token_requests"] == 1


def wait_until(output: Path, lines: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while not output.exists() or output.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
