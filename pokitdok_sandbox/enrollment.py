"""Enrollment: a change of benefits sent to a carrier (834), and what it does to the membership that it keeps."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler
from pokitdok_sandbox.exchanges import NOT_ECHOED, keep_caller_data, opened, partner_for, require_batch
from pokitdok_sandbox.snapshots import remember
from pokitdok_sandbox.x12_forms import ENROLLMENT, TAKES

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = {"version": "4.0.0", "major_version": "4"}
REJECTED_MEMBER = "W500000001"
"""An enrollment of this member is rejected by every carrier; ours, the documentation names none."""


def submit_enrollment(call: Call) -> Answer:
    """Take an enrollment and answer at once with its activity; carriers judge it, the platform does not."""
    body: dict[str, Any] = call.body
    payer = partner_for(body["trading_partner_id"], "834")
    require_batch(payer, "834")
    keep_caller_data(call)
    take(call, body, payer)
    return Answer(opened(call))


def take(call: Call, body: Mapping[str, Any], payer: Mapping[str, Any]) -> None:
    """Make the activity of the call the one of this enrollment."""
    parameters = {
        **{key: deepcopy(value) for key, value in body.items() if key not in NOT_ECHOED | {"async"}},
        **VERSION,
        "client_id": call.client_id,
        "correlation_id": call.world.new_uuid(),
    }
    call.record.update({"path": "queued", "trading_partner_id": payer["id"], "parameters": parameters})
    if body["subscriber"].get("member_id") == REJECTED_MEMBER:
        call.record["outcomes"] = [{"state": "rejected"}]
    else:
        remember(call, payer["id"], [parameters], whole=False)


HANDLERS = {
    "submit_enrollment": Handler(
        submit_enrollment,
        activity="enrollment",
        billed=True,
        takes=TAKES,
        x12=ENROLLMENT,
        any_date=True,  # recorded: dates were not checked
    )
}
