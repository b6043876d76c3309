"""Tokens in Redis: one fetch for many processes, leases, and what an outage costs. The server is a real one."""

from __future__ import annotations

import builtins
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from pokitdok_ext import ConfigurationError, RedisStore, StoreError
from pokitdok_ext import _redis_store as redis_store
from pokitdok_ext._clock import Clock
from pokitdok_ext.testing.stores import KEY, PATIENCE, TokenStoreContract, stored_token

TOKEN_NAME, LOCK_NAME = f"pokitdok:token:{KEY}", f"pokitdok:lock:{KEY}"
START_SECONDS = 20


@pytest.fixture
def url(redis_url: str) -> str:
    """Short for the server's, as nearly all tests here name it."""
    return redis_url


@pytest.fixture
def raw(url: str) -> Iterator[Any]:
    """A client to look behind the store; typed loosely, as redis-py's answers are."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield client


@pytest.fixture
def store(url: str) -> Iterator[RedisStore]:
    store = RedisStore(url)
    yield store
    store.client.close()


class Handles:
    """Opens stores and closes their connections in the end."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options
        self._opened = list[redis.Redis]()

    def __call__(self) -> RedisStore:
        self._opened.append(redis.Redis.from_url(self._url, **self._options))
        return RedisStore(self._opened[-1])

    def close(self) -> None:
        for client in self._opened:
            client.close()


@pytest.mark.peer
class TestRedisStore(TokenStoreContract):
    @pytest.fixture(params=[False, True], ids=["bytes", "decoding client"])
    def open_store(self, url: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], RedisStore]]:
        handles = Handles(url, decode_responses=request.param)
        yield handles
        handles.close()

    @pytest.fixture
    def write_raw(self, raw: Any) -> Callable[[str, str], object]:
        return lambda key, text: raw.set(f"pokitdok:token:{key}", text)


@pytest.mark.peer
def test_token_ends_in_redis_when_it_ends_at_the_api(store: RedisStore, raw: Any) -> None:
    store.save(KEY, replace(stored_token(), obtained=time.time() - 100, life=3600))
    assert 3490 < raw.ttl(TOKEN_NAME) <= 3500


@pytest.mark.peer
def test_token_that_has_ended_is_not_stored(store: RedisStore, raw: Any) -> None:
    store.save(KEY, replace(stored_token(), obtained=time.time() - 4000, life=3600))
    assert raw.keys() == []


@pytest.mark.peer
def test_refresh_token_outlives_its_access_token(store: RedisStore, raw: Any) -> None:
    store.save(KEY, replace(stored_token(refresh="r"), obtained=time.time() - 4000, life=3600))
    assert raw.ttl(TOKEN_NAME) > 29 * 86_400


@pytest.mark.peer
def test_prefixes_keep_clients_apart(store: RedisStore, raw: Any) -> None:
    other = RedisStore(store.client, prefix="staging")
    other.save(KEY, stored_token())
    assert store.load(KEY) is None
    assert raw.keys() == [f"staging:token:{KEY}"]


@pytest.mark.peer
@pytest.mark.parametrize("text", [b"\xff\xfecanary", b'{"token": "\xff"}'])
def test_bytes_that_are_no_text_are_an_error_without_them(url: str, raw: Any, text: bytes) -> None:
    raw.set(TOKEN_NAME, text)
    for decode in (False, True):
        handles = Handles(url, decode_responses=decode)
        with pytest.raises(StoreError) as caught:
            handles().load(KEY)
        handles.close()
        shown = "".join(repr(entry.frame.f_locals) for entry in caught.traceback if "pokitdok_ext" in str(entry.path))
        assert "canary" not in f"{caught.value} {caught.value.__context__!r} {shown}"


@pytest.mark.peer
def test_unreadable_token_is_named_by_its_key(store: RedisStore, raw: Any) -> None:
    raw.set(TOKEN_NAME, '{"token": "canary"}')
    with pytest.raises(StoreError, match=f"v, key, type.* missing .*; delete it: redis-cli del {TOKEN_NAME}"):
        store.load(KEY)


@pytest.mark.peer
def test_another_kind_of_value_is_a_store_error(store: RedisStore, raw: Any) -> None:
    raw.lpush(TOKEN_NAME, "canary")
    with pytest.raises(StoreError, match="ResponseError"):
        store.load(KEY)


@pytest.mark.peer
def test_lease_is_renewed_while_it_is_held_and_given_back(url: str, raw: Any) -> None:
    """The test lengthens the lease; each renewal makes it as long as it should be."""
    store = RedisStore(url, lease=0.3)
    with store.lock(KEY, 0) as held:
        assert held is True
        for _ in range(2):
            assert raw.pexpire(LOCK_NAME, 60_000)
            end = time.monotonic() + PATIENCE
            while raw.pttl(LOCK_NAME) > 300:
                assert time.monotonic() < end, "no renewal"
                time.sleep(0.01)
    assert raw.keys() == []
    store.client.close()


@pytest.mark.peer
def test_renewal_ends_with_the_lock(url: str) -> None:
    store = RedisStore(url, lease=0.03)
    with store.lock(KEY, 0):
        (renewal,) = (thread for thread in threading.enumerate() if thread.name == "pokitdok-lease")
    renewal.join(PATIENCE)
    assert not renewal.is_alive()
    store.client.close()


@pytest.mark.peer
def test_lease_that_was_lost_is_neither_renewed_nor_given_back(url: str, raw: Any) -> None:
    store = RedisStore(url, lease=0.03)
    with store.lock(KEY, 0):
        (renewal,) = (thread for thread in threading.enumerate() if thread.name == "pokitdok-lease")
        raw.set(LOCK_NAME, "another", px=60_000)
        renewal.join(PATIENCE)
        assert not renewal.is_alive()
    assert raw.get(LOCK_NAME) == "another"
    assert raw.pttl(LOCK_NAME) > 50_000
    store.client.close()


@pytest.mark.peer
def test_lock_whose_confirmation_was_lost_is_ours(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-py sends a command again after a broken connection: the first may have been executed."""
    sent = store.client.set

    def twice(*args: Any, **options: Any) -> Any:
        sent(*args, **options)
        return sent(*args, **options)

    monkeypatch.setattr(store.client, "set", twice)
    with store.lock(KEY, 0) as held:
        assert held is True


@pytest.mark.peer
def test_wait_for_a_lease_goes_by_the_clock_that_was_given(store: RedisStore) -> None:
    frozen = Clock(sleep=lambda _: None, monotonic=iter(range(1_000_000)).__next__)
    with store.lock(KEY, 0) as first, RedisStore(store.client, clock=frozen).lock(KEY, 30) as second:
        assert (first, second) == (True, False)


@pytest.mark.peer
def test_no_thread_to_be_had_is_a_lock_without_renewal(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", exhausted)
    with store.lock(KEY, 0) as held:
        assert held is True


@pytest.mark.peer
def test_server_that_went_away_is_a_store_error_at_once_and_the_block_goes_on(
    tmp_path: Path, redis_server: str
) -> None:
    """The connection of the store is cut inside the block, as when Redis restarts."""
    link = tmp_path / "r"
    link.symlink_to(redis_server.removeprefix("unix://"))
    store = RedisStore(f"unix://{link}")
    with store.lock(KEY, 0) as held:
        assert held is True
        link.unlink()
        store.client.connection_pool.disconnect()
        for call in (
            lambda: store.load(KEY),
            lambda: store.save(KEY, stored_token("canary")),
            lambda: store.delete(KEY, stored_token("canary")),
            lambda: store.lock(KEY, 60).__enter__(),
        ):
            with pytest.raises(StoreError, match=f"^Redis at {link}: ConnectionError; check that it runs") as caught:
                call()
            assert caught.value.__context__ is None
    store.client.close()


@pytest.mark.peer
def test_connection_that_broke_while_idle_is_opened_again(store: RedisStore, raw: Any) -> None:
    store.save(KEY, stored_token())
    raw.client_kill_filter(_type="normal", skipme=True)
    assert store.load(KEY) is not None


def test_server_that_does_not_answer_costs_one_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        silent.settimeout(0)
        with pytest.raises(StoreError, match="TimeoutError"):
            store.load(KEY)
        connections = [silent.accept()[0]]
        with pytest.raises(BlockingIOError):  # it was asked once
            silent.accept()
        for connection in connections:
            connection.close()
    assert redis_store.TIMEOUT == 0.2
    store.client.close()


def test_time_outs_of_a_client_made_from_a_url_are_two_seconds() -> None:
    options = RedisStore("redis://localhost").client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (2.0, 2.0)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://127.0.0.1:7000/1",
        "redis://[::1]:7000",
        "redis:///0",
        "unix:///run/redis.sock",
        "rediss://redis.example.com",
    ],
)
def test_url_that_keeps_tokens_off_the_open_network_is_taken(url: str) -> None:
    assert RedisStore(url).client is not None


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.example.com",
        "redis://localhost.example.com",
        "redis://127.0.0.1.example.com",
        "redis://10.0.0.7:6379",
        "redis:///0?host=redis.example.com",
        "redis://localhost@redis.example.com",
    ],
)
def test_plain_text_to_another_host_needs_a_switch(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"use rediss://, or pass RedisStore\(\.\.\., allow_plaintext=True\)"):
        RedisStore(url)
    assert RedisStore(url, allow_plaintext=True).client is not None


def test_tls_checks_certificate_and_host_name() -> None:
    pool = RedisStore("rediss://redis.example.com").client.connection_pool
    connection = pool.make_connection()
    assert (connection.cert_reqs.name, connection.check_hostname) == ("CERT_REQUIRED", True)


@pytest.mark.parametrize("url", ["redis://u:sword/fish@localhost", "redis://:fish@localhost:port", "http://fish", ""])
def test_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="rediss://user:password@host:6379/0") as caught:
        RedisStore(url)
    assert "fish" not in str(caught.value)
    assert caught.value.__context__ is None


def test_password_is_not_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = RedisStore(f"redis://ada:canary@127.0.0.1:{port}/3")
    with pytest.raises(StoreError, match=f"Redis at 127.0.0.1:{port}: ConnectionError") as caught:
        store.load(KEY)
    assert repr(store) == f"RedisStore('127.0.0.1:{port}', prefix='pokitdok')"
    assert "canary" not in f"{caught.value!r} {store} {vars(store)}"


@pytest.mark.peer
def test_user_and_password_of_the_url_are_those_of_the_connection(redis_server: str, raw: Any) -> None:
    raw.acl_setuser("ada", enabled=True, passwords=["+pass/word"], keys=["*"], commands=["+@all"])
    address = redis_server.removeprefix("unix://")
    store = RedisStore(f"unix://ada:pass%2Fword@{address}")
    store.save(KEY, stored_token())
    assert store.client.acl_whoami() in {b"ada", "ada"}
    with pytest.raises(StoreError, match="AuthenticationError; check that it runs, and address, password and rights"):
        RedisStore(f"unix://ada:wrong@{address}").load(KEY)
    raw.acl_deluser("ada")
    store.client.close()


def test_client_of_asyncio_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"not one of redis\.asyncio"):
        RedisStore(redis.asyncio.Redis())  # type: ignore[arg-type]


@pytest.mark.parametrize("lease", [0, -1.0])
def test_lease_without_length_is_refused(lease: float) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        RedisStore("redis://localhost", lease=lease)


def test_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_redis(name: str, *args: Any, **options: Any) -> Any:
        if name == "redis":
            raise ModuleNotFoundError("No module named 'redis'", name="redis")
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_redis)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pokitdok-client\[redis\]'"):
        RedisStore("redis://localhost")
