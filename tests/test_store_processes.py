"""Several processes with one token store: one of them fetches, and one that is killed keeps nobody waiting for long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pokitdok_ext import FileStore, RedisStore, TokenStore
from pokitdok_ext.testing.stores import KEY

OPENING = """
import sys, time
from pokitdok_ext import FileStore, RedisStore, StoredToken
from pokitdok_ext._tokens import Secret
store = RedisStore(sys.argv[2], lease=1) if sys.argv[1] == "redis" else FileStore(sys.argv[2])
"""
FETCH_IF_ABSENT = f"""{OPENING}
print("ready", flush=True)
sys.stdin.readline()
with store.lock(sys.argv[3], 30) as held:
    assert held
    if store.load(sys.argv[3]) is None:
        time.sleep(0.05)
        store.save(sys.argv[3], StoredToken(Secret("t"), 3600, time.time(), ""))
        print("saved", flush=True)
"""
HOLD = f"""{OPENING}
with store.lock(sys.argv[3], 30) as held:
    print(held, flush=True)
    sys.stdin.readline()
"""

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.peer)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Kind of a store, and where it is."""
    if request.param == "file":
        return "file", str(tmp_path / "tokens")
    return "redis", request.getfixturevalue("redis_url")


@pytest.fixture
def start(place: tuple[str, str]) -> Start:
    """Starts a process that runs some code on the store."""

    def run(code: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *place, KEY]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    return run


@pytest.mark.slow
def test_of_eight_processes_one_fetches(start: Start) -> None:
    children = [start(FETCH_IF_ABSENT) for _ in range(8)]
    try:
        for process in children:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in children:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0] for process in children]
    finally:
        for process in children:
            process.kill()
    assert [process.returncode for process in children] == [0] * 8
    assert "".join(outputs) == "saved\n"


def test_killed_holder_delays_others_by_its_lease_at_most(start: Start, place: tuple[str, str]) -> None:
    """The lock on a file ends with its process; a lease of Redis ends when its second is over."""
    kind, where = place
    store: TokenStore = FileStore(where) if kind == "file" else RedisStore(where)
    with start(HOLD) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with store.lock(KEY, 0) as held:
            assert held is False
        holder.send_signal(signal.SIGKILL)
        begun = time.monotonic()
        with store.lock(KEY, 15) as held:
            assert held is True
            assert time.monotonic() - begun < 2
