"""Directories and files that no other user can read or write, and kernel locks on them.

What is kept in them is `_file_store.py`.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ._stores import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_ELSEWHERE = "pass a directory of your own for tokens alone, such as FileStore('~/.cache/pokitdok')"


def private_directory(directory: Path) -> Path:
    """*directory* without symbolic links, made with mode 0700 if missing.

    Raises:
        StoreError: Other users can read it, write it or put another one in its place.
        OSError: It cannot be made or looked at.
    """
    real = directory.resolve()
    if sys.platform != "win32":
        _refuse_open_ancestors(real)
    for missing in [path for path in (real, *real.parents) if not path.exists()][::-1]:
        with suppress(FileExistsError):
            missing.mkdir(mode=0o700)
    info = real.stat()
    if not stat.S_ISDIR(info.st_mode):
        raise StoreError(f"{real} is not a directory: {_ELSEWHERE}")
    if sys.platform != "win32" and info.st_mode & stat.S_ISVTX and info.st_mode & stat.S_IWOTH:
        raise StoreError(f"{real} is for all users: {_ELSEWHERE}")
    if sys.platform != "win32" and info.st_uid != os.geteuid():
        raise StoreError(f"{real} belongs to another user: {_ELSEWHERE}")
    if sys.platform != "win32" and info.st_mode & 0o077:
        raise StoreError(f"{real} is open to other users: chmod 700 {real}, or {_ELSEWHERE}")
    return real


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the regular file at *path*; made with mode 0600 if *flags* say so.

    Programs that are started do not inherit it (PEP 446).

    Raises:
        StoreError: It is a symbolic link or no regular file, or other users can read or write it.
        OSError: It cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | _FLAGS, 0o600)
    except OSError as exc:
        if exc.errno in {errno.ELOOP, errno.EMLINK}:
            raise StoreError(f"{path} is a symbolic link, which is not followed; delete it: rm {path}") from None
        raise
    info = os.fstat(descriptor)
    fault = None
    if not stat.S_ISREG(info.st_mode):
        fault = "is not a regular file"
    elif sys.platform != "win32" and info.st_uid != os.geteuid():
        fault = "belongs to another user"
    elif sys.platform != "win32" and info.st_mode & 0o077:
        fault = "is open to other users, who may have read or changed it"
    if fault:
        os.close(descriptor)
        raise StoreError(f"{path} {fault}; delete it: rm {path}")
    return descriptor


class KernelLock:
    """A lock on a file that is never deleted; it excludes processes and threads and ends with its process.

    A child made by `os.fork` gets a copy of the descriptor, which would keep the lock if the parent were killed: the
    child closes it first thing.

    Raises:
        StoreError: As `open_private`.
        OSError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        with _opening:
            self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
            _open_locks.add(self)

    def take(self) -> bool:
        """Whether the lock is now held; False if another holds it.

        Raises:
            OSError: This file system cannot lock.
        """
        if sys.platform == "win32":
            try:
                msvcrt.locking(self._descriptor, msvcrt.LK_NBLCK, 1)
            except PermissionError:
                return False
        else:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def close(self) -> None:
        """Give the lock back, if it is held and of this process."""
        with _opening:
            if self not in _open_locks:
                return
            _open_locks.remove(self)
            with suppress(OSError):  # not left to close(): a program about to be started may still have a copy
                if sys.platform == "win32":
                    msvcrt.locking(self._descriptor, msvcrt.LK_UNLCK, 1)
                else:
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)

    def abandon(self) -> None:
        """Forget the lock of the parent process without giving it back."""
        os.close(self._descriptor)

    def __enter__(self) -> KernelLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


_opening = threading.Lock()
_open_locks: set[KernelLock] = set()


def _before_fork() -> None:
    _opening.acquire()


def _after_fork_in_parent() -> None:
    _opening.release()


def _after_fork_in_child() -> None:
    global _opening  # noqa: PLW0603 - servers that fork in C do not call what should come before
    _opening = threading.Lock()
    while _open_locks:
        _open_locks.pop().abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _refuse_open_ancestors(real: Path) -> None:
    """Refuse a place where somebody else could have made the directory, or could rename it."""
    there = [ancestor for ancestor in real.parents if ancestor.exists()]
    for ancestor in there:
        mode = ancestor.stat().st_mode
        if mode & stat.S_IWOTH and (ancestor == there[0] or not mode & stat.S_ISVTX):
            raise StoreError(f"{ancestor} is writable by every user, so {real} is not safe: {_ELSEWHERE}")
