"""A token store of the practice's own: the SQLite file that holds its other secrets, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pokitdok_ext import StoredToken, StoreError


class Vault:
    """Keeps tokens in a table. Two processes that renew at once agree by a lock file a key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run("CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, fingerprint TEXT, content TEXT)")

    def load(self, key: str) -> StoredToken | None:
        rows = self._run("SELECT content FROM secret WHERE name = ?", key)
        return StoredToken.from_json(key, rows[0][0]) if rows else None

    def save(self, key: str, token: StoredToken) -> None:
        self._run("REPLACE INTO secret VALUES (?, ?, ?)", key, token.fingerprint, token.to_json(key))

    def delete(self, key: str, token: StoredToken) -> None:
        self._run("DELETE FROM secret WHERE name = ? AND fingerprint = ?", key, token.fingerprint)

    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        lock = sqlite3.connect(self.path.with_suffix(f".{key[:16]}"), timeout=limit, isolation_level=None)
        with closing(lock):
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                yield False
            else:
                yield True

    def _run(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        try:
            with closing(sqlite3.connect(self.path)) as vault, vault:
                return vault.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {type(error).__name__}; is it a vault, and writable?") from None
