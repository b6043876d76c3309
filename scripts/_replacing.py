"""Puts a new file or folder in place of the old one: an interruption leaves the old or the new, never parts of both.

On Linux two folders change places in one step. Elsewhere there is a moment between two renames; what was killed in it
is finished by the next `mend`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_HERE = -100  # AT_FDCWD of <fcntl.h>
_EXCHANGE = 2  # RENAME_EXCHANGE of <linux/fs.h>


def replace_text(path: Path, text: str) -> None:
    """Write *text* to the file *path*, whole or not at all."""
    partial = _beside(path, "partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to write to, which takes the place of *folder* when the block ends without an error."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / folder.name
        fresh.mkdir()
        yield fresh
        replace_folder(fresh, folder)


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put a copy of *fresh* in place of *folder*, whatever stood in it."""
    mend(folder)
    partial = _beside(folder, "partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(fresh, partial)
    if not exchange(partial, folder):
        partial.rename(_beside(folder, "new"))  # whole from here on
    mend(folder)


def mend(folder: Path) -> None:
    """Finish what an interrupted `replace_folder` began, if its new folder was whole, and clear away what it left."""
    partial, new, old = (_beside(folder, state) for state in ("partial", "new", "old"))
    if new.exists():
        # What an overlay file system has in a lower layer can only be removed.
        with contextlib.suppress(OSError):
            folder.rename(old)
        _remove(folder)
        new.rename(folder)
    _remove(partial)
    _remove(old)


def exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False if this system cannot, or one of them is missing."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _beside(path: Path, state: str) -> Path:
    return path.with_name(f".{path.name}.{state}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
