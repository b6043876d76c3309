"""The report on past questionnaires of identity proof, as JSON or as one CSV text. It names fields, never values."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, invalid
from pokitdok_sandbox.identity_proof import KIND
from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WINDOW = 24 * 3600
"""Seconds before the end at which a report begins, as documented."""
COLUMNS: tuple[str, ...] = (
    "start_dt",
    "end_dt",
    "questionnaire_id",
    "verification_result",
    "generate_activity_id",
    "generate_status",
    "id_fields",
    "is_valid",
    "is_verifiable",
    "n_questions",
)


def get_identity_proof_report(call: Call) -> Answer:
    """Answer the questionnaires begun in the window, or the one that has this id or this activity, whenever begun."""
    query = call.query
    end = _moment(query, "end_dt", call.now)
    start = _moment(query, "start_dt", end - WINDOW)
    sheets = call.world.store.documents(KIND, owner=call.client_id)
    if "questionnaire_id" in query:
        found = [sheet for sheet in sheets if sheet["questionnaire_id"] == query["questionnaire_id"]]
    elif "activity_id" in query:
        found = [
            sheet
            for sheet in sheets
            if any(note["activity_id"] == query["activity_id"] for note in sheet["activities"])
        ]
    else:
        found = [sheet for sheet in sheets if start <= sheet["begun"] <= end]
    entries = [_entry(sheet) for sheet in found]
    return Answer(_as_csv(entries) if query.get("csv") else entries)


def _moment(query: Mapping[str, Any], name: str, default: float) -> float:
    """Return a moment of the query as Unix time; without a zone it is UTC.

    Raises:
        RefusalError: It is no date and no date-time of ISO 8601; 422, naming it.
    """
    if name not in query:
        return default
    try:
        moment = datetime.fromisoformat(query[name])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise invalid({name: ["Not a date of ISO 8601."]}) from None


def _entry(sheet: Mapping[str, Any]) -> dict[str, Any]:
    entry = {
        "start_dt": wire_time(sheet["begun"]),
        "questionnaire_id": sheet["questionnaire_id"],
        "activities": sheet["activities"],
        "id_fields": sheet["fields"],
        "is_valid": sheet["is_valid"],
        "is_verifiable": sheet["is_verifiable"],
        "n_questions": _asked(sheet),
    }
    if "result" in sheet:
        entry |= {"end_dt": wire_time(sheet["ended"]), "verification_result": sheet["result"]}
    return entry


def _asked(sheet: Mapping[str, Any]) -> int:
    """Return how many questions were asked: the answered ones, and the one that is open."""
    answered = len(sheet["given"])
    return answered if "result" in sheet or not sheet["is_verifiable"] else answered + 1


def _as_csv(entries: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        first = entry["activities"][0]
        row = {"generate_activity_id": first["activity_id"], "generate_status": first["status_code"]}
        writer.writerow({**entry, **row, "id_fields": ",".join(entry["id_fields"])})
    return text.getvalue()


HANDLERS = {"get_identity_proof_report": Handler(get_identity_proof_report, activity="identity", billed=True)}
