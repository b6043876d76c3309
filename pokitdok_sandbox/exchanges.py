"""What all X12 questions share: a partner who takes them, the question kept in its activity, an answer now or later."""

from __future__ import annotations

from copy import deepcopy
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pokitdok_sandbox.calls import Answer, Call, RefusalError, invalid
from pokitdok_sandbox.lifecycle import view
from pokitdok_sandbox.settings import Pace
from pokitdok_sandbox.trading_partners import partner

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_ECHOED = {"application_data", "callback_url"}
MOCK = "MOCKPAYER"


def partner_for(trading_partner_id: str, transaction: str) -> dict[str, Any]:
    """Return the partner that a request for the X12 ``transaction`` names, whether it offers that or not.

    Raises:
        RefusalError: Nobody has this id; ``errors.query``, documented for raw X12 without a status.
    """
    found = partner(trading_partner_id)
    if found is None:
        raise RefusalError(422, {"query": f"No trading partner with this id is configured for {transaction}."})
    return found


def require_real_time(payer: Mapping[str, Any], transaction: str) -> None:
    """Refuse a question that the partner does not answer in real time.

    Raises:
        RefusalError: 500 with ``errors.general``, as recorded.
    """
    if transaction not in payer["supported_transactions"]:
        raise RefusalError(500, {"general": f"{payer['id']} offers no real time transaction for this activity"})


def require_batch(payer: Mapping[str, Any], transaction: str) -> None:
    """Refuse work that the partner does not take.

    Raises:
        RefusalError: 422 with ``errors.query``.
    """
    if transaction not in payer["supported_transactions"]:
        raise RefusalError(422, {"query": f"This trading partner is not configured for {transaction}."})


def keep_caller_data(call: Call) -> None:
    """Keep what the caller wants back: the address to post to, and data of its own that goes with that.

    Raises:
        RefusalError: The address is neither https, as documented, nor on this machine; 422, naming callback_url.
    """
    url = call.body.get("callback_url")
    if url is not None:
        if not _may_be_called(url):
            raise invalid({"callback_url": ["Only an https address, or one on this machine, is called back."]})
        call.record["callback_url"] = url
    if "application_data" in call.body:
        call.record["application_data"] = call.body["application_data"]


def ask(call: Call, payer: Mapping[str, Any]) -> str:
    """Note the question in the activity of the call; return the correlation id of question and answer."""
    keep_caller_data(call)
    correlation_id = call.world.new_uuid()
    question = {
        "path": "deferred" if call.body.get("async") else "real_time",
        "trading_partner_id": payer["id"],
        "parameters": {
            "async": False,
            **{key: deepcopy(value) for key, value in call.body.items() if key not in NOT_ECHOED},
            "client_id": call.client_id,
            "correlation_id": correlation_id,
        },
    }
    call.record.update(question)
    return correlation_id


def answer(call: Call, result: Mapping[str, Any]) -> Answer:
    """Return the answer of the partner, or with ``async`` the activity that will have it."""
    call.record["outcomes"] = [{"result": result}]
    if call.record["path"] == "deferred":
        return Answer(opened(call))
    return Answer(result)


def opened(call: Call) -> dict[str, Any]:
    """Return the activity of the call as it is shown to its caller: at its beginning."""
    return view(call.record, call.record["created"], Pace())


def _may_be_called(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host:
        return False
    if parts.scheme == "http":
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False
    return parts.scheme == "https"
