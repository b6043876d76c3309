"""X12 in place of JSON: reads a request so that the rules of its area can answer, and writes their answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.acknowledgments import accepted, acknowledge
from pokitdok_sandbox.calls import X12Forms
from pokitdok_sandbox.contract import FULL_X12_JSON, JSON, X12, X12_JSON
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12 import GROUPS, Group, Interchange, Transaction, read, write
from pokitdok_sandbox.x12_answers import WRITERS
from pokitdok_sandbox.x12_claims import claims
from pokitdok_sandbox.x12_enrollments import enrollments
from pokitdok_sandbox.x12_payments import remittance
from pokitdok_sandbox.x12_requests import READERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pokitdok_sandbox.calls import Answer, Call, Handler

TAKES = frozenset({"", JSON, X12, X12_JSON})
GIVES = frozenset({"", JSON, X12, X12_JSON, FULL_X12_JSON})
PLATFORM = "SANDBOX"
PROFESSIONAL = "005010X222A1"
"""Version of the guide for professional claims, which the platform filed."""
ENVELOPE = {"ISA", "GS", "GE", "IEA", "ST", "SE"}


def question(code: str, answer_code: str) -> X12Forms:
    """Return the forms of an operation that asks: its request in ``code``, its answer in ``answer_code``."""
    return X12Forms(read=partial(_question, code), write=partial(_answer, answer_code))


def _question(code: str, text: str) -> dict[str, Any]:
    interchange = accepted(text, code)
    return READERS[code](interchange.transactions[0])


def _claim(text: str) -> dict[str, Any]:
    return claims(accepted(text, "837").transactions[:1])[0]


def _enrollment(text: str) -> dict[str, Any]:
    return enrollments(accepted(text, "834").transactions[:1])[0]


def _answer(code: str, call: Call, data: Mapping[str, Any]) -> str:
    when = datetime.fromtimestamp(call.now, UTC).strftime("%Y%m%d%H%M")
    return _sent(call, code, data["trading_partner_id"], WRITERS[code](data, when))


def _taken(call: Call, data: Mapping[str, Any]) -> str:
    """Write the 999 that takes a claim in; the claim itself may have come as JSON."""
    sent = call.record.get("x12_request")
    if sent is None:
        group = Group(GROUPS["837"], PLATFORM, data["trading_partner_id"], "1", PROFESSIONAL)
        interchange = Interchange(group, (Transaction("837", "0001", ()),), ())
    else:
        interchange = read(sent)
    return _sent(call, "999", data["trading_partner_id"], acknowledge(interchange))


def _payment(call: Call, data: Mapping[str, Any]) -> str:
    return _sent(call, "835", data["payer"]["id"], remittance(data))


def _sent(call: Call, code: str, sender: str, body: Any) -> str:
    control = int(call.record["id"][-8:], 16) % 1_000_000_000
    return write(code, body, moment=call.now, control=control, sender=sender, receiver=PLATFORM)


CLAIM = X12Forms(read=_claim, write=_taken)
ENROLLMENT = X12Forms(read=_enrollment)
PAYMENT = X12Forms(write=_payment)


def in_form(call: Call, handler: Handler, answer: Answer, form: str) -> Answer:
    """Return the answer of a rule in the form that was asked for; the activity of a later answer stays JSON."""
    if form in {"", JSON}:
        if handler.x12 and handler.x12.write and "x12_request" in call.record and _is_final(call, handler):
            call.record["x12_response"] = handler.x12.write(call, answer.data)
        return answer
    if handler.x12 is None or handler.x12.write is None:
        return replace(answer, form=form)
    if not _is_final(call, handler):
        return answer
    text = call.record["x12_response"] = handler.x12.write(call, answer.data)
    data = full_json(text) if form == FULL_X12_JSON else {"x12": text} if form == X12_JSON else text
    return replace(answer, data=data, form=form)


def in_envelope(answer: Answer, meta: Mapping[str, Any]) -> Any:
    """Return the whole body of an answer that is not plain JSON; bare X12 and its segments have no envelope."""
    return answer.data if answer.form in {X12, FULL_X12_JSON} else {"meta": meta, "data": answer.data}


def _is_final(call: Call, handler: Handler) -> bool:
    return call.record["path"] != "deferred" or handler.x12 is CLAIM


def full_json(text: str) -> dict[str, Any]:
    """Return an interchange segment by segment, elements under the names that the documentation gives.

    An element for which it shows no name goes under its place, such as ``eb01``.
    """
    names: Mapping[str, list[str | None]] = sample("x12")["names"]
    told = []
    for transaction in read(text).transactions:
        for segment in transaction.segments:
            if segment.id in ENVELOPE:
                continue
            known = names.get(segment.id, [])
            data = {}
            for number, element in enumerate(segment.elements, 1):
                name = known[number - 1] if number <= len(known) else None
                if element:
                    data[name or f"{segment.id.lower()}{number:02d}"] = element
            told.append({"segment_id": segment.id, "data": data})
    return {"x12_segments": told}
