"""Keeps activities, tokens and the documents of every area in SQLite, as JSON. No rule of the platform lives here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = """
CREATE TABLE IF NOT EXISTS activity (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL DEFAULT '', parent_id TEXT, doc TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS activity_parent ON activity (parent_id);
CREATE TABLE IF NOT EXISTS token (id TEXT PRIMARY KEY, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS document (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, id TEXT NOT NULL, doc TEXT NOT NULL,
    UNIQUE (kind, owner, id)
);
"""

KEPT_IN_MEMORY = 5_000
"""Without a file, of the activities that are over only about so many of the newest are kept: memory stays flat."""
SWEEP = 500
"""After so many new activities the old ones are dropped."""

Document = dict[str, Any]


class StoreError(Exception):
    """The database file cannot be used; the text names the file and the reason."""


class Store:
    """Documents by id, in the order in which they were added. Safe to share between threads.

    With a file, what was written outside a transaction, or inside one that ended, is on disk: it outlives a kill -9 of
    the process and a power cut of the machine.

    Raises:
        StoreError: ``path`` is not a database that this sandbox can open.
    """

    def __init__(self, path: str | None = None) -> None:
        self._lock = RLock()
        self._path = path
        try:
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}. Name a file in a folder that exists and can be written.") from None
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(SCHEMA)
            self._give_owners()
        except sqlite3.Error as error:
            self._db.close()
            raise StoreError(f"{path}: {error}. Delete it or name another file.") from None

    def _give_owners(self) -> None:
        """Bring a file of before activities had owners up to date: what is in it stays visible to all applications."""
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(activity)")}
        if "owner" not in columns:
            self._db.execute("ALTER TABLE activity ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
        self._db.execute("CREATE INDEX IF NOT EXISTS activity_owner ON activity (owner)")

    def close(self) -> None:
        """Release the database; calling it again does nothing."""
        with self._lock:
            self._db.close()

    def __del__(self) -> None:
        # an app made for a test is dropped without a word; Python 3.13 warns of a connection nobody closed
        if hasattr(self, "_db"):
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written inside or, when the block raises, nothing of it. Other threads wait meanwhile."""
        with self._lock:
            if self._db.in_transaction:  # part of the one around it
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            self._db.execute("DELETE FROM activity")
            self._db.execute("DELETE FROM token")
            self._db.execute("DELETE FROM document")

    def add_activity(self, doc: Document) -> None:
        """Append an activity; ``doc["id"]`` must be new. It is of the application ``doc["owner"]``, or everybody's."""
        with self._lock:
            row = self._db.execute(
                "INSERT INTO activity (id, owner, parent_id, doc) VALUES (?, ?, ?, ?)",
                (doc["id"], _unicode(doc.get("owner", "")), doc.get("parent_id"), json.dumps(doc)),
            ).lastrowid
            if self._path is None and row is not None and row > KEPT_IN_MEMORY and row % SWEEP == 0:
                over = "json_extract(doc, '$.ended') IS NOT NULL"
                self._db.execute(f"DELETE FROM activity WHERE seq <= ? AND {over}", (row - KEPT_IN_MEMORY,))  # noqa: S608 - a constant

    def put_activity(self, doc: Document) -> None:
        """Replace the activity that has the id of ``doc``."""
        with self._lock:
            self._db.execute("UPDATE activity SET doc = ? WHERE id = ?", (json.dumps(doc), doc["id"]))

    def activity(self, activity_id: str, *, seen_by: str | None = None) -> Document | None:
        """Return one activity, or None, also when ``seen_by`` names an application that it is hidden from."""
        where, values = _seen_by(seen_by)
        return self._one(f"SELECT doc FROM activity WHERE id = ?{where}", activity_id, *values)  # noqa: S608 - a constant

    def activities(
        self,
        *,
        limit: int,
        offset: int,
        parent_id: str | None,
        newest_first: bool = False,
        seen_by: str | None = None,
    ) -> tuple[list[Document], int]:
        """Return one page, oldest first unless told otherwise, and how many there are in all.

        With ``seen_by``, only those of this application and those that belong to none.
        """
        seen, values = _seen_by(seen_by)
        where = f"WHERE true{seen}"
        if parent_id is not None:
            where += " AND parent_id = ?"
            values.append(_unicode(parent_id))
        order = "DESC" if newest_first else "ASC"
        with self._lock:
            rows = self._db.execute(
                f"SELECT doc FROM activity {where} ORDER BY seq {order} LIMIT ? OFFSET ?",  # noqa: S608 - constants both
                [*values, limit, offset],
            ).fetchall()
            count: int = self._db.execute(f"SELECT count(*) FROM activity {where}", values).fetchone()[0]  # noqa: S608
        return [json.loads(row[0]) for row in rows], count

    def put_token(self, digest: str, doc: Document) -> None:
        """Remember a token by the digest of its text and drop those that ended before this one was issued."""
        with self._lock:
            self._db.execute("DELETE FROM token WHERE json_extract(doc, '$.expires') <= ?", (doc["issued"],))
            self._db.execute("INSERT INTO token (id, doc) VALUES (?, ?)", (digest, json.dumps(doc)))

    def token(self, digest: str) -> Document | None:
        """Return what is known about a token, or None."""
        return self._one("SELECT doc FROM token WHERE id = ?", digest)

    def tokens(self, now: float, *, limit: int) -> tuple[list[Document], int]:
        """Return the newest tokens and codes that have not ended, newest first, and how many there are in all."""
        where = "json_extract(doc, '$.expires') > ?"
        with self._lock:
            rows = self._db.execute(
                f"SELECT doc FROM token WHERE {where} ORDER BY rowid DESC LIMIT ?",  # noqa: S608 - a constant
                (now, limit),
            ).fetchall()
            count: int = self._db.execute(f"SELECT count(*) FROM token WHERE {where}", (now,)).fetchone()[0]  # noqa: S608
        return [json.loads(row[0]) for row in rows], count

    def use_token(self, digest: str) -> bool:
        """Mark a token as used; tell whether this was the first use."""
        with self._lock:
            first = self._db.execute(
                "UPDATE token SET doc = json_set(doc, '$.used', json('true')) "
                "WHERE id = ? AND json_extract(doc, '$.used') IS NULL",
                (digest,),
            )
        return first.rowcount > 0

    def delete_token(self, digest: str) -> None:
        """Forget one token."""
        with self._lock:
            self._db.execute("DELETE FROM token WHERE id = ?", (digest,))

    def delete_family(self, family: str) -> None:
        """Forget all tokens that rest on the same consent."""
        with self._lock:
            self._db.execute("DELETE FROM token WHERE json_extract(doc, '$.family') = ?", (family,))

    def delete_tokens(self) -> int:
        """Forget all tokens; return how many there were."""
        with self._lock:
            return self._db.execute("DELETE FROM token").rowcount

    def put_document(self, kind: str, doc_id: str, doc: Document, *, owner: str = "") -> None:
        """Keep a document of an area; one of the same kind, owner and id is replaced and stays where it is in order.

        Args:
            kind: What it is, in the words of its area, such as "identity".
            doc_id: Its id among those of its kind and owner.
            doc: What to keep.
            owner: client_id of the application that it belongs to; empty for what all applications share.
        """
        with self._lock:
            self._db.execute(
                "INSERT INTO document (kind, owner, id, doc) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, owner, id) DO UPDATE SET doc = excluded.doc",
                (_unicode(kind), _unicode(owner), _unicode(doc_id), json.dumps(doc)),
            )

    def document(self, kind: str, doc_id: str, *, owner: str = "") -> Document | None:
        """Return one document, or None."""
        return self._one("SELECT doc FROM document WHERE kind = ? AND owner = ? AND id = ?", kind, owner, doc_id)

    def documents(self, kind: str, *, owner: str = "") -> list[Document]:
        """Return all documents of a kind and owner, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT doc FROM document WHERE kind = ? AND owner = ? ORDER BY seq", (_unicode(kind), _unicode(owner))
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def delete_document(self, kind: str, doc_id: str, *, owner: str = "") -> bool:
        """Forget one document; tell whether there was one."""
        with self._lock:
            done = self._db.execute(
                "DELETE FROM document WHERE kind = ? AND owner = ? AND id = ?",
                (_unicode(kind), _unicode(owner), _unicode(doc_id)),
            )
        return done.rowcount > 0

    def _one(self, statement: str, *keys: str) -> Document | None:
        with self._lock, closing(self._db.execute(statement, [*map(_unicode, keys)])) as rows:
            row = rows.fetchone()
        if row is None:
            return None
        doc: Document = json.loads(row[0])
        return doc


def _seen_by(client_id: str | None) -> tuple[str, list[str]]:
    """Return the condition, and its values, for what an application sees; None sees all."""
    return ("", []) if client_id is None else (" AND owner IN (?, '')", [_unicode(client_id)])


def _unicode(key: str) -> str:
    """Return a key with question marks for lone surrogates, which JSON can hold and SQLite cannot."""
    return key.encode("utf-8", "replace").decode()
