"""Batches: a file of many X12 requests becomes an activity with a child for each request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.acknowledgments import accepted
from pokitdok_sandbox.activities import open_record
from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.claim_status import check_claim_status
from pokitdok_sandbox.claims import submit_claim
from pokitdok_sandbox.contract import X12
from pokitdok_sandbox.eligibility import check_eligibility
from pokitdok_sandbox.enrollment import submit_enrollment
from pokitdok_sandbox.exchanges import opened, partner_for
from pokitdok_sandbox.service_reviews import request_review
from pokitdok_sandbox.x12 import GROUPS, Transaction, read
from pokitdok_sandbox.x12_claims import claims
from pokitdok_sandbox.x12_enrollments import enrollments
from pokitdok_sandbox.x12_requests import READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pokitdok_sandbox.x12 import Interchange

RULES: Mapping[str, tuple[str, Callable[[Call], Answer]]] = {
    "270": ("eligibility", check_eligibility),
    "276": ("claims_status", check_claim_status),
    "278": ("authorizations", request_review),
    "834": ("enrollment", submit_enrollment),
    "837": ("claims", submit_claim),
}
"""Transaction set to the name of its activities and their rule."""
LEVELS = {"270": "22", "276": "22", "278": "EV"}
"""Level of the hierarchy at which each request of a transaction set begins."""
MANY = 1000
"""Requests that one file may hold here."""


def submit_file(call: Call) -> Answer:
    """Take a file and answer at once with its activity; the requests in it are its children.

    A file sent bare names its partner only inside; one in a form is for the partner of the form.
    """
    text = call.body["file"] if isinstance(call.body, dict) else call.body
    code = _code_of(text)
    interchange = accepted(text, code)
    requests = list(_requests(code, interchange))
    if len(requests) > MANY:
        raise invalid({"file": [f"More than {MANY} requests; send several files."]})
    named = call.body["trading_partner_id"] if isinstance(call.body, dict) else ""
    payer = partner_for(named or requests[0].get("trading_partner_id", ""), code)
    call.record.update({"path": "batch", "trading_partner_id": payer["id"]})
    for body in requests:
        _add_child(call, code, body | ({"trading_partner_id": named} if named else {}))
    return Answer(opened(call))


def _code_of(text: str) -> str:
    """Return the transaction set of a file.

    Raises:
        RefusalError: It is none that partners take; 422 with ``errors.parsing``, or naming the file when it is no X12.
    """
    if not text.lstrip().startswith("ISA"):
        raise invalid({"file": ["Not X12: an interchange begins with ISA."]})
    interchange = read(text)
    codes = [transaction.code for transaction in interchange.transactions]
    named = next((code for code in [*codes, *_codes_named(interchange)] if code in RULES), None)
    return named or "270"


def _codes_named(interchange: Interchange) -> Iterator[str]:
    yield from (code for code, identifier in GROUPS.items() if identifier == interchange.group.identifier)


def _requests(code: str, interchange: Interchange) -> Iterator[dict[str, Any]]:
    if code == "837":
        yield from claims(interchange.transactions)
    elif code == "834":
        yield from enrollments(interchange.transactions)
    else:
        for transaction in interchange.transactions:
            for part in _questions(transaction, LEVELS[code]):
                yield READERS[code](part)


def _questions(transaction: Transaction, level: str) -> Iterator[Transaction]:
    """Yield a transaction set of its own for each request in one: what stands before the first, and the request."""
    starts = [
        number for number, segment in enumerate(transaction.segments) if segment.id == "HL" and segment[3] == level
    ]
    if not starts:
        yield transaction
        return
    header = transaction.segments[: starts[0]]
    for start, end in zip(starts, [*starts[1:], len(transaction.segments) - 1], strict=True):
        yield replace(transaction, segments=header + transaction.segments[start:end])


def _add_child(call: Call, code: str, body: dict[str, Any]) -> None:
    name, rule = RULES[code]
    record = open_record(call.world, name, call.now, owner=call.client_id) | {"parent_id": call.record["id"]}
    if code in LEVELS:
        body["async"] = True
    child = replace(call, body=body, record=record, warnings=[])
    try:
        rule(child)
    except (RefusalError, KeyError):  # what its form lacks is found by the rule, without a contract to check it before
        record.update({"path": "in_house", "ended": "failed"})
    call.world.store.add_activity(record)


HANDLERS = {
    "submit_file": Handler(
        submit_file,
        activity="batch file",
        billed=True,
        takes=frozenset({"multipart/form-data", X12, "text/plain", "application/octet-stream"}),
    )
}
