"""The output of a batch: a JSON line for each row, appended, and on the disk before the row counts as done.

A killed run leaves whole lines and at most one half line at the end, which the next run cuts off.
"""

import json
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pokitdok_ext._errors import ConfigurationError

from ._members import Row

if sys.platform != "win32":
    import fcntl


class Journal:
    """An output file that is open for appending, by this process alone.

    Attributes:
        done: Numbers of the rows that are in it.

    Raises:
        ConfigurationError: It is not the output of these rows, or another run writes to it.
    """

    def __init__(self, file: Path, rows: Iterable[Row]) -> None:
        self._file = file
        self._turn = threading.Lock()
        try:
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None
        try:
            self._lock()
            self.done = self._read({row.number: row.check for row in rows})
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def append(self, records: list[dict[str, Any]]) -> None:
        """Write records, and wait until they are on the disk. Threads take turns.

        Raises:
            OSError: They are not; what is there of them is cut off by the next run.
        """
        rest = memoryview("".join(f"{json.dumps(record)}\n" for record in records).encode())
        with self._turn:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
            self.done.update(record["row"] for record in records)

    def _lock(self) -> None:
        """Ends with the process, even a killed one. Windows has no such lock on a file that is written."""
        if sys.platform != "win32":
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(f"another run is writing to {self._file}") from None

    def _read(self, checks: dict[int, str]) -> set[int]:
        with open(self._descriptor, "rb", closefd=False) as stream:
            content = stream.read()
        whole = content.rfind(b"\n") + 1
        done: set[int] = set()
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            row, check = _row_of(line)
            if row is None:
                raise ConfigurationError(f"{self._file}, line {number}: not a record of a batch; choose another output")
            if checks.get(row) != check:
                raise ConfigurationError(
                    f"{self._file}, line {number}: row {row} is not what was asked then; the input or the options have "
                    "changed: choose another output"
                )
            if row in done:
                raise ConfigurationError(f"{self._file}, line {number}: row {row} is there twice")
            done.add(row)
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
            os.fsync(self._descriptor)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        return done


def _row_of(line: bytes) -> tuple[int | None, object]:
    try:
        record = json.loads(line)
    except ValueError:
        return None, None
    row = record.get("row") if isinstance(record, dict) else None
    return (row, record.get("check")) if isinstance(row, int) else (None, None)
