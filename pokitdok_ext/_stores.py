"""What a token store is: what it keeps, what it must be able to do, and how it fails.

The stores themselves are `_file_store.py` and `_redis_store.py`; when one is asked is `_tokens.py`. No I/O here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pokitdok_api.errors import PokitDokError

from ._clock import Clock
from ._tokens import Secret, sendable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

LARGEST = 65_536
"""Bytes of a stored token; anything larger is not one."""

_FORM = 1
_KEY = re.compile(r"[0-9a-f]{64}")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_SECRET_CHECK = re.compile(r"(?:[0-9a-f]{8})?")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1


class StoreError(PokitDokError):
    """A token store cannot be used, or what it holds cannot.

    A client goes on without its store; the text names the file or host and what to do, never a token.
    """


@dataclass(frozen=True)
class StoredToken:
    """A bearer token as a store keeps it.

    Attributes:
        life: Seconds from `obtained` until the API rejects it; finite. Life, not just an end: whoever reads it with a
            wrong clock still bounds it.
        obtained: Wall clock (Unix seconds) before the request for it was sent.
        secret_check: First 32 bits of HMAC-SHA256(client secret, key) in 8 hex digits, so that a wrong secret cannot
            ride on a stored token; empty where there is no client secret.
        refresh: The refresh token that came with it (RFC 6749, section 6), if any.
    """

    value: Secret
    life: float
    obtained: float
    secret_check: str
    refresh: Secret | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.life) and math.isfinite(self.obtained)):
            raise ValueError("life and obtained of a stored token are finite numbers of seconds")

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of its SHA-256, to compare and log it by."""
        return self.value.fingerprint

    def to_json(self, key: str) -> str:
        """The form in which it is stored under *key*. It holds the token itself: keep it out of logs and errors."""
        members = {
            "v": _FORM,
            "key": key,
            "token": self.value.reveal(),
            "type": "Bearer",
            "obtained": self.obtained,
            "life": self.life,
            "secret_check": self.secret_check,
        }
        return json.dumps(members | ({"refresh": self.refresh.reveal()} if self.refresh else {}))

    @classmethod
    def from_json(cls, key: str, text: str) -> StoredToken:
        """The token that was stored under *key* as *text*.

        Raises:
            StoreError: It is no such text; names the member at fault, never its value.
        """
        found = _read(key, text)
        del text  # a traceback may show the locals of this frame
        if isinstance(found, str):
            raise StoreError(f"not a stored token: {found}")
        return found


class TokenStore(Protocol):
    """Where clients in several processes or on several hosts keep one token together.

    Implement these four, and run `pokitdok_ext.testing.stores.TokenStoreContract` on the result. *key* stands for
    token endpoint, client and scope: 64 hex digits. All are called on the thread that fetches the token, never on an
    event loop, and may raise `StoreError`; the client then goes on without the store. Keep what `to_json` gives out
    of the reach of others: whoever reads it has the API until the token ends, and with a refresh token for longer.
    """

    def load(self, key: str) -> StoredToken | None:
        """What is stored, expired or not; None if nothing is."""
        ...

    def save(self, key: str, token: StoredToken) -> None:
        """Store *token* in the place of what is there; readers see the old or the new one, never a part."""
        ...

    def delete(self, key: str, token: StoredToken) -> None:
        """Delete *token*, but only if it is still what is stored (by fingerprint): never another's newer one."""
        ...

    def lock(self, key: str, limit: float) -> AbstractContextManager[bool]:
        """Keep others from fetching a token for *key*; wait for them at most *limit* seconds.

        Gives True if it is held until the block ends, False if not: the caller then goes on without it, since one
        token request too many beats an outage. It must end with the process that holds it, however that ends.
        """
        ...


def checked_key(key: str) -> str:
    """*key*, which becomes part of a file name or of a Redis key.

    Raises:
        ValueError: It is not 64 lower-case hex digits.
    """
    if not _KEY.fullmatch(key):
        raise ValueError("the key of a stored token is 64 lower-case hex digits")
    return key


def within(limit: float, attempt: Callable[[], bool], clock: Clock) -> bool:
    """Whether *attempt* succeeds within *limit* seconds; it is made at least once, then with growing, random pauses."""
    end, pause = clock.monotonic() + limit, _FIRST_PAUSE
    while not attempt():
        left = end - clock.monotonic()
        if left <= 0:
            return False
        clock.sleep(min(left, pause * (0.5 + clock.chance() / 2)))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


def _read(key: str, text: str) -> StoredToken | str:
    """The token in *text*, or what is wrong with it."""
    if len(text.encode(errors="replace")) > LARGEST:
        return f"it is larger than {LARGEST} bytes"
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):  # it quotes the text: nothing may be raised from here
        members = None
    if not isinstance(members, dict):
        return "it is no JSON object"
    token, refresh = members.get("token"), members.get("refresh")
    obtained, life = _number(members.get("obtained")), _number(members.get("life"))
    check = members.get("secret_check")
    right = {
        "v": type(members.get("v")) is int and members["v"] == _FORM,
        "key": members.get("key") == key,
        "token": isinstance(token, str) and sendable(token),
        "type": members.get("type") == "Bearer",
        "obtained": obtained is not None,
        "life": life is not None,
        "secret_check": _matches(_SECRET_CHECK, check),
        "refresh": "refresh" not in members or _matches(_PRINTABLE, refresh),
    }
    wrong = [name for name, good in right.items() if not good]
    if wrong or obtained is None or life is None:
        return f"{', '.join(wrong)} missing or not as this version writes it"
    return StoredToken(Secret(str(token)), life, obtained, str(check), Secret(refresh) if refresh else None)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
