"""What is written in place of something else is old or new as a whole, wherever its writer is killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import _replacing  # noqa: E402 - scripts/ is no package
import evidence  # noqa: E402
import generate  # noqa: E402
import reference  # noqa: E402

OLD = {"gone.py": "old", "inner/b.py": "old b"}
NEW = {"inner/b.py": "new b", "inner/come.py": "new"}

WRITER = """\
import os, signal, sys
sys.path.insert(0, {scripts!r})
from pathlib import Path
import _replacing

number, how, exchange = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "exchange"
if not exchange:
    _replacing.exchange = lambda one, other: False
work = Path(sys.argv[4])
steps = 0

def stop(event, arguments):
    global steps
    if event.split(".")[0] not in ("os", "open", "shutil", "ctypes") or not started:
        return
    steps += 1
    if steps == number:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt

started = False
sys.addaudithook(stop)
started = True
{write}
started = False
print("done")
"""
"""Replaces something, and is killed before its *number*-th touch of the file system; prints `done` if there is none."""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def stopped_writers(work: Path, what: str, *, how: str, exchange: str) -> Iterator[None]:
    """Run the writer again and again, each time stopped one step later, until it comes through."""
    script = WRITER.format(scripts=str(ROOT / "scripts"), write=what)
    for number in range(1, 500):
        command = [sys.executable, "-I", "-S", "-c", script, str(number), how, exchange, str(work)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout == "done\n":
            assert number > 1
            return
        assert done.returncode == -signal.SIGKILL if how == "kill" else "KeyboardInterrupt" in done.stderr, done.stderr
        yield
    pytest.fail("the writer never came through")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "ctrl-c"])
@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param("exchange", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux exchanges folders")),
        "rename",
    ],
)
def test_folder_is_old_or_new_wherever_its_writer_is_stopped(tmp_path: Path, how: str, exchange: str) -> None:
    folder, fresh = tmp_path / "site" / "package", tmp_path / "fresh"
    write(fresh, NEW)
    write(folder, OLD)
    seen = set()
    what = "_replacing.replace_folder(work / 'fresh', work / 'site' / 'package')"
    for _ in stopped_writers(tmp_path, what, how=how, exchange=exchange):
        found = read(folder)
        seen.add("new" if found == NEW else "old")
        if exchange == "exchange" or found:
            assert found in (OLD, NEW)
        else:  # in the moment between two renames; the new one is there and whole
            assert read(folder.with_name(".package.new")) == NEW
            _replacing.mend(folder)
            assert read(folder) == NEW
        _replacing.mend(folder)
        assert [path.name for path in folder.parent.iterdir()] == ["package"]
        assert read(folder) in (OLD, NEW)
        _replacing.replace_folder(fresh, folder)
        assert read(folder) == NEW
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        write(folder, OLD)
    assert read(folder) == NEW
    assert seen == {"old", "new"}


@pytest.mark.slow
def test_the_next_writer_clears_up_after_a_killed_one(tmp_path: Path) -> None:
    """Nothing is reset between the runs: each begins where the one before was killed."""
    folder, fresh = tmp_path / "site" / "package", tmp_path / "fresh"
    write(fresh, NEW)
    write(folder, OLD)
    what = "_replacing.replace_folder(work / 'fresh', work / 'site' / 'package')"
    for _ in stopped_writers(tmp_path, what, how="kill", exchange="rename"):
        assert read(folder) or read(folder.with_name(".package.new")) == NEW
    assert read(folder) == NEW
    assert [path.name for path in folder.parent.iterdir()] == ["package"]


@pytest.mark.parametrize("how", ["kill", "ctrl-c"])
def test_file_is_old_or_new_wherever_its_writer_is_stopped(tmp_path: Path, how: str) -> None:
    page = tmp_path / "page.md"
    page.write_text("old " * 10_000)
    what = "_replacing.replace_text(work / 'page.md', 'new ' * 10_000)"
    for _ in stopped_writers(tmp_path, what, how=how, exchange="exchange"):
        assert page.read_text() in ("old " * 10_000, "new " * 10_000)
    assert page.read_text() == "new " * 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


def test_folder_that_cannot_be_renamed_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overlay file system refuses to rename what lies in a lower layer."""
    folder, fresh = tmp_path / "package", tmp_path / "fresh"
    write(folder, OLD)
    write(fresh, NEW)
    rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self == folder:
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(_replacing, "exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", refusing)
    _replacing.replace_folder(fresh, folder)
    assert read(folder) == NEW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "package"]


def test_failing_writer_leaves_the_folder_and_its_mode_as_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    write(folder, OLD)
    with pytest.raises(FileNotFoundError), _replacing.replacing(folder) as fresh:
        (fresh / "missing" / "a.py").write_text("new")
    assert read(folder) == OLD
    with _replacing.replacing(folder) as fresh:
        write(fresh, NEW)
    assert read(folder) == NEW
    beside = tmp_path / "beside"
    beside.mkdir()
    assert folder.stat().st_mode == beside.stat().st_mode


# ---------------------------------------------------------------- the scripts use it

CONTRACT = """\
openapi: 3.1.0
info: {title: Small, version: '1'}
paths:
  /a/:
    get: {operationId: get_a, tags: [a], x-retry: safe, responses: {'200': {$ref: '#/components/responses/A'}}}
components:
  responses: {A: {description: Yes., content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}
  schemas: {A: {type: object, properties: {b: {type: string}}}}
"""


def generated(work: Path) -> int:
    (work / "small.yaml").write_text(CONTRACT)
    return generate.main(["--contract", str(work / "small.yaml"), "--output", str(work / "output")])


def referenced(work: Path) -> int:
    reference.write({"new.md": "new"}, work / "output")
    return 0


def evident(work: Path) -> int:
    return evidence.write([], evidence.Contract(), work / "output")


@pytest.mark.parametrize("script", [generated, referenced, evident])
def test_script_mends_what_was_left_and_replaces_the_whole(script: Callable[[Path], int], tmp_path: Path) -> None:
    output = tmp_path / "output"
    write(tmp_path / ".output.new", {"stale.md": "whole", "openapi.json": "{}"})
    write(tmp_path / ".output.partial", {"half.md": "half"})
    assert script(tmp_path) == 0
    assert "stale.md" not in read(output)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_generating_never_removes_a_folder_that_is_no_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "output", {"thesis.txt": "ten years of work"})
    assert generated(tmp_path) == 1
    assert "output is no generated package" in capsys.readouterr().err
    assert read(tmp_path / "output") == {"thesis.txt": "ten years of work"}


def test_folder_that_cannot_be_written_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "output").write_text("a file")
    assert generated(tmp_path) == 1
    assert re.search(r"generate\.py: .*Not a directory.*output", capsys.readouterr().err)


INTERRUPTED = """\
import os, runpy, signal, sys

script, event, of = sys.argv[1:4]
sys.argv = sys.argv[1:2] + sys.argv[4:]
sys.path.insert(0, os.path.dirname(script))

def stop(name, arguments):
    if name == event and of in str(arguments):
        signal.raise_signal(signal.SIGINT)

sys.addaudithook(stop)
runpy.run_path(script, run_name="__main__")
"""


SMALL = ["--contract", "small.yaml", "--output", "package"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "event", "of", "arguments"),
    [
        ("generate.py", "import", "openapi_python_client", SMALL),
        ("generate.py", "open", "small.yaml", SMALL),
        ("generate.py", "subprocess.Popen", "ruff", SMALL),
        ("generate.py", "shutil.copytree", "package", SMALL),
        ("reference.py", "import", "yaml", ["--check"]),
        pytest.param("evidence.py", "open", "openapi.json", ["--output", "package"], marks=pytest.mark.shared),
        ("spec_change.py", "import", "pydantic", []),
        ("spec_change.py", "subprocess.Popen", "git", []),
    ],
)
def test_ctrl_c_ends_a_script_with_a_line(
    script: str, event: str, of: str, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "small.yaml").write_text(CONTRACT)
    command = [sys.executable, "-c", INTERRUPTED, str(ROOT / "scripts" / script), event, of, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode in (130, -signal.SIGINT)
    assert done.stderr == f"{script}: interrupted. Nothing is half-written; run it again to finish.\n"
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["small.yaml"]
