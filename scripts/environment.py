"""Makes the environment in which everything here runs: .venv, from a lock file. Standard library only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = {"demo": ROOT / "requirements-demo.lock", "all": ROOT / "requirements.lock"}
"""The sets of packages that an environment can hold, each with its lock file. "all" contains "demo"."""

STAMP_NAME = "made-from"
UNFINISHED = "unfinished"
OLDEST_PYTHON = (3, 11)

AT_ONCE = ("--numprocesses=auto", "--dist=worksteal")
"""What pytest is told when it runs all tests: as many at a time as there are cores, mostly a file in one process."""

QUICK = ("-m", "not slow", *AT_ONCE)
"""What pytest is told when it runs the tests that take no long time of their own."""

HASHED = ("--require-hashes", "--only-binary", ":all:")
"""How packages of a lock file are installed. A source archive would fetch what it is built with, without hashes."""

LOOK_SECONDS = 0.2
LINE_SECONDS = 5.0
END_SECONDS = 5.0


class EnvironmentMakingError(Exception):
    """The environment cannot be made; the text says what to do."""


class _StoppedError(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def ensure(what: str = "all") -> Path:
    """Make .venv unless it already holds what the lock file and pyproject.toml describe.

    An environment that holds "all" also serves the demo, and "all" is installed on top of a demo environment. If making
    it fails or is interrupted, nothing of it stays.

    Args:
        what: The set of packages, a key of LOCKS.

    Returns:
        The environment's Python.

    Raises:
        EnvironmentMakingError: This Python is too old, has no venv module, .venv is somebody else's, or the packages
            could not be installed.
    """
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        raise EnvironmentMakingError(
            f"Python 3.11 or newer is needed, this is {found}. Run it with a newer one: python3.11 scripts/test"
        )
    try:
        if held() not in {what, "all"}:
            with _alone():
                if held() not in {what, "all"}:
                    _make(what)
    except OSError as problem:
        raise EnvironmentMakingError(f"{VENV} could not be made: {problem}") from problem
    return _python()


def held() -> str | None:
    """Which set of packages .venv holds, a key of LOCKS; None if it is missing, unfinished or out of date."""
    stamp = _stamp()
    return next((what for what in LOCKS if _python().exists() and stamp == made_from(what)), None)


def made_from(what: str = "all") -> str:
    """The stamp of an environment: the set of packages, and a hash of lock file, pyproject.toml, Python and folder."""
    parts = [LOCKS[what].read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), str(ROOT).encode()]
    return what + " " + hashlib.sha256(b"\0".join(parts)).hexdigest()


def run_in_environment(what: str, arguments: Sequence[str], *, holding_interrupts: bool = False) -> int:
    """Run the environment's Python with *arguments* in the repository.

    Where the system can do it, that Python takes the place of this process, so that signals to this process reach it.

    Args:
        what: The set of packages that is needed, a key of LOCKS.
        arguments: What Python is called with.
        holding_interrupts: Block SIGINT until the program unblocks it, so that a Ctrl-C while Python starts neither is
            lost nor shows a traceback.

    Returns:
        The exit status: the program's where it runs as a child, 1 where the environment could not be made, and
        128 + signal where a signal stopped this.
    """
    try:
        with _stoppable():
            python = ensure(what)
            command = [str(python), *arguments]
            if sys.platform == "win32":
                return subprocess.call(command, cwd=ROOT)
            if holding_interrupts:
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            os.chdir(ROOT)
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except EnvironmentMakingError as problem:
        print(problem, file=sys.stderr)
        return 1
    except (_StoppedError, KeyboardInterrupt) as stopped:
        number = stopped.number if isinstance(stopped, _StoppedError) else signal.SIGINT
        print("Interrupted; nothing half-made is left behind. Run it again to start over.", file=sys.stderr)
        return 128 + number


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _stamp() -> str | None:
    """What the environment says it was made from; None where there is none, or one that this script did not make."""
    try:
        return (VENV / STAMP_NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _make(what: str) -> None:
    stamp = _stamp()
    if stamp is None and os.path.lexists(VENV) and not (VENV.is_dir() and not any(VENV.iterdir())):
        raise EnvironmentMakingError(
            f"{VENV} is there already, and was not made by this script, so it is left as it is. Move or remove it, then"
            " run this again."
        )
    on_top = held() is not None
    if stamp is not None and not stamp.startswith(("demo ", UNFINISHED)):
        what = "all"  # it was here once, so it is wanted again
    try:
        with _Progress(f"Making {VENV.name}/ from {LOCKS[what].name}") as progress:
            _install(what, on_top, progress)
            (VENV / STAMP_NAME).write_text(made_from(what), encoding="utf-8")
    except BaseException:
        _remove()
        raise


def _install(what: str, on_top: bool, progress: _Progress) -> None:
    if on_top:
        (VENV / STAMP_NAME).write_text(UNFINISHED, encoding="utf-8")
    uv = shutil.which("uv")
    if uv:
        try:
            _install_with_uv(uv, what, on_top, progress)
        except EnvironmentMakingError as problem:
            progress.say(f"uv could not do it, so pip is tried. {str(problem).splitlines()[-1]}")
            on_top = False
        else:
            return
    _install_with_pip(what, on_top, progress)


def _install_with_uv(uv: str, what: str, on_top: bool, progress: _Progress) -> None:
    if not on_top:
        _begin()
        # Without --seed: that would fetch pip, and no hash of it is known.
        _run(
            [uv, "venv", "--allow-existing", "--python", sys.executable, str(VENV)],
            progress.show_empty,
        )
    _install_packages([uv, "pip", "install", "--python", str(_python())], what, progress)


def _install_with_pip(what: str, on_top: bool, progress: _Progress) -> None:
    if not on_top or not list(_site_packages("pip")):  # an environment that uv made holds no pip
        _begin()
        _run([sys.executable, "-m", "venv", str(VENV)], progress.show_empty)
    pip = [str(_python()), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    _install_packages([*pip, "--progress-bar", "off", "--no-compile"], what, progress)


def _install_packages(install: list[str], what: str, progress: _Progress) -> None:
    lock = LOCKS[what]
    total = len(re.findall(r"^\w.*==", lock.read_text(encoding="utf-8"), flags=re.MULTILINE))
    there = len(list(_site_packages("*.dist-info")))

    def look(output: str) -> None:
        of = total - len(re.findall(r"^Ignoring ", output, flags=re.MULTILINE))  # markers of other systems
        fetched = len(re.findall(r"^(?:Collecting|Requirement already satisfied:) ", output, flags=re.MULTILINE))
        installed = len(list(_site_packages("*.dist-info")))
        if installed > there:
            progress.show(f"{min(installed, of)} of {of} packages installed")
        else:
            progress.show(f"{fetched} of {of} packages fetched" if fetched else "looking for packages")

    _run([*install, *HASHED, "-r", str(lock)], look)
    # The build backend comes from the lock file too, so nothing is fetched past its hashes.
    _run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], look)


def _site_packages(pattern: str) -> Iterator[Path]:
    return VENV.glob(f"[Ll]ib/**/site-packages/{pattern}" if os.name == "nt" else f"lib/*/site-packages/{pattern}")


def _begin() -> None:
    """Make an empty .venv that is marked as ours and unfinished."""
    _remove()
    VENV.mkdir(exist_ok=True)
    (VENV / STAMP_NAME).write_text(UNFINISHED, encoding="utf-8")


def _remove() -> None:
    """Remove .venv, the stamp last: what a kill leaves of it is known as ours and unfinished."""
    if _stamp() is None:
        return
    (VENV / STAMP_NAME).write_text(UNFINISHED, encoding="utf-8")
    for each in VENV.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != STAMP_NAME:
            each.unlink()
    (VENV / STAMP_NAME).unlink()
    if not VENV.is_symlink():
        VENV.rmdir()


def _run(command: list[str], look: Callable[[str], None]) -> None:
    """Run *command* to its end and hand what it has printed to *look* now and then.

    It runs in a session of its own, so that Ctrl-C reaches this process only, which then ends the command and all that
    the command has started.
    """
    with tempfile.TemporaryDirectory() as directory:
        printed = Path(directory, "printed")
        with printed.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                close_fds=False,  # it inherits the lock: if this process is killed, the next one waits for it
            )
            try:
                while process.poll() is None:
                    look(printed.read_text(encoding="utf-8", errors="replace"))
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(LOOK_SECONDS)
            except BaseException:
                _end(process)
                raise
        output = printed.read_text(encoding="utf-8", errors="replace").strip()
    if process.returncode == 0:
        return
    hint = "Is the package index reachable?"
    if "ensurepip" in output:
        hint = "Debian and Ubuntu: apt install python3-venv"
    step = " ".join(Path(part).name for part in command[:4])
    raise EnvironmentMakingError(f"{step} ... failed. {hint}\n{output[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise _StoppedError: the first one, as cleaning up after it is short."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    usual = {number: signal.getsignal(number) for number in numbers}
    heard = [number for number in numbers if usual[number] is not signal.SIG_IGN]  # nohup ignores SIGHUP

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise _StoppedError(number)

    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, usual[number])


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other run of these scripts makes .venv; on Windows nobody waits."""
    if sys.platform == "win32":
        yield
        return
    path = ROOT / ".cache" / "environment.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another run that makes {VENV.name}/ ...", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Progress:
    """How far the making is: one line that changes in a terminal, a line now and then elsewhere. ASCII only."""

    def __init__(self, task: str, *, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._task, self._out, self._clock = task, out or sys.stderr, clock
        self._started = self._said_at = clock()
        self._said = ""

    def __enter__(self) -> _Progress:
        self.say(f"{self._task} (once) ...")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.say(f"Made in {self._clock() - self._started:.0f} s.")
        elif self._out.isatty():
            self.say("")

    def show(self, state: str) -> None:
        """Show the *state* and how long it took to come to it."""
        text = f"  {self._clock() - self._started:3.0f} s  {state}"
        if self._out.isatty():
            print(f"\r{text:<60}", end="", file=self._out, flush=True)
        elif state != self._said and self._clock() - self._said_at >= LINE_SECONDS:
            self._said, self._said_at = state, self._clock()
            print(text, file=self._out, flush=True)

    def show_empty(self, _: str) -> None:
        self.show("making an empty environment")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        end_of_line = "\r" if self._out.isatty() else ""
        print(f"{end_of_line}{text:<60}".rstrip(" "), file=self._out, flush=True)
