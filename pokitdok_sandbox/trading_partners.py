"""Trading partners: list, read, and who supports what. The entries are in data/trading_partners.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY = ("id", "name", "is_enabled", "supported_transactions")
OURS = {"health", "name_in_answers", "plan", "answers_procedures"}
"""Members of an entry that steer the sandbox and are not shown."""
MEASURED_BEFORE = 600.0
"""Seconds since the health of a partner was last measured."""


def partner(trading_partner_id: str) -> dict[str, Any] | None:
    """Return the entry of a partner, or None."""
    entries: list[dict[str, Any]] = sample("trading_partners")["partners"]
    return next((entry for entry in entries if entry["id"] == trading_partner_id), None)


def search_options(entry: Mapping[str, Any]) -> list[list[str]]:
    """Return the sets of member fields by which a partner finds a member."""
    common = sample("trading_partners")["common"]
    names = entry.get("supported_search_options", common["defaults"]["supported_search_options"])
    return [common["search_options"][name] for name in names]


def list_trading_partners(_call: Call) -> Answer:
    """Answer all of them at once, unpaged; as recorded, a partner without transactions lacks that member."""
    return Answer(
        [{key: entry[key] for key in SUMMARY if entry[key] != []} for entry in sample("trading_partners")["partners"]]
    )


def get_trading_partner(call: Call) -> Answer:
    """Answer one partner in full."""
    trading_partner_id = call.path["trading_partner_id"]
    call.record["parameters"] = {"id": trading_partner_id}
    found = partner(trading_partner_id)
    if found is None:
        raise RefusalError(404, {"query": "No trading partner has this id."})
    common = sample("trading_partners")["common"]
    measured = wire_time(call.now - MEASURED_BEFORE)
    status = found.get("health", "available")
    monitoring = {name: {"status": status, "last_updated": measured} for name in common["monitored"]}
    entry = {key: value for key, value in found.items() if key not in OURS}
    return Answer({**common["defaults"], **entry, "monitoring": monitoring})


HANDLERS = {
    "list_trading_partners": Handler(list_trading_partners, activity="tradingpartners"),
    "get_trading_partner": Handler(get_trading_partner, activity="tradingpartners"),
}
