"""Fixtures for every test; nothing here asserts."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
REDIS_START_SECONDS = 20
OLD_LOCK = ROOT / "tests" / "sandbox" / "old-client.lock"
CACHE = ROOT / ".cache"

collect_ignore = ["sample_project"]  # it has an environment of its own; test_sample_project.py runs it there


def pytest_configure() -> None:
    """Let SIGTERM end tests as Ctrl-C does, and let programs that tests start hear Ctrl-C."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # fixtures end what they started
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background; children would inherit it
        signal.signal(signal.SIGINT, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs ../shared where it is absent; where peers are required its absence is an error."""
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared") is None:
            continue
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            item.add_marker(pytest.mark.usefixtures("_shared_is_required"))
        else:
            item.add_marker(pytest.mark.skip(reason="../shared (the material on the platform) is not part of a clone"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests want said at the end: `record_property("summary", text)`."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(str(value))


@pytest.fixture
def _shared_is_required() -> None:
    pytest.fail("POKITDOK_REQUIRE_PEERS=1 but ../shared is missing", pytrace=False)


@pytest.fixture(autouse=True)
def _no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never read the credentials of the person who runs them."""
    for name in ("POKITDOK_CLIENT_ID", "POKITDOK_CLIENT_SECRET", "POKITDOK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def make_environment() -> Callable[..., str]:
    """Makes `.cache/NAME` of exactly the pins in a text, and a wheel, once, and gives its Python."""

    def make(name: str, pins: str, wheel: Path | None = None) -> str:
        directory = CACHE / name
        CACHE.mkdir(exist_ok=True)
        with FileLock(f"{directory}.lock"):  # tests run in several processes
            return str(_environment(directory, pins, wheel))

    return make


def _environment(directory: Path, pins: str, wheel: Path | None) -> Path:
    lock, stamp, wheel_stamp = directory / "made-from.lock", directory / "made-by", directory / "made-with"
    python = directory / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "--quiet"]
    if not stamp.is_file() or stamp.read_text() != sys.version or lock.read_text(encoding="utf-8") != pins:
        shutil.rmtree(directory, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, capture_output=True, timeout=600)
            lock.write_text(pins, encoding="utf-8")
            command = [*install, "--require-hashes", "-r", str(lock)]
            subprocess.run(command, check=True, capture_output=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            here = directory.relative_to(ROOT)
            reason = (
                f"the environment {here} could not be made ({type(error).__name__}); where a package index is in reach"
                f" it is. To see what is wrong: {here}/bin/pip install --require-hashes -r {here}/{lock.name}"
            )
            if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
        stamp.write_text(sys.version)
    content = "" if wheel is None else hashlib.sha256(wheel.read_bytes()).hexdigest()
    if wheel is not None and not (wheel_stamp.is_file() and wheel_stamp.read_text() == content):
        command = [*install, "--no-deps", "--no-index", "--force-reinstall", str(wheel)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        wheel_stamp.write_text(content)
    return python


@pytest.fixture(scope="session")
def old_python(make_environment: Callable[..., str]) -> str:
    """The Python of an environment that holds the old official client and nothing of ours."""
    return make_environment("old-client", OLD_LOCK.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server of our own, which nobody else can reach."""
    if shutil.which("redis-server") is None:
        message = "Redis is not installed: apt-get install redis-server"
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    directory = tmp_path_factory.mktemp("redis")
    path = directory / "s"  # paths of sockets are short
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--dir", str(directory), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + REDIS_START_SECONDS
            while not _answers(path):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("redis-server did not start", pytrace=False)
                time.sleep(0.02)
            yield f"unix://{path}"
        finally:
            process.terminate()


def _answers(path: Path) -> bool:
    with redis.Redis(unix_socket_path=str(path)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of that server, emptied."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
