"""What every token store must do, as tests to run on yours.

Needs pytest and the extra ``testing``. Inherit the suite under a name that pytest collects, and say how a store is
opened; each call gives another handle on the same content, as another process would have it:

    from pokitdok_ext.testing.stores import TokenStoreContract

    class TestVaultStore(TokenStoreContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: VaultStore(tmp_path / "vault")

        @pytest.fixture
        def write_raw(self, tmp_path):  # optional: puts a text where the token of a key is kept
            return lambda key, text: vault_of(tmp_path).put(key, text)

The suite holds and waits for real locks, for about a second in all. Its failures quote no tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from pokitdok_ext._clock import SYSTEM_CLOCK
from pokitdok_ext._stores import StoredToken, StoreError, TokenStore
from pokitdok_ext._tokens import Secret

KEY, OTHER_KEY = "a1" * 32, "b2" * 32
"""Two keys as stores are given them: 64 hex digits."""

PATIENCE = 10.0
"""Seconds after which a call that should have returned hangs."""

SHORT = 0.2
"""Seconds to wait for a lock that will not come."""

OpenStore = Callable[[], TokenStore]
WriteRaw = Callable[[str, str], None]


def stored_token(text: str = "an-invented-token", *, life: float = 3600.0, refresh: str | None = None) -> StoredToken:
    """A token asked for this moment."""
    obtained = SYSTEM_CLOCK.wall()
    return StoredToken(Secret(text), life, obtained, "0f1e2d3c", None if refresh is None else Secret(refresh))


class TokenStoreContract:
    """One test a promise of `TokenStore`; override the fixtures `open_store` and, if it can be done, `write_raw`."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """A function that gives another handle on the same, at first empty, content."""
        pytest.fail(f"{type(self).__name__} needs a fixture open_store; see {__name__}", pytrace=False)

    @pytest.fixture
    def write_raw(self) -> WriteRaw:
        """A function that writes any text where the token of a key is kept."""
        pytest.skip("no fixture write_raw, so nothing can be corrupted")

    def test_nothing_is_stored_at_first(self, open_store: OpenStore) -> None:
        _demand(open_store().load(KEY) is None, "load of a key that was never saved gives None")

    def test_token_comes_back_through_another_handle(self, open_store: OpenStore) -> None:
        saved = stored_token()
        open_store().save(KEY, saved)
        _demand(_same(open_store().load(KEY), saved), "every attribute of a token comes back as it was saved")

    def test_refresh_token_comes_back(self, open_store: OpenStore) -> None:
        saved = stored_token(refresh="an-invented-refresh-token")
        open_store().save(KEY, saved)
        _demand(_same(open_store().load(KEY), saved), "a refresh token comes back as it was saved")

    def test_keys_do_not_see_each_other(self, open_store: OpenStore) -> None:
        store, one, other = open_store(), stored_token("one"), stored_token("other")
        store.save(KEY, one)
        _demand(store.load(OTHER_KEY) is None, "a token is found under its own key only")
        store.save(OTHER_KEY, other)
        store.delete(OTHER_KEY, other)
        _demand(_same(store.load(KEY), one), "what happens to one key leaves the other alone")

    def test_later_token_replaces_the_earlier(self, open_store: OpenStore) -> None:
        store, later = open_store(), stored_token("later")
        store.save(KEY, stored_token("earlier"))
        store.save(KEY, later)
        _demand(_same(open_store().load(KEY), later), "the token saved last is the one that is loaded")

    def test_token_is_deleted(self, open_store: OpenStore) -> None:
        store, token = open_store(), stored_token()
        store.save(KEY, token)
        open_store().delete(KEY, token)
        _demand(store.load(KEY) is None, "a deleted token is gone")
        store.delete(KEY, token)

    def test_newer_token_of_another_is_not_deleted(self, open_store: OpenStore) -> None:
        store, older, newer = open_store(), stored_token("older"), stored_token("newer")
        store.save(KEY, older)
        open_store().save(KEY, newer)
        store.delete(KEY, older)
        _demand(_same(store.load(KEY), newer), "delete compares: it never deletes another token than the one named")

    def test_store_is_used_while_the_lock_is_held(self, open_store: OpenStore) -> None:
        store, first, second = open_store(), stored_token("first"), stored_token("second")

        def renew() -> bool:
            with store.lock(KEY, PATIENCE) as held:
                store.save(KEY, first)
                store.delete(KEY, first)
                store.save(KEY, second)
                return held and _same(store.load(KEY), second)

        _demand(_in_time(renew), "the holder of a lock can load, save and delete")

    def test_lock_excludes_another_handle(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        with one.lock(KEY, SHORT) as held:
            _demand(held, "a free lock is had")
            _demand(not _in_time(lambda: _had(other, SHORT)), "a lock that another holds is not had: False, in time")
        _demand(_in_time(lambda: _had(other, PATIENCE)), "a lock that was given back is had")

    def test_lock_excludes_another_thread_with_the_same_handle(self, open_store: OpenStore) -> None:
        store = open_store()
        with store.lock(KEY, SHORT):
            _demand(not _in_time(lambda: _had(store, SHORT)), "a lock excludes the threads of its own process too")

    def test_lock_that_waits_gets_its_turn(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        waiting, had = threading.Event(), list[bool]()

        def wait() -> None:
            waiting.set()
            had.append(_had(other, PATIENCE))

        thread = threading.Thread(target=wait, daemon=True)
        with one.lock(KEY, SHORT):
            thread.start()
            waiting.wait(PATIENCE)
            _demand(had == [], "who waits for a lock does not go on while it is held")
        thread.join(2 * PATIENCE)
        _demand(had == [True], "who waits for a lock has it soon after it was given back")

    def test_no_patience_is_no_wait(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        with one.lock(KEY, 0.0) as held:
            _demand(held, "a free lock is had without any wait")
            _demand(not _in_time(lambda: _had(other, 0.0)), "a lock that another holds is not waited for at limit 0")

    def test_locks_of_two_keys_are_two(self, open_store: OpenStore) -> None:
        store = open_store()
        with store.lock(KEY, SHORT):
            _demand(_in_time(lambda: _had(store, SHORT, OTHER_KEY)), "the lock of one key does not hold up another")

    def test_lock_ends_with_an_exception(self, open_store: OpenStore) -> None:
        store = open_store()
        with suppress(ZeroDivisionError), store.lock(KEY, SHORT):
            raise ZeroDivisionError
        _demand(_in_time(lambda: _had(open_store(), SHORT)), "a block that raises gives its lock back")

    def test_exception_of_the_block_is_passed_on(self, open_store: OpenStore) -> None:
        with pytest.raises(ZeroDivisionError), open_store().lock(KEY, SHORT):
            raise ZeroDivisionError

    def test_many_threads_save_once(self, open_store: OpenStore) -> None:
        together, saves = threading.Barrier(8), list[int]()

        def fetch_if_absent() -> None:
            store = open_store()
            together.wait(PATIENCE)
            with store.lock(KEY, PATIENCE):
                if store.load(KEY) is None:
                    saves.append(threading.get_ident())
                    store.save(KEY, stored_token())

        threads = [threading.Thread(target=fetch_if_absent, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE)
        _demand(len(saves) == 1, f"of 8 threads that lock, load and save, one saves; here {len(saves)}")

    def test_secrets_are_not_shown(self, open_store: OpenStore) -> None:
        store, token = open_store(), stored_token("canary-token", refresh="canary-refresh")
        store.save(KEY, token)
        _demand("canary" not in f"{store!r} {store} {store.load(KEY)!r}", "repr and str of a store show no token")

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param('{"v": 1, "token": "canary', id="truncated"),
            pytest.param('{"v": 1, "token": "canary"}', id="members missing"),
            pytest.param('{"v": 99, "token": "canary"}', id="version of the future"),
            pytest.param('["canary"]', id="no object"),
            pytest.param("canary" * 200_000, id="a megabyte"),
        ],
    )
    def test_corrupted_entry_is_nothing_or_an_error_and_is_healed(
        self, open_store: OpenStore, write_raw: WriteRaw, text: str
    ) -> None:
        store = open_store()
        store.save(KEY, stored_token())
        write_raw(KEY, text)
        found, message = None, ""
        try:
            found = store.load(KEY)
        except StoreError as error:
            message = f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
        _demand(found is None, "what is no stored token is None or a StoreError")
        _demand("canary" not in message, "the error does not show what was stored")
        fresh = stored_token("fresh")
        store.save(KEY, fresh)
        _demand(_same(store.load(KEY), fresh), "the next save replaces what was corrupted")


def _demand(met: bool, promise: str) -> None:
    """Fail with the *promise* that is not kept, and without values; unlike `assert`, with `python -O` too."""
    __tracebackhide__ = True
    if not met:
        pytest.fail(promise, pytrace=False)


def _same(found: StoredToken | None, saved: StoredToken) -> bool:
    return found is not None and _plain(found) == _plain(saved)


def _plain(token: StoredToken) -> tuple[object, ...]:
    refresh = None if token.refresh is None else token.refresh.reveal()
    return token.value.reveal(), token.life, token.obtained, token.secret_check, refresh


def _had(store: TokenStore, limit: float, key: str = KEY) -> bool:
    with store.lock(key, limit) as held:
        return held


def _in_time(call: Callable[[], bool]) -> bool:
    """What *call* returns on a thread of its own; a failure if it hangs or raises."""
    answers = list[bool]()
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(2 * PATIENCE)
    if not answers:
        pytest.fail(f"no answer within {2 * PATIENCE:.0f} s", pytrace=False)
    return answers[0]
