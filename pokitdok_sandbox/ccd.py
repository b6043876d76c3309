"""Continuity of care documents: in the old clients alone, never documented. Taken, kept, answered with nothing."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler
from pokitdok_sandbox.exchanges import NOT_ECHOED, partner_for

if TYPE_CHECKING:
    from collections.abc import Mapping


def submit_ccd(call: Call) -> Answer:
    """Take a request; nothing is known of what came back, so nothing does."""
    body: Mapping[str, Any] = call.body
    if "trading_partner_id" in body:
        call.record["trading_partner_id"] = partner_for(body["trading_partner_id"], "CCD")["id"]
    call.record["parameters"] = {key: deepcopy(value) for key, value in body.items() if key not in NOT_ECHOED}
    return Answer({})


HANDLERS = {"submit_ccd": Handler(submit_ccd, activity="ccd")}
