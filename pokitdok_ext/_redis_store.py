"""A token store in Redis, for processes on many hosts. Needs the extra `redis`.

What every store can do is `_stores.py`. A lock here is a lease, renewed while it is held, so that it ends soon after
a holder that was killed.
"""

from __future__ import annotations

import inspect
import os
import secrets
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ._clock import SYSTEM_CLOCK, Clock
from ._errors import ConfigurationError
from ._stores import LARGEST, StoredToken, StoreError, checked_key, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

TIMEOUT = 2.0
"""Seconds a client made from a URL waits for Redis, so that an outage costs no more than that."""

REFRESHABLE = 30 * 86_400.0
"""Seconds that a token with a refresh token is kept; the refresh token outlives it, and nobody says by how much."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_RENEW = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('pexpire', KEYS[1], ARGV[2]) or 0"
_RELEASE = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0"
_DELETE = """
local text = redis.call('get', KEYS[1])
local read, stored = pcall(cjson.decode, text or '')
return read and type(stored) == 'table' and stored.token == ARGV[1] and redis.call('del', KEYS[1]) or 0
"""


class RedisStore:
    """Keeps tokens in Redis; one fetch serves all processes on all hosts.

    A token is the key `<prefix>:token:<key>`, which ends when the token does. A lock is the key
    `<prefix>:lock:<key>` with a lease, renewed every third of it for as long as the lock is held; a holder that is
    killed delays the others by one lease at most. A lease that is lost after all (Redis restarted, a machine that
    slept) costs one token request too many. An outage raises `StoreError`, with a client made here after 2 seconds,
    and callers go on with the token in memory.

    Redis holds bearer tokens in plain text: whoever reads it has the API until the token ends, an hour on the platform
    and a day at most. With a refresh token beside it, which is the case after a user's consent, it is for as long as
    that consent holds; such an entry stays for 30 days after it was last written. The client secret is never sent
    there. Give it a password or an ACL user and, beyond this machine, TLS.

    Args:
        client_or_url: `rediss://user:password@host:6379/0`, `unix:///path`, `redis://` for this machine (percent-
            encode what is special in a password), or a `redis.Redis` with time-outs and TLS of your own choice.
        prefix: What all names in Redis begin with. Clients that use the same prefix share tokens.
        lease: Seconds after which the lock of a killed holder ends. The others notice a moment later, after less than
            5 seconds in all.
        allow_plaintext: Take a `redis://` URL of another host, that is, let tokens cross a network unencrypted.
        clock: Time, waiting and chance, for tests.

    Attributes:
        client: The `redis.Redis` in use, for other things that are shared by the same processes.
        prefix: As given.

    Raises:
        ConfigurationError: The URL cannot be read, or would send tokens over a network in plain text.
        ModuleNotFoundError: The extra is not installed.
    """

    def __init__(
        self,
        client_or_url: redis.Redis | str,
        *,
        prefix: str = "pokitdok",
        lease: float = 4.0,
        allow_plaintext: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if lease <= 0:
            raise ConfigurationError("the lease of a RedisStore is a number of seconds above 0")
        redis = _redis()
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError, UnicodeError)
        if isinstance(client_or_url, str):
            self.client: Any = _client(redis, client_or_url, allow_plaintext=allow_plaintext)
        elif inspect.iscoroutinefunction(getattr(client_or_url, "execute_command", None)):
            raise ConfigurationError(
                "RedisStore takes a redis.Redis, not one of redis.asyncio; no event loop waits for it"
            )
        else:
            self.client = client_or_url
        self.prefix = prefix
        self._lease = lease
        self._clock = clock
        self._where = _where(self.client)

    def __repr__(self) -> str:
        return f"RedisStore({self._where!r}, prefix={self.prefix!r})"

    def load(self, key: str) -> StoredToken | None:
        """What is stored under *key*; None if nothing is.

        Raises:
            StoreError: Redis cannot be asked, or what it holds is no stored token.
        """
        name = self._name("token", key)
        found: StoredToken | str | None = self._ask(lambda: _read(key, self.client.getrange(name, 0, LARGEST)))
        if isinstance(found, str):
            raise StoreError(f"Redis at {self._where}, {name}: {found}; delete it: redis-cli del {name}")
        return found

    def save(self, key: str, token: StoredToken) -> None:
        """Store *token* under *key* until it ends; one that has ended is not stored.

        Raises:
            StoreError: Redis cannot be asked.
        """
        left = token.obtained + token.life - self._clock.wall()
        if token.refresh is not None:
            left = max(left, REFRESHABLE)
        if left >= 0.001:
            name = self._name("token", key)
            self._ask(lambda: self.client.set(name, token.to_json(key), px=int(left * 1000)))

    def delete(self, key: str, token: StoredToken) -> None:
        """Delete *token* if it is still what is stored under *key*.

        Raises:
            StoreError: Redis cannot be asked.
        """
        name = self._name("token", key)
        self._ask(lambda: self.client.eval(_DELETE, 1, name, token.value.reveal()))

    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        """Hold the lease for *key*, waiting at most *limit* seconds for another; False if it cannot be had.

        Raises:
            StoreError: Redis cannot be asked.
        """
        name, owner, process = self._name("lock", key), secrets.token_hex(16), os.getpid()
        if not within(limit, lambda: self._take(name, owner), self._clock):
            yield False
            return
        ended = threading.Event()
        renewal = threading.Thread(target=self._renew, args=(name, owner, ended), name="pokitdok-lease", daemon=True)
        try:
            with suppress(RuntimeError):  # no thread to be had: the lease as it is will mostly do
                renewal.start()
            yield True
        finally:
            ended.set()
            if os.getpid() == process:  # a forked child has no lock to give back
                with suppress(StoreError):  # the lease ends by itself
                    self._ask(lambda: self.client.eval(_RELEASE, 1, name, owner))

    def _take(self, name: str, owner: str) -> bool:
        """Whether the lease is now ours, even if the answer to an earlier try was lost."""
        milliseconds = int(self._lease * 1000)
        taken = self._ask(lambda: self.client.set(name, owner, nx=True, px=milliseconds) or self.client.get(name))
        return taken is True or _text(taken) == owner

    def _renew(self, name: str, owner: str, ended: threading.Event) -> None:
        """Renew the lease until it is *ended* or lost."""
        milliseconds = int(self._lease * 1000)
        while not ended.wait(self._lease / 3):
            with suppress(StoreError):  # perhaps the next one gets through in time
                if not self._ask(lambda: self.client.eval(_RENEW, 1, name, owner, milliseconds)):
                    return

    def _name(self, kind: str, key: str) -> str:
        return f"{self.prefix}:{kind}:{checked_key(key)}"

    def _ask(self, question: Callable[[], Any]) -> Any:
        """The answer of Redis; its errors are not passed on, as they may quote what was sent."""
        try:
            return question()
        except self._errors as exc:
            kind = type(exc).__name__
        raise StoreError(f"Redis at {self._where}: {kind}; check that it runs, and address, password and rights")


def _redis() -> Any:
    try:
        import redis  # noqa: PLC0415 - an extra, wanted here only
    except ModuleNotFoundError as exc:
        if exc.name != "redis":
            raise
        message = "RedisStore needs the package redis: pip install 'pokitdok-client[redis]'"
        raise ModuleNotFoundError(message, name="redis") from None
    return redis


def _client(redis: Any, url: str, *, allow_plaintext: bool) -> Any:
    """A client that gives up soon, and tries again at once where an idle connection turns out to be closed."""
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 1, (redis.ConnectionError,))
    limits = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "retry": retry}
    if url.startswith("rediss:"):
        limits["ssl_check_hostname"] = True
    try:
        client = redis.Redis.from_url(url, **limits)
    except ValueError:  # it may quote the password: nothing may be raised from here
        client = None
    if client is None:
        raise ConfigurationError(
            "the URL of the RedisStore cannot be read; write rediss://user:password@host:6379/0, with what is special "
            "in user and password percent-encoded"
        )
    options = client.connection_pool.connection_kwargs
    user, password = options.pop("username", None), options.pop("password", None)
    if password is not None:  # some versions of redis-py show it in repr(client)
        options["credential_provider"] = redis.UsernamePasswordCredentialProvider(user, password)
    plain = client.connection_pool.connection_class is redis.Connection
    if plain and options.get("host", "localhost") not in _LOOPBACK and not allow_plaintext:
        raise ConfigurationError(
            "a redis:// URL would send tokens over the network in plain text: use rediss://, or pass "
            "RedisStore(..., allow_plaintext=True) if the network itself is encrypted"
        )
    return client


def _where(client: Any) -> str:
    """The address of *client* without its credentials; a cluster or a sentinel has no single one."""
    options = getattr(getattr(client, "connection_pool", None), "connection_kwargs", {})
    if "path" in options:
        return str(options["path"])
    return f"{options['host']}:{options.get('port', 6379)}" if "host" in options else type(client).__name__


def _read(key: str, value: Any) -> StoredToken | str | None:
    """The stored token, what is wrong with it, or None if nothing is stored; this frame sees it in plain text."""
    if not value:
        return None
    try:
        return StoredToken.from_json(key, _text(value))
    except StoreError as exc:
        return str(exc)


def _text(value: Any) -> str:
    """What Redis answered, with a client that decodes or one that does not."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
