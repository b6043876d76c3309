"""One manager for all clients of a process that have the same credentials, and what a fork does to managers."""

import os
import threading
from collections.abc import Hashable
from weakref import WeakValueDictionary

from ._clock import SYSTEM_CLOCK, Clock
from ._manager import TokenManager, living
from ._sources import TokenSource
from ._tokens import DEFAULT_POLICY, TokenPolicy

_shared: WeakValueDictionary[Hashable, TokenManager] = WeakValueDictionary()
_shared_lock = threading.Lock()


def manager_for(source: TokenSource, policy: TokenPolicy = DEFAULT_POLICY, clock: Clock = SYSTEM_CLOCK) -> TokenManager:
    """The manager of *source*; the one that exists if a living client has the same credentials and the same way out."""
    if source.share_key is None:
        return TokenManager(source, policy=policy, clock=clock)
    key = source.share_key, policy, clock
    with _shared_lock:
        manager = _shared.get(key)
        if manager is None:
            manager = _shared[key] = TokenManager(source, policy=policy, clock=clock)
        return manager


def _after_fork() -> None:
    global _shared_lock  # noqa: PLW0603 - whoever held it is in the parent
    _shared_lock = threading.Lock()
    for manager in list(living):
        manager.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
