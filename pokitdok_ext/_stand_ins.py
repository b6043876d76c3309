"""Hosts that something within this process answers for, in tests. Outside of them there are none.

Code under test makes its own client, as it does in production; that its host is not there need not concern it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from ._clock import SYSTEM_CLOCK, Clock


@dataclass(frozen=True)
class StandIn:
    """What a client of a host uses where whoever makes it names nothing else.

    Attributes:
        transport: For synchronous requests; None for the network.
        async_transport: For asynchronous requests; None for the network.
        clock: Time, waiting and chance.
    """

    transport: httpx.BaseTransport | None = None
    async_transport: httpx.AsyncBaseTransport | None = None
    clock: Clock = SYSTEM_CLOCK


_NETWORK = StandIn()
_stand_ins: dict[str, StandIn] = {}


def stand_in_for(root: str) -> StandIn:
    """What answers for *root*: the network, unless somebody stands in."""
    return _stand_ins.get(root, _NETWORK)


@contextmanager
def standing_in(root: str, stand_in: StandIn) -> Iterator[None]:
    """Within this context clients made for *root*, on any thread, use *stand_in*."""
    _stand_ins[root] = stand_in
    try:
        yield
    finally:
        del _stand_ins[root]
