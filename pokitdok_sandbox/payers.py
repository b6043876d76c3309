"""Payers: the older view of the trading partners, unpaged and unfiltered as recorded."""

from __future__ import annotations

from pokitdok_sandbox.calls import Answer, Call, Handler
from pokitdok_sandbox.samples import sample


def list_payers(_call: Call) -> Answer:
    """Answer all of them at once; the short code is empty, as it mostly was."""
    return Answer(
        [
            {
                "trading_partner_id": partner["id"],
                "payer_name": partner["name"],
                "payer_key": "",
                "production_status": partner["is_enabled"],
                "supported_transactions": partner["supported_transactions"],
            }
            for partner in sample("trading_partners")["partners"]
        ]
    )


HANDLERS = {"list_payers": Handler(list_payers, activity="payers")}
