"""What the database keeps, and for how long."""

from __future__ import annotations

import sqlite3
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from pokitdok_sandbox.store import KEPT_IN_MEMORY, SWEEP, Store, StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_keeps_the_state_over_a_restart(tmp_path: Path) -> None:
    file = str(tmp_path / "state.sqlite")
    first = Store(file)
    first.add_activity({"id": "a", "n": 1})
    first.put_activity({"id": "a", "n": 2})
    first.put_token("digest", {"issued": 0, "expires": 10})
    first.put_document("price", "p", {"n": 3}, owner="app")
    first.close()

    second = Store(file)
    assert second.activity("a") == {"id": "a", "n": 2}
    assert second.token("digest") == {"issued": 0, "expires": 10}
    assert second.document("price", "p", owner="app") == {"n": 3}
    second.clear()
    assert second.document("price", "p", owner="app") is None
    assert second.activity("a") is None
    assert second.token("digest") is None
    second.close()


def test_pages_are_in_the_order_of_arrival_and_can_be_narrowed_to_a_parent() -> None:
    store = Store()
    for number in range(5):
        store.add_activity({"id": str(number), "parent_id": "p" if number % 2 else None})

    page, count = store.activities(limit=2, offset=1, parent_id=None)
    assert ([doc["id"] for doc in page], count) == (["1", "2"], 5)
    page, count = store.activities(limit=20, offset=0, parent_id="p")
    assert ([doc["id"] for doc in page], count) == (["1", "3"], 2)


def test_documents_are_kept_apart_by_kind_and_by_owner() -> None:
    store = Store()
    store.put_document("price", "1", {"n": 1}, owner="one")
    store.put_document("price", "1", {"n": 2}, owner="two")
    store.put_document("draft", "1", {"n": 3}, owner="one")

    assert store.document("price", "1", owner="one") == {"n": 1}
    assert store.document("price", "1") is None
    assert store.documents("price", owner="two") == [{"n": 2}]
    assert store.delete_document("price", "1", owner="one")
    assert not store.delete_document("price", "1", owner="one")
    assert store.documents("price", owner="two") == [{"n": 2}]
    assert store.documents("draft", owner="one") == [{"n": 3}]


def test_an_id_that_is_no_unicode_is_an_id_like_any_other() -> None:
    store = Store()
    store.put_document("price", "\ud800", {"text": "\ud800"}, owner="one")

    assert store.document("price", "\ud800", owner="one") == {"text": "\ud800"}
    assert store.delete_document("price", "\ud800", owner="one")


def test_a_document_that_is_put_again_is_replaced_and_keeps_its_place() -> None:
    store = Store()
    for number in range(3):
        store.put_document("price", str(number), {"n": number})
    store.put_document("price", "0", {"n": 10})

    assert store.documents("price") == [{"n": 10}, {"n": 1}, {"n": 2}]


def test_tokens_that_ended_are_dropped_when_the_next_is_issued() -> None:
    store = Store()
    store.put_token("old", {"issued": 0, "expires": 10})
    store.put_token("new", {"issued": 10, "expires": 20})

    assert store.token("old") is None
    assert store.token("new") is not None


def test_threads_share_one_store() -> None:
    store = Store()
    threads = [Thread(target=lambda n=n: [store.add_activity({"id": f"{n}-{m}"}) for m in range(50)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.activities(limit=1, offset=0, parent_id=None)[1] == 400


def test_a_file_that_is_no_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to look like one to nobody" * 50)

    with pytest.raises(StoreError, match=r"notes\.txt: .* Delete it or name another file"):
        Store(str(file))
    with pytest.raises(StoreError, match="Name a file in a folder that exists"):
        Store(str(tmp_path / "absent" / "state.sqlite"))


def test_a_file_from_before_activities_had_owners_opens_and_stays_visible_to_all(tmp_path: Path) -> None:
    file = str(tmp_path / "state.sqlite")
    old = sqlite3.connect(file)
    old.execute(
        "CREATE TABLE activity (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, parent_id TEXT, doc TEXT NOT NULL)"
    )
    old.execute("""INSERT INTO activity (id, doc) VALUES ('a', '{"id": "a"}')""")
    old.commit()
    old.close()

    for number in ("b", "c"):  # the second time there is nothing to bring up to date
        store = Store(file)
        store.add_activity({"id": number, "owner": "one"})
        store.close()
    store = Store(file)
    assert store.activity("a", seen_by="one") == store.activity("a", seen_by="other") == {"id": "a"}
    assert store.activity("b", seen_by="other") is None
    assert store.activities(limit=9, offset=0, parent_id=None, seen_by="other")[1] == 1
    assert store.activities(limit=9, offset=0, parent_id=None, seen_by="one")[1] == 3
    store.close()


def test_a_transaction_that_raises_keeps_nothing_of_itself(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "state.sqlite"))
    store.add_activity({"id": "before"})

    def fail() -> None:
        with store.transaction():
            store.add_activity({"id": "inside"})
            with store.transaction():
                store.put_activity({"id": "before", "changed": True})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert store.activity("inside") is None
    assert store.activity("before") == {"id": "before"}


def test_threads_wait_for_a_transaction_to_end() -> None:
    store = Store()
    store.add_activity({"id": "count", "n": 0})

    def count() -> None:
        for _ in range(100):
            with store.transaction():
                doc = store.activity("count")
                assert doc is not None
                store.put_activity(doc | {"n": doc["n"] + 1})

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.activity("count") == {"id": "count", "n": 400}


def test_memory_keeps_the_newest_activities_and_all_that_are_not_over() -> None:
    store = Store()
    for number in range(KEPT_IN_MEMORY + 2 * SWEEP):
        store.add_activity({"id": str(number), "ended": None if number < 3 else "completed"})

    page, count = store.activities(limit=4, offset=0, parent_id=None)
    assert count <= KEPT_IN_MEMORY + 3
    assert [doc["id"] for doc in page] == ["0", "1", "2", str(2 * SWEEP)]


def test_a_file_keeps_every_activity(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "state.sqlite"))
    with store.transaction():
        for number in range(KEPT_IN_MEMORY + 2 * SWEEP):
            store.add_activity({"id": str(number), "ended": "completed"})

    assert store.activities(limit=1, offset=0, parent_id=None)[1] == KEPT_IN_MEMORY + 2 * SWEEP
