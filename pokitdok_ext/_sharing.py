"""One token for several processes or hosts: a source that looks into a store before it asks the real one."""

import hashlib
import json
import logging
import math
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ._clock import SYSTEM_CLOCK, Clock
from ._sources import FETCH_LIMIT, TokenRequest, TokenSource
from ._stores import StoredToken, StoreError, TokenStore
from ._token_answers import LONGEST_LIFE
from ._tokens import Secret, TokenGrant

LOCK_LIMIT = 15.0
"""Seconds to wait for another process's fetch; then this one fetches too: one call too many beats an outage."""

LOOK_AGAIN = 0.25
"""Seconds of that after which a process that waits looks whether the token has come."""

_logger = logging.getLogger("pokitdok.tokens")


class SharedSource(TokenSource):
    """Takes a token from *store* if another process put a good one there; else fetches one and puts it there.

    The store's lock is held over re-read, fetch and write, so that one process fetches while the others wait for its
    result. A store that fails is left out: the token is then kept in memory only.

    Args:
        source: Gives the tokens.
        store: Keeps them.
        account: Whose tokens they are, where *source* cannot tell: a user, or a name for a provider.
    """

    patience = LOCK_LIMIT + FETCH_LIMIT

    def __init__(self, source: TokenSource, store: TokenStore, account: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        self._source = source
        self._store = store
        self._account = account
        self._clock = clock
        self._key = hashlib.sha256(json.dumps([*source.identity, account]).encode()).hexdigest()
        self._broken = False
        self.renewable = source.renewable
        self.needs_loop = source.needs_loop

    @property
    def share_key(self) -> Hashable | None:
        """That of the source, and the store."""
        inner = self._source.share_key
        return None if inner is None else (inner, id(self._store), self._account)

    @property
    def secret_rotates(self) -> bool:
        """As the source."""
        return self._source.secret_rotates

    def secret_changed(self) -> bool:
        """As the source."""
        return self._source.secret_changed()

    def hint(self) -> str:
        """As the source."""
        return self._source.hint()

    def fetch(self, request: TokenRequest) -> TokenGrant:
        """The token in the store if it is better than what the caller has; else a new one."""
        visit = _Visit(self._store, self._key, request, self._source.secret_check(self._key), self._clock)
        try:
            grant = visit.good_grant()
            until = self._clock.monotonic() + LOCK_LIMIT
            while grant is None:
                began = self._clock.monotonic()
                patience = min(LOOK_AGAIN, until - began)
                with visit.locked(patience) as held:
                    grant = visit.good_grant()
                    now = self._clock.monotonic()
                    waits = not held and now < until and now - began >= patience
                    if grant is None and not waits:
                        grant = self._fetch_and_save(visit, request)
            return grant
        finally:
            self._report(visit.error, request)

    def _fetch_and_save(self, visit: "_Visit", request: TokenRequest) -> TokenGrant:
        obtained = self._clock.wall()
        grant = self._source.fetch(replace(request, refresh=visit.refresh or request.refresh))
        visit.save(grant, obtained)
        return grant

    def revoke(self, token: Secret | None, refresh: Secret | None) -> None:
        """Take it out of the store, then as the source."""
        visit = _Visit(self._store, self._key, TokenRequest(0.0), "", self._clock)
        found = visit.load()
        if found is not None and (token is None or found.fingerprint == token.fingerprint):
            visit.delete(found)
            refresh = refresh or found.refresh
        self._report(visit.error, TokenRequest(0.0))
        self._source.revoke(token, refresh)

    def _report(self, error: Exception | None, request: TokenRequest) -> None:
        """Warn once for each time that the store goes out of order."""
        if error is not None:
            text = str(error) if isinstance(error, StoreError) else type(error).__name__
            if not self._broken:
                _logger.warning("the token store failed, tokens are kept in memory only: %s", text)
            request.on_store_error(text)
        self._broken = error is not None


class _Visit:
    """One use of the store. After its first failure the store is not tried again within it."""

    def __init__(self, store: TokenStore, key: str, request: TokenRequest, secret_check: str, clock: Clock) -> None:
        self.error: Exception | None = None
        self.refresh: Secret | None = None
        self._store, self._key = store, key
        self._request = request
        self._secret_check = secret_check
        self._clock = clock

    @contextmanager
    def _trying(self) -> Iterator[None]:
        try:
            yield
        except (StoreError, OSError) as error:
            self.error = error

    def load(self) -> StoredToken | None:
        """What is there."""
        if self.error is None:
            with self._trying():
                return self._store.load(self._key)
        return None

    def delete(self, token: StoredToken) -> None:
        """Take *token* out, if it is still there."""
        if self.error is None:
            with self._trying():
                self._store.delete(self._key, token)

    def good_grant(self) -> TokenGrant | None:
        """What is there, if it is better than what the caller has. A token that is refused or over is taken out."""
        found = self.load()
        if found is None or found.secret_check != self._secret_check:
            return None
        self.refresh = found.refresh
        age = max(0.0, self._clock.wall() - found.obtained)
        over = age >= found.life - min(10.0, found.life / 10)
        if over or found.fingerprint == self._request.rejected:
            if found.refresh is None:
                self.delete(found)
            return None
        serving = self._request.serving
        if serving is not None:
            left = serving.life - serving.age(self._clock)
            if found.fingerprint == serving.fingerprint or found.life - age <= left:
                return None
        return TokenGrant(found.value, found.life, refresh=found.refresh, age=age, shared=True)

    @contextmanager
    def locked(self, limit: float) -> Iterator[bool]:
        """The store's lock; False where it is not to be had within *limit* seconds, or at all."""
        with ExitStack() as stack:
            held = False
            if self.error is None:
                with self._trying():
                    held = stack.enter_context(self._store.lock(self._key, limit))
            try:
                yield held
            finally:
                with self._trying():
                    stack.close()

    def save(self, grant: TokenGrant, obtained: float) -> None:
        """Put *grant* there, unless it is over at once. One without an end is kept for a day."""
        if self.error is None and grant.life > 0:
            life = LONGEST_LIFE if math.isinf(grant.life) else grant.life
            refresh = grant.refresh or self.refresh
            with self._trying():
                self._store.save(self._key, StoredToken(grant.value, life, obtained, self._secret_check, refresh))
