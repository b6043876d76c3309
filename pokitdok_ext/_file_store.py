"""A token store in files, for the processes of one user on one machine.

What every store can do is `_stores.py`. Kernel locks end with their process, so nothing is left to be cleaned up.
"""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ._clock import SYSTEM_CLOCK, Clock
from ._private_files import KernelLock, open_private, private_directory
from ._stores import LARGEST, StoredToken, StoreError, checked_key, within

if TYPE_CHECKING:
    from collections.abc import Iterator

LEFTOVER = 60.0
"""Seconds after which a temporary file is one that a killed process left behind."""


class FileStore:
    """Keeps tokens in files that only their owner can read; one fetch serves all processes of a user.

    Each key has a file, written whole or not at all and with mode 0600 from its creation on, and beside it a lock
    file that stays. The lock is the kernel's (`flock`; `msvcrt.locking` on Windows): it ends with its process, even
    a killed one. A file or directory that others could have written or can read, a symbolic link and a file of
    another user are refused; `/tmp` and other directories that everybody may write in are refused too. On Windows
    the rights are those that the directory hands down.

    The files hold bearer tokens in plain text: whoever reads one has the API until the token ends, an hour on the
    platform and a day at most. With a refresh token beside it, which is the case after a user's consent, it is for as
    long as that consent holds. The client secret is never written.

    Args:
        directory: Made with mode 0700 if missing. Without it `pokitdok` in `$XDG_RUNTIME_DIR`, else in
            `$XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches/pokitdok` on macOS, `pokitdok` in
            `%LOCALAPPDATA%` on Windows.
        clock: Time, waiting and chance, for tests.

    Raises:
        StoreError: There is no directory given and no home directory either.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        try:
            self.directory = default_directory() if directory is None else Path(directory).expanduser()
        except RuntimeError:
            raise StoreError("no home directory to keep tokens in: pass FileStore(directory)") from None
        self._clock = clock

    def __repr__(self) -> str:
        return f"FileStore({str(self.directory)!r})"

    def load(self, key: str) -> StoredToken | None:
        """What is stored under *key*; None if nothing is.

        Raises:
            StoreError: The file or its directory is not safe, cannot be read, or is no stored token.
        """
        path = self._path(key)
        try:
            return _read(path, key)
        except OSError as exc:
            raise StoreError(f"{path} cannot be read: {exc.strerror}; make it readable or delete it") from None

    def save(self, key: str, token: StoredToken) -> None:
        """Store *token* under *key*.

        Raises:
            StoreError: The directory is not safe, or the file cannot be written.
        """
        path = self._path(key)
        failure = _write(path, key, token)
        if failure is not None:
            raise StoreError(f"{path} cannot be written: {failure}; make room and rights, or pass FileStore(directory)")

    def delete(self, key: str, token: StoredToken) -> None:
        """Delete *token* if it is still what is stored under *key*.

        Raises:
            StoreError: As for `load`, or the file cannot be deleted.
        """
        path = self._path(key)
        try:
            if _is(path, key, token):
                taken = _temporary(path)
                path.replace(taken)  # what another process saves from here on is not touched
                try:
                    if not _is(taken, key, token):
                        os.link(taken, path)  # it was saved after we had looked; fails if there is a newer one yet
                finally:
                    taken.unlink()
        except (FileNotFoundError, FileExistsError):
            pass
        except OSError as exc:
            raise StoreError(f"{path} cannot be deleted: {exc.strerror}; delete it: rm {path}") from None

    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        """Hold the kernel's lock for *key*, waiting at most *limit* seconds; False if it cannot be had.

        Raises:
            StoreError: The lock file or its directory is not safe.
        """
        path = self._path(key)
        with ExitStack() as stack:
            try:
                file = stack.enter_context(KernelLock(path.with_name(f"{key}.lock")))
                held = within(limit, file.take, self._clock)
            except OSError:  # a file system that cannot lock, or a directory that cannot be written
                held = False
            yield held

    def _path(self, key: str) -> Path:
        """The file of *key*, in a directory that is there and safe."""
        try:
            return private_directory(self.directory) / checked_key(key)
        except OSError as exc:
            message = f"{self.directory} cannot be used: {exc.strerror}; pass FileStore(directory)"
            raise StoreError(message) from None


def default_directory() -> Path:
    """Where tokens are kept if nobody says where."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "pokitdok"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pokitdok"
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        value = os.environ.get(name, "")
        if Path(value).is_absolute():  # as the XDG specification has it
            return Path(value) / "pokitdok"
    return Path.home() / ".cache" / "pokitdok"


def _read(path: Path, key: str) -> StoredToken | None:
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        try:
            return StoredToken.from_json(key, file.read(LARGEST + 1).decode(errors="replace"))
        except StoreError as exc:
            raise StoreError(f"{path}: {exc}; delete it: rm {path}") from None


def _is(path: Path, key: str, token: StoredToken) -> bool:
    stored = _read(path, key)
    return stored is not None and stored.fingerprint == token.fingerprint


def _write(path: Path, key: str, token: StoredToken) -> str | None:
    """Write the file whole or not at all; returns what went wrong, since this frame sees the token."""
    temporary = _temporary(path)
    try:
        try:
            descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                _sweep(path, os.fstat(descriptor).st_mtime)
                file.write(token.to_json(key).encode())
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _sweep(path: Path, now: float) -> None:
    """Delete what a killed process left of a write for the same key; *now* is by the clock of the file system."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):
            if now - leftover.stat().st_mtime > LEFTOVER:
                leftover.unlink()


def _sync(directory: Path) -> None:
    """Make the new name of a file last over a power cut; Windows knows no such thing."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
