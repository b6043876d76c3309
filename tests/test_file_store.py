"""Tokens in files: who may read them, what is refused, and that one process at a time fetches."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pokitdok_ext import FileStore, StoreError
from pokitdok_ext import _file_store as file_store
from pokitdok_ext import _private_files as private_files
from pokitdok_ext._clock import Clock
from pokitdok_ext.testing.stores import KEY, PATIENCE, TokenStoreContract, stored_token

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes of files are those of POSIX")

TOKEN = stored_token("canary-token", refresh="canary-refresh")
FROZEN = Clock(sleep=lambda _: None, monotonic=iter(range(1_000_000)).__next__)
"""A clock by which every look at it takes a second."""

HOLD_AND_FORK = """
import os, sys
from pokitdok_ext import FileStore
with FileStore(sys.argv[1]).lock(sys.argv[2], 30):
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
if not pid:
    print("child runs", flush=True)
    sys.stdin.readline()
"""


class TestFileStore(TokenStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], FileStore]:
        return lambda: FileStore(tmp_path / "tokens")

    @pytest.fixture
    def write_raw(self, tmp_path: Path) -> Callable[[str, str], object]:
        return lambda key, text: (tmp_path / "tokens" / key).write_text(text)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "tokens")


@pytest.fixture
def file(store: FileStore) -> Path:
    """The file of a token that is stored."""
    store.save(KEY, TOKEN)
    return store.directory / KEY


def child(code: str, store: FileStore) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(store.directory), KEY]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def refused(store: FileStore) -> str:
    """The one text with which load, save and lock refuse the store."""
    texts = set[str]()
    for attempt in (
        lambda: store.load(KEY),
        lambda: store.save(KEY, TOKEN),
        lambda: store.delete(KEY, TOKEN),
        lambda: store.lock(KEY, 0).__enter__(),
    ):
        with pytest.raises(StoreError) as caught:
            attempt()
        texts.add(str(caught.value))
    (text,) = texts
    assert "canary" not in text
    return text


def test_nobody_else_can_read_whatever_the_umask(store: FileStore) -> None:
    before = os.umask(0)
    try:
        store.save(KEY, TOKEN)
        with store.lock(KEY, 0):
            pass
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.directory.iterdir()}
    assert modes == {KEY: 0o600, f"{KEY}.lock": 0o600}
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700


def test_missing_parents_are_made_for_the_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileStore(tmp_path / "a" / "b").save(KEY, TOKEN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_file_is_private_from_its_creation(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = list[int]()
    fsync = os.fsync

    def look(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    store.save(KEY, TOKEN)
    assert modes == [0o600, 0o700]


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o720, 0o702])
def test_directory_open_to_others_is_refused_with_the_line_that_closes_it(store: FileStore, mode: int) -> None:
    store.directory.mkdir()
    store.directory.chmod(mode)
    assert f"chmod 700 {store.directory}" in refused(store)


def test_directory_for_all_users_is_refused_without_advice_to_close_it(store: FileStore) -> None:
    store.directory.mkdir()
    store.directory.chmod(0o1777)
    text = refused(store)
    assert "for all users" in text
    assert "chmod" not in text


@pytest.mark.parametrize("mode", [0o1777, 0o777])
def test_directory_in_a_place_where_all_may_write_is_refused_and_not_made(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    store = FileStore(tmp_path / "tokens")
    assert "writable by every user" in refused(store)
    assert not store.directory.exists()


def test_directory_further_below_a_place_where_all_may_rename_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    tmp_path.chmod(0o777)
    assert f"{tmp_path} is writable by every user" in refused(FileStore(tmp_path / "mine" / "tokens"))


@pytest.mark.parametrize("directory", ["/tmp", "/tmp/pokitdok-tokens", "/tmp/../tmp"])  # noqa: S108 - refused
def test_tmp_is_refused(directory: str) -> None:
    if not Path("/tmp").stat().st_mode & stat.S_IWOTH:  # noqa: S108
        pytest.skip("on this machine /tmp is not for all users")
    refused(FileStore(directory))
    assert not Path("/tmp/pokitdok-tokens").exists()  # noqa: S108


def test_link_to_a_place_that_is_open_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert "chmod 700" in refused(FileStore(tmp_path / "link"))


def test_file_in_the_place_of_the_directory_is_refused(store: FileStore) -> None:
    store.directory.touch(mode=0o600)
    assert "is not a directory" in refused(store)


def test_directory_of_another_user_is_refused(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(KEY, TOKEN)
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    assert "belongs to another user" in refused(store)


def test_file_of_another_user_is_refused(store: FileStore, file: Path) -> None:
    try:
        os.chown(file, 54_321, -1)
    except PermissionError:
        pytest.skip("only root can give a file away; the next test plays it")
    with pytest.raises(StoreError, match=f"{KEY} belongs to another user; delete it: rm "):
        store.load(KEY)


def test_file_of_another_user_is_refused_without_root(
    store: FileStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_files, "private_directory", lambda directory: directory)
    monkeypatch.setattr(file_store, "private_directory", lambda directory: directory)
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    with pytest.raises(StoreError, match=f"{KEY} belongs to another user; delete it: rm "):
        store.load(KEY)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o610])
def test_file_open_to_others_is_refused_and_replaced_by_the_next_save(store: FileStore, file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(StoreError, match="is open to other users") as caught:
        store.load(KEY)
    assert f"rm {file}" in str(caught.value)
    store.save(KEY, TOKEN)
    assert store.load(KEY) is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_link_in_the_place_of_the_file_is_not_followed(store: FileStore, file: Path, tmp_path: Path) -> None:
    elsewhere = file.rename(tmp_path / "elsewhere")
    content = elsewhere.read_text()
    file.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="is a symbolic link"):
        store.load(KEY)
    store.save(KEY, stored_token("other"))
    assert not file.is_symlink()
    assert elsewhere.read_text() == content


def test_link_in_the_place_of_the_lock_is_not_followed(store: FileStore, file: Path, tmp_path: Path) -> None:
    file.with_name(f"{KEY}.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="lock is a symbolic link"), store.lock(KEY, 0):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_pipe_in_the_place_of_the_file_is_refused_without_waiting(store: FileStore, file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(StoreError, match="is not a regular file"):
        store.load(KEY)


@pytest.mark.parametrize("size", [0, 1, 40, -1])
def test_truncated_file_is_refused_without_showing_it(store: FileStore, file: Path, size: int) -> None:
    os.truncate(file, size if size >= 0 else file.stat().st_size - 1)
    with pytest.raises(StoreError, match=f"{KEY}: not a stored token: it is no JSON object; delete it: rm ") as caught:
        store.load(KEY)
    shown = "".join(repr(entry.frame.f_locals) for entry in caught.traceback if "pokitdok_ext" in str(entry.path))
    assert "canary" not in f"{shown} {caught.value.__context__!r}"


def test_file_of_a_megabyte_is_not_read_whole(store: FileStore, file: Path) -> None:
    file.write_text("x" * 1_000_000)
    with pytest.raises(StoreError, match="larger than 65536 bytes"):
        store.load(KEY)


def test_file_of_another_key_is_refused(store: FileStore, file: Path) -> None:
    file.rename(file.with_name("b2" * 32))
    with pytest.raises(StoreError, match="key missing or not as"):
        store.load("b2" * 32)


@pytest.mark.parametrize("key", ["", "../" + "a" * 61, "A1" * 32, "a1" * 31, "a1" * 32 + "\n"])
def test_key_that_is_no_digest_never_becomes_a_file_name(store: FileStore, key: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        store.load(key)


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_full_disk_leaves_the_old_token_and_no_rest(
    store: FileStore, file: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr("pokitdok_ext._stores.StoredToken.to_json", full)
    with pytest.raises(StoreError, match=f"{KEY} cannot be written: No space left on device") as caught:
        store.save(KEY, stored_token("canary-new"))
    monkeypatch.undo()
    shown = "".join(repr(entry.frame.f_locals) for entry in caught.traceback if "pokitdok_ext" in str(entry.path))
    assert "canary" not in f"{caught.value!r} {shown}"
    assert caught.value.__context__ is None
    kept = store.load(KEY)
    assert kept is not None
    assert kept.fingerprint == TOKEN.fingerprint
    assert [path.name for path in store.directory.iterdir()] == [KEY]


def test_directory_that_cannot_be_written_still_serves_what_it_has(
    store: FileStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the refusal of the kernel is played here."""
    opened = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    with store.lock(KEY, PATIENCE) as held:
        assert held is False
        assert store.load(KEY) is not None
    with pytest.raises(StoreError, match="cannot be written: Permission denied; make room"):
        store.save(KEY, TOKEN)


def test_directory_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "not a directory" in refused(FileStore(tmp_path / "file" / "tokens")).lower()


def test_file_system_that_cannot_lock_is_no_lock_and_no_wait(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", cannot)
    with store.lock(KEY, 1e9) as held:
        assert held is False


def test_wait_for_a_lock_goes_by_the_clock_that_was_given(store: FileStore) -> None:
    with store.lock(KEY, 0) as first, FileStore(store.directory, clock=FROZEN).lock(KEY, 30) as second:
        assert (first, second) == (True, False)


def test_lock_file_is_never_deleted(store: FileStore) -> None:
    for _ in range(2):
        with store.lock(KEY, 0):
            pass
        assert (store.directory / f"{KEY}.lock").exists()


def test_delete_puts_back_what_another_saved_meanwhile(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(KEY, TOKEN)
    newer = stored_token("newer")
    replace = Path.replace

    def overtaken(path: Path, target: Path) -> Path:
        monkeypatch.undo()
        store.save(KEY, newer)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", overtaken)
    store.delete(KEY, TOKEN)
    kept = store.load(KEY)
    assert kept is not None
    assert kept.fingerprint == newer.fingerprint
    assert [path.name for path in store.directory.iterdir()] == [KEY]


def test_rest_of_a_killed_write_is_swept_by_a_later_save(store: FileStore, file: Path) -> None:
    old, young = (file.with_name(f".{KEY}.{name}") for name in ("old", "young"))
    for path in (old, young):
        path.touch(mode=0o600)
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    store.save(KEY, TOKEN)
    assert not old.exists()
    assert young.exists()


def test_reader_sees_the_old_or_the_new_token_never_a_part(store: FileStore) -> None:
    tokens = [stored_token("a" * 20_000), stored_token("b" * 50_000)]
    store.save(KEY, tokens[0])
    ended = threading.Event()

    def write() -> None:
        for turn in range(60):
            store.save(KEY, tokens[turn % 2])
        ended.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    seen = set[str]()
    while not ended.is_set():
        loaded = store.load(KEY)
        assert loaded is not None
        seen.add(loaded.fingerprint)
    writer.join(PATIENCE)
    assert seen == {token.fingerprint for token in tokens}


def test_forked_child_neither_gives_back_nor_keeps_the_lock_of_its_parent(store: FileStore) -> None:
    with child(HOLD_AND_FORK, store) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "child runs\n"
        with store.lock(KEY, 0) as held:
            assert held is False, "the child gave back what is not its own"
        holder.send_signal(signal.SIGKILL)
        with store.lock(KEY, 2) as held:
            assert held is True, "the child keeps what is not its own"


def test_started_program_does_not_inherit_the_lock(store: FileStore) -> None:
    with store.lock(KEY, 0):
        (lock,) = private_files._open_locks
        assert not os.get_inheritable(lock._descriptor)
    assert not private_files._open_locks


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_RUNTIME_DIR": "/run/user/7", "XDG_CACHE_HOME": "/c"}, "/run/user/7/pokitdok"),
        ("linux", {"XDG_RUNTIME_DIR": "relative", "XDG_CACHE_HOME": "/c"}, "/c/pokitdok"),
        ("linux", {}, "/home/ada/.cache/pokitdok"),
        ("darwin", {"XDG_CACHE_HOME": "/c"}, "/home/ada/Library/Caches/pokitdok"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/pokitdok"),
        ("win32", {}, "/home/ada/AppData/Local/pokitdok"),
    ],
)
def test_default_directory_is_where_the_system_keeps_what_is_the_users_own(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/ada", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert str(FileStore().directory) == expected


def test_no_home_and_no_directory_says_what_to_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(StoreError, match=r"pass FileStore\(directory\)"):
        FileStore()


def test_home_is_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FileStore("~/tokens").directory == tmp_path / "tokens"
