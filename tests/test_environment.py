"""The script that makes the environment: when it does, what it leaves alone, and what is left when it is stopped."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import environment  # noqa: E402 - scripts/ is not a package; the entry points import it the same way

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends signals, and runs shell scripts")


class Commands(list[list[str]]):
    """The commands that would have been run, in place of running them; *failing* names the programs that fail."""

    def __init__(self, venv: Path) -> None:
        self.venv, self.failing = venv, set[str]()

    def run(self, command: list[str], _: object) -> None:
        self.append(command)
        assert not environment.held(), "what is being made is never taken for finished"
        if Path(command[0]).name in self.failing:
            raise environment.EnvironmentMakingError(f"{command[0]} failed")
        for path in ("bin/python", *(["lib/python3/site-packages/pip/x"] if "venv" in command[1:3] else [])):
            (self.venv / path).parent.mkdir(parents=True, exist_ok=True)
            (self.venv / path).touch()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    ran = Commands(tmp_path / ".venv")
    monkeypatch.setattr(environment, "VENV", ran.venv)
    monkeypatch.setattr(environment, "_run", ran.run)
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    return ran


def locks(commands: Commands) -> list[str]:
    return [Path(each[each.index("-r") + 1]).name for each in commands if "-r" in each]


def environments(commands: Commands) -> int:
    return sum("venv" in each[1:3] for each in commands)


@pytest.mark.parametrize("what", ["demo", "all"])
def test_environment_is_made_once(commands: Commands, what: str) -> None:
    environment.ensure(what)
    made = len(commands)
    environment.ensure(what)
    assert made > 0
    assert len(commands) == made
    assert environment.held() == what


def test_demo_installs_its_own_lock_and_the_tests_install_theirs_on_top(commands: Commands) -> None:
    environment.ensure("demo")
    assert locks(commands) == ["requirements-demo.lock"]
    environment.ensure("all")
    assert locks(commands) == ["requirements-demo.lock", "requirements.lock"]
    assert environments(commands) == 1


def test_environment_of_the_tests_serves_the_demo(commands: Commands) -> None:
    environment.ensure("all")
    made = len(commands)
    environment.ensure("demo")
    assert len(commands) == made


def test_environment_is_made_anew_for_another_lock_file_with_all_that_it_held(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.ensure("all")
    other = tmp_path / "other.lock"
    other.write_text("attrs==0 --hash=sha256:0\n")
    monkeypatch.setitem(environment.LOCKS, "all", other)
    environment.ensure("demo")
    assert locks(commands) == ["requirements.lock", "other.lock"]
    assert environments(commands) == 2


@pytest.mark.parametrize("uv", [None, "/somewhere/uv"], ids=["pip", "uv"])
def test_nothing_is_fetched_past_its_hash(commands: Commands, monkeypatch: pytest.MonkeyPatch, uv: str | None) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda _: uv)
    environment.ensure()
    installs = [command for command in commands if "install" in command]
    assert {"--require-hashes", "--only-binary"} <= set(installs[0])
    assert {"--no-deps", "--no-build-isolation"} <= set(installs[1])
    assert len(installs) == 2
    assert not [command for command in commands if "--seed" in command]
    assert {command[0] == uv for command in commands} == {uv is not None}


def test_pip_takes_over_where_uv_fails(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda _: "/somewhere/uv")
    commands.failing = {"uv"}
    environment.ensure()
    assert environment.held() == "all"
    assert [Path(command[0]).name == "uv" for command in commands] == [True, False, False, False]
    assert "uv could not do it" in capsys.readouterr().err


def test_environment_that_uv_made_gets_pip_before_pip_installs_on_top(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda _: "/somewhere/uv")
    environment.ensure("demo")
    shutil.rmtree(commands.venv / "lib")
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    environment.ensure("all")
    assert environments(commands) == 2


@pytest.mark.parametrize("before", [None, "demo"])
def test_failure_leaves_no_environment(commands: Commands, before: str | None) -> None:
    if before:
        environment.ensure(before)
    commands.failing = {"python", Path(sys.executable).name}
    with pytest.raises(environment.EnvironmentMakingError):
        environment.ensure("all")
    assert not commands.venv.exists()


def test_environment_whose_making_was_killed_is_made_anew(commands: Commands) -> None:
    environment.ensure("demo")
    (commands.venv / "made-from").write_text("unfinished")
    (commands.venv / "half").touch()
    environment.ensure("demo")
    assert environment.held() == "demo"
    assert not (commands.venv / "half").exists()


@pytest.mark.parametrize("theirs", ["folder", "file"])
def test_environment_of_somebody_else_is_left_alone(commands: Commands, theirs: str) -> None:
    kept = commands.venv if theirs == "file" else commands.venv / "pyvenv.cfg"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("home = /usr/bin")
    with pytest.raises(environment.EnvironmentMakingError, match=r"was not made by this script.*Move or remove it"):
        environment.ensure()
    assert kept.read_text() == "home = /usr/bin"
    assert commands == []


def test_folder_that_cannot_be_written_is_told(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(environment, "_begin", refuse)
    with pytest.raises(environment.EnvironmentMakingError, match=r"\.venv could not be made: .*Permission denied"):
        environment.ensure()


def test_old_python_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 1))
    with pytest.raises(environment.EnvironmentMakingError, match=r"Python 3\.11 or newer is needed, this is 3\.9"):
        environment.ensure()


@pytest.mark.parametrize(
    ("output", "hint"),
    [("ensurepip is not available", "apt install python3-venv"), ("connection refused", "package index reachable")],
)
def test_failed_step_is_told_with_a_hint(output: str, hint: str) -> None:
    command = [sys.executable, "-c", f"import sys; sys.exit({output!r})"]
    with pytest.raises(environment.EnvironmentMakingError, match=f"(?s){hint}.*{output}"):
        environment._run(command, lambda _: None)


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_one_line_in_a_terminal_and_a_line_now_and_then_elsewhere(terminal: bool) -> None:
    out, times = Screen(terminal), iter(i * 0.5 for i in range(1000))
    with environment._Progress("Making it", out=out, clock=lambda: next(times)) as progress:
        for number in range(1, 31):
            progress.show(f"{number} of 30 packages fetched")
    shown = out.getvalue()
    assert shown.isascii()
    assert re.search(r"\d+ s  30 of 30 packages fetched", shown) or not terminal
    assert ("\r" in shown) == terminal
    assert max(len(part) for part in re.split(r"[\r\n]", shown)) < 80
    assert (3 <= shown.count("\n") <= 9) != terminal


def test_lock_file_that_pip_reads_gives_the_number_of_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packages for other systems do not count, or the last one would never come."""
    printed = "Ignoring colorama: markers 'sys_platform == \"win32\"' don't match your environment\nCollecting a==1\n"
    shown: list[str] = []

    def run(command: list[str], look: object) -> None:
        if "-r" in command and callable(look):
            look(printed)

    lock = tmp_path / "some.lock"
    lock.write_text("a==1 \\\n    --hash=sha256:0\nb==1 \\\n    --hash=sha256:0\ncolorama==1 \\\n    --hash=sha256:0\n")
    monkeypatch.setitem(environment.LOCKS, "demo", lock)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "_run", run)
    with environment._Progress("Making it", out=Screen(False)) as progress:
        monkeypatch.setattr(progress, "show", shown.append)
        environment._install_packages(["pip", "install"], "demo", progress)
    assert shown == ["1 of 2 packages fetched"]


FAKE_UV = """\
#!/bin/sh
mkdir -p .venv/bin
touch .venv/bin/half
sleep 300 &
echo $! > grandchild
echo $$ > child.new && mv child.new child
wait
"""
DEMONSTRATION = """\
import os, time
from pathlib import Path
import _starting
_starting.done()
Path("running.new").write_text(str(os.getpid()))
Path("running.new").rename("running")
time.sleep(300)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of the scripts, lock files, and a `uv` that works without end."""
    (tmp_path / "scripts").mkdir()
    for name in ("demo", "test", "environment.py", "_starting.py"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    for name in ("requirements.lock", "requirements-demo.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "scripts" / "demonstration.py").write_text(DEMONSTRATION)
    uv = tmp_path / "programs" / "uv"
    uv.parent.mkdir()
    uv.write_text(FAKE_UV)
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def started(clone: Path, script: str, sign: str) -> subprocess.Popen[str]:
    """The script, as far as the *sign*: a file that it or its child writes."""
    paths = f"{clone / 'programs'}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, str(clone / "scripts" / script)],
        env=os.environ | {"PATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (clone / sign).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def lives(number: int) -> bool:
    try:
        status = Path(f"/proc/{number}/stat").read_text() if Path("/proc/self").exists() else "(x) R"
        os.kill(number, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@posix
@pytest.mark.parametrize("script", ["demo", "test"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_set_up_leaves_no_child_and_nothing_half_made(clone: Path, script: str, number: signal.Signals) -> None:
    process = started(clone, script, "child")
    children = [int((clone / name).read_text()) for name in ("child", "grandchild")]
    assert all(lives(each) for each in children)
    assert (clone / ".venv" / "bin" / "half").exists()

    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert errors.splitlines()[-1] == ("Interrupted; nothing half-made is left behind. Run it again to start over.")
    assert "Traceback" not in errors
    assert not (clone / ".venv").exists()
    deadline = time.monotonic() + 10
    while any(lives(each) for each in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@posix
def test_second_run_waits_for_the_first(clone: Path) -> None:
    first = started(clone, "demo", "child")
    (clone / "child").unlink()
    with subprocess.Popen(
        [sys.executable, str(clone / "scripts" / "demo")], stderr=subprocess.PIPE, text=True
    ) as second:
        assert second.stderr is not None
        assert second.stderr.readline() == "Waiting for another run that makes .venv/ ...\n"
        assert (clone / ".venv" / "bin" / "half").exists(), "the first one's work is not removed"
        second.send_signal(signal.SIGINT)
        assert second.wait(60) == 130
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)


@posix
def test_run_after_a_killed_one_waits_for_what_that_one_had_started(clone: Path) -> None:
    first = started(clone, "demo", "child")
    first.kill()
    first.communicate(timeout=60)
    child, grandchild = (int((clone / name).read_text()) for name in ("child", "grandchild"))
    assert lives(child)
    with subprocess.Popen(
        [sys.executable, str(clone / "scripts" / "demo")], stderr=subprocess.PIPE, text=True
    ) as second:
        assert second.stderr is not None
        assert second.stderr.readline() == "Waiting for another run that makes .venv/ ...\n"
        for number in (child, grandchild):
            os.kill(number, signal.SIGKILL)
        assert second.stderr.readline().startswith("Making .venv/")
        second.send_signal(signal.SIGINT)
        assert second.wait(60) == 130
    assert not (clone / ".venv").exists()


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_reaches_what_runs_in_the_environment(clone: Path, number: signal.Signals) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(clone / ".venv")], check=True)
    stamp = [sys.executable, "-c", "import environment; print(environment.made_from('demo'), end='')"]
    stamped = subprocess.run(stamp, cwd=clone / "scripts", check=True, capture_output=True, text=True).stdout
    (clone / ".venv" / "made-from").write_text(stamped)

    process = started(clone, "demo", "running")
    running = int((clone / "running").read_text())
    process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode != 0
    assert not lives(running)
