"""Fixtures for every test; nothing here asserts."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
REDIS_START_SECONDS = 20
OLD_LOCK = ROOT / "tests" / "sandbox" / "old-client.lock"
OLD_CLIENT = ROOT / ".cache" / "old-client"


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


@pytest.fixture
def _shared_is_required() -> None:
    pytest.fail("POKITDOK_REQUIRE_PEERS=1 but ../shared is missing", pytrace=False)


@pytest.fixture(autouse=True)
def _no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never read the credentials of the person who runs them."""
    for name in ("POKITDOK_CLIENT_ID", "POKITDOK_CLIENT_SECRET", "POKITDOK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def old_python() -> str:
    """The Python of an environment that holds the old official client and nothing of ours; made once, by the lock."""
    python = OLD_CLIENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    OLD_CLIENT.parent.mkdir(exist_ok=True)
    with FileLock(f"{OLD_CLIENT}.lock"):  # tests run in several processes
        _make_old_client(python)
    return str(python)


def _make_old_client(python: Path) -> None:
    stamp = OLD_CLIENT / "made-from"
    made_from = f"{hashlib.sha256(OLD_LOCK.read_bytes()).hexdigest()} {sys.version}"
    if stamp.is_file() and stamp.read_text() == made_from:
        return
    shutil.rmtree(OLD_CLIENT, ignore_errors=True)
    make = [sys.executable, "-m", "venv", str(OLD_CLIENT)]
    install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(OLD_LOCK)]
    try:
        for line in (make, install):
            subprocess.run(line, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        here = OLD_CLIENT.relative_to(ROOT)
        reason = (
            f"the environment of the old client could not be made ({type(error).__name__})."
            " Where a package index is in reach, this makes it: "
            f"python -m venv {here} && {here}/bin/pip install --require-hashes -r {OLD_LOCK.relative_to(ROOT)}"
        )
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    stamp.write_text(made_from)


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
