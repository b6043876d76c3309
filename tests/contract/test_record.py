"""`nox -s record`: what it gives is the same each time, and whatever ends it early, no cassette is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "record.py"
CASSETTES = ROOT / "tests" / "contract" / "cassettes"
EMPTY = "origin: nowhere\nversion: 1\ninteractions: []\n"


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, str(SCRIPT), "--cassettes", str(folder), *options]


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        command(folder, *options), capture_output=True, text=True, timeout=300, env=environment, check=False
    )


def contents(folder: Path) -> dict[str, bytes]:
    """What all files hold after the first line, which names a contract that may have grown since."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes().partition(b"\n")[2] for file in files}


@pytest.fixture
def cassettes(tmp_path: Path) -> Path:
    folder = tmp_path / "cassettes"
    shutil.copytree(CASSETTES, folder)
    return folder


def test_recording_mends_what_differs_and_nothing_else(cassettes: Path) -> None:
    """At another time, in another process: a line too many is a stale cassette, or chance in what is recorded."""
    before = contents(cassettes)
    edited = cassettes / "test_operations" / "get_payment.yaml"
    edited.write_text(edited.read_text(encoding="utf-8").replace("MOCKPAYER", "SOMEBODY"), encoding="utf-8")
    (cassettes / "test_operations" / "list_payers.yaml").unlink()
    (cassettes / "test_operations" / "no_such_operation.yaml").write_text(EMPTY, encoding="utf-8")
    stamp = cassettes / "test_operations" / "list_payments.yaml"
    stamp.write_text(stamp.read_text(encoding="utf-8").replace(", contract ", ", contract 0"), encoding="utf-8")
    restamped = stamp.read_bytes()

    done = run(cassettes)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert [line for line in done.stdout.splitlines() if line.startswith(("new", "changed", "unused"))] == [
        "changed: test_operations/get_payment.yaml",
        "new: test_operations/list_payers.yaml",
        "unused: test_operations/no_such_operation.yaml",
    ], "the committed cassettes are stale: nox -s record"
    assert contents(cassettes) == before
    assert stamp.read_bytes() == restamped, "its first line alone differs"


def test_some_are_recorded_and_the_others_stay(cassettes: Path) -> None:
    (cassettes / "test_operations" / "list_payers.yaml").unlink()
    unused = cassettes / "test_operations" / "no_such_operation.yaml"
    unused.write_text(EMPTY, encoding="utf-8")

    done = run(cassettes, "-k", "list_payers")

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert contents(cassettes) == {
        **contents(CASSETTES),
        "test_operations/no_such_operation.yaml": unused.read_bytes().partition(b"\n")[2],
    }


def test_what_is_exercised_no_more_is_named_and_forgotten_only_when_told(cassettes: Path) -> None:
    floor = cassettes.parent / "coverage.yaml"
    text = (CASSETTES.parent / "coverage.yaml").read_text(encoding="utf-8")
    more = text.replace("  Meta: [", "  Meta: [test_mode, ", 1)
    assert more != text
    floor.write_text(more, encoding="utf-8")

    refused = run(cassettes, "-k", "list_payers")
    kept = floor.read_text(encoding="utf-8")
    accepted = run(cassettes, "-k", "list_payers", "--accept-losses")

    assert (refused.returncode, kept) == (1, more)
    assert "exercised no more: answer properties: Meta test_mode" in refused.stdout
    assert refused.stdout.splitlines()[-1] == "if that is meant: nox -s record -- --accept-losses"
    assert (accepted.returncode, floor.read_text(encoding="utf-8")) == (0, text)


def test_a_file_that_is_no_cassette_is_named(cassettes: Path) -> None:
    (cassettes / "test_operations" / "get_payment.yaml").write_text("patient: [Quillfeather", encoding="utf-8")

    done = run(cassettes, "-k", "list_payers")

    assert done.returncode == 1
    assert done.stderr.endswith("get_payment.yaml cannot be read as a cassette: record it anew\n")
    assert "Quillfeather" not in done.stdout + done.stderr


def test_nothing_changes_when_a_test_fails_while_recording(cassettes: Path) -> None:
    before = contents(cassettes)
    done = run(cassettes, "-k", "no test is called this")

    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert contents(cassettes) == before


@pytest.fixture
def recording(cassettes: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run of the script that has recorded some cassettes and is not at its end."""
    with subprocess.Popen(
        command(cassettes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while len(list(cassettes.parent.glob(".recording-*/*/*.yaml"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        yield process


@pytest.mark.skipif(os.name == "nt", reason="ends a whole process group by a signal, which Windows does not have")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_recording_that_is_ended_changes_no_cassette(
    cassettes: Path, recording: subprocess.Popen[bytes], signal_number: int
) -> None:
    before = contents(cassettes)
    os.killpg(recording.pid, signal_number)
    assert recording.wait(60) != 0
    assert contents(cassettes) == before == contents(CASSETTES)
