"""What is stored, as text; and that a store somebody else writes passes the suite we give them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from pokitdok_ext import PokitDokError, StoredToken, StoreError
from pokitdok_ext._clock import Clock
from pokitdok_ext._stores import LARGEST, within
from pokitdok_ext._tokens import Secret
from pokitdok_ext.testing.stores import KEY, TokenStoreContract, stored_token

TOKEN = StoredToken(Secret("canary-token"), 3600.0, 1_700_000_000.5, "0f1e2d3c", Secret("canary-refresh"))
MEMBERS = json.loads(TOKEN.to_json(KEY))


class DictStore:
    """A store as a user would write one, for the threads of one process."""

    def __init__(self, texts: dict[str, str], locks: dict[str, threading.Lock]) -> None:
        self._texts = texts
        self._locks = locks

    def load(self, key: str) -> StoredToken | None:
        text = self._texts.get(key)
        return None if text is None else StoredToken.from_json(key, text)

    def save(self, key: str, token: StoredToken) -> None:
        self._texts[key] = token.to_json(key)

    def delete(self, key: str, token: StoredToken) -> None:
        stored = self.load(key)
        if stored is not None and stored.fingerprint == token.fingerprint:
            del self._texts[key]

    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        lock = self._locks.setdefault(key, threading.Lock())
        held = lock.acquire(timeout=limit)
        try:
            yield held
        finally:
            if held:
                lock.release()


class TestDictStore(TokenStoreContract):
    @pytest.fixture
    def texts(self) -> dict[str, str]:
        return {}

    @pytest.fixture
    def open_store(self, texts: dict[str, str]) -> Callable[[], DictStore]:
        locks: dict[str, threading.Lock] = {}
        return lambda: DictStore(texts, locks)

    @pytest.fixture
    def write_raw(self, texts: dict[str, str]) -> Callable[[str, str], None]:
        return texts.__setitem__


class NeverLocks(DictStore):
    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        yield True


class KeepsItsLock(DictStore):
    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        yield self._locks.setdefault(key, threading.Lock()).acquire(timeout=limit)


class LocksAllKeysAtOnce(DictStore):
    def lock(self, key: str, limit: float) -> AbstractContextManager[bool]:
        return super().lock("", limit)


class DeletesAnything(DictStore):
    def delete(self, key: str, token: StoredToken) -> None:
        self._texts.pop(key, None)


class DeletesNothing(DictStore):
    def delete(self, key: str, token: StoredToken) -> None:
        pass


class ForgetsRefreshTokens(DictStore):
    def save(self, key: str, token: StoredToken) -> None:
        super().save(key, replace(token, refresh=None))


class KeepsTheFirst(DictStore):
    def save(self, key: str, token: StoredToken) -> None:
        self._texts.setdefault(key, token.to_json(key))


class ShowsItsContent(DictStore):
    def __repr__(self) -> str:
        return repr(self._texts)


@pytest.mark.parametrize(
    ("store", "test"),
    [
        (NeverLocks, "test_lock_excludes_another_handle"),
        (NeverLocks, "test_lock_excludes_another_thread_with_the_same_handle"),
        (NeverLocks, "test_no_patience_is_no_wait"),
        (KeepsItsLock, "test_lock_excludes_another_handle"),
        (KeepsItsLock, "test_lock_ends_with_an_exception"),
        (LocksAllKeysAtOnce, "test_locks_of_two_keys_are_two"),
        (DeletesAnything, "test_newer_token_of_another_is_not_deleted"),
        (DeletesNothing, "test_token_is_deleted"),
        (ForgetsRefreshTokens, "test_refresh_token_comes_back"),
        (KeepsTheFirst, "test_later_token_replaces_the_earlier"),
        (ShowsItsContent, "test_secrets_are_not_shown"),
    ],
)
def test_suite_finds_the_fault_of_a_store(store: type[DictStore], test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pokitdok_ext.testing.stores.PATIENCE", 0.2)
    texts: dict[str, str] = {}
    locks: dict[str, threading.Lock] = {}
    with pytest.raises(pytest.fail.Exception) as caught:
        getattr(TokenStoreContract(), test)(lambda: store(texts, locks))
    assert "canary" not in str(caught.value)


def test_token_comes_back_from_its_text() -> None:
    again = StoredToken.from_json(KEY, TOKEN.to_json(KEY))
    assert again.to_json(KEY) == TOKEN.to_json(KEY)
    assert again.fingerprint == TOKEN.fingerprint


def test_text_has_the_members_of_its_version() -> None:
    assert MEMBERS == {
        "v": 1,
        "key": KEY,
        "token": "canary-token",
        "type": "Bearer",
        "obtained": 1_700_000_000.5,
        "life": 3600.0,
        "secret_check": "0f1e2d3c",
        "refresh": "canary-refresh",
    }


def test_text_of_a_token_without_refresh_token_has_no_such_member() -> None:
    assert "refresh" not in json.loads(replace(TOKEN, refresh=None).to_json(KEY))


def test_member_of_a_later_version_is_ignored() -> None:
    assert StoredToken.from_json(KEY, json.dumps(MEMBERS | {"region": "x"})).life == 3600.0


def test_secrets_do_not_show() -> None:
    assert "canary" not in f"{TOKEN!r} {TOKEN} {vars(TOKEN)}"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("v", 2),
        ("v", True),
        ("v", "1"),
        ("key", "b2" * 32),
        ("token", ""),
        ("token", 7),
        ("token", "canary with spaces"),
        ("token", "canary\r\nx: y"),
        ("token", "canäry"),
        ("type", "bearer"),
        ("obtained", "1700000000"),
        ("obtained", False),
        ("obtained", float("nan")),
        ("life", float("inf")),
        ("life", 10**400),
        ("life", None),
        ("secret_check", "canary01"),
        ("secret_check", None),
        ("refresh", ""),
        ("refresh", "canary\n"),
        ("refresh", None),
    ],
)
def test_text_with_a_wrong_member_is_refused_by_its_name(member: str, value: object) -> None:
    with pytest.raises(StoreError, match=f": {member} missing or") as caught:
        StoredToken.from_json(KEY, json.dumps(MEMBERS | {member: value}))
    shown = f"{caught.value!r} {caught.value.__context__!r}"
    assert "canary" not in shown.replace(TOKEN.secret_check, "")
    assert isinstance(caught.value, PokitDokError)


@pytest.mark.parametrize("member", [name for name in MEMBERS if name != "refresh"])
def test_text_without_a_member_is_refused_by_its_name(member: str) -> None:
    with pytest.raises(StoreError, match=f": {member} missing"):
        StoredToken.from_json(KEY, json.dumps({name: value for name, value in MEMBERS.items() if name != member}))


@pytest.mark.parametrize("text", ["", "canary", "[]", "null", '{"token": "canary', "[" * 60_000, "\ud800"])
def test_text_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="no JSON object") as caught:
        StoredToken.from_json(KEY, text)
    assert caught.value.__context__ is None


def test_text_that_is_too_large_is_refused() -> None:
    with pytest.raises(StoreError, match=f"larger than {LARGEST} bytes"):
        StoredToken.from_json(KEY, json.dumps(MEMBERS | {"token": "x" * LARGEST}))


def test_frames_of_the_error_hold_no_token() -> None:
    with pytest.raises(StoreError) as caught:
        StoredToken.from_json(KEY, json.dumps(MEMBERS | {"v": 2}))
    inner = caught.traceback[-1].frame.f_locals
    assert "found" in inner
    assert "canary" not in repr(inner)


@pytest.mark.parametrize("span", [float("inf"), float("nan")])
def test_token_without_end_is_not_stored(span: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        stored_token(life=span)


def test_wait_ends_at_its_limit_and_pauses_grow_with_chance() -> None:
    now, pauses = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    clock = Clock(monotonic=lambda: now[0], sleep=sleep, chance=lambda: 1.0)
    assert not within(1.0, lambda: False, clock)
    assert now[0] == pytest.approx(101.0)
    assert pauses[:3] == pytest.approx([0.01, 0.015, 0.0225])
    assert max(pauses) == pytest.approx(0.1)
    halves = list[float]()
    clock = Clock(monotonic=lambda: 0.0, sleep=halves.append, chance=lambda: 0.0)
    assert within(1.0, lambda: len(halves) == 2, clock)
    assert halves == pytest.approx([0.005, 0.0075])
