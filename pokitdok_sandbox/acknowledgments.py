"""Acknowledgments (999): whether a transaction set follows its guide, and the answer that says what does not.

The guides of X12 are long; checked are the envelopes, the segments and elements without which a request says nothing,
and the form of its dates. The list is in data/x12.yaml.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import RefusalError
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.x12 import GROUPS, Flaw, Interchange, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pokitdok_sandbox.x12 import Transaction

VERDICTS = {"R": "Rejected", "A": "Accepted"}
SYNTAX = {"1": "A required element is missing.", "8": "The date is not valid."}


def accepted(text: str, code: str) -> Interchange:
    """Read an interchange that follows the rules.

    Args:
        text: The whole interchange.
        code: Transaction set that is expected, such as "270".

    Raises:
        RefusalError: It does not; 422 with ``errors.parsing``, the digest of a 999, and not billed.
    """
    interchange = read(text)
    flaws = list(interchange.flaws)
    for transaction in interchange.transactions:
        if transaction.code != code:
            flaws.append(Flaw("st", "6", f"The transaction set is not a {code}."))
        elif not interchange.flaws:
            flaws += check(transaction)
    if interchange.group.identifier and interchange.group.identifier != GROUPS[code]:
        flaws.append(Flaw("gs", "1", f"The functional group is not one of {code}."))
    if flaws:
        raise RefusalError(422, {"parsing": digest(interchange, flaws, code)}, credits_billed=0)
    return interchange


def check(transaction: Transaction) -> Iterator[Flaw]:
    """Yield what in a transaction set does not follow its guide."""
    found = list(enumerate(transaction.segments, 1))
    for rule in sample("x12")["needed"][transaction.code]:
        first: Sequence[str] = rule.get("first", [])
        fitting = [(n, one) for n, one in found if one.id == rule["segment"] and (not first or one[1] in first)]
        if not fitting:
            yield Flaw("seg", "3", "A required segment is missing.", len(found), rule["segment"], rule["loop"])
        for position, segment in fitting:
            for number in rule["elements"]:
                if not segment[number]:
                    yield Flaw("ele", "1", SYNTAX["1"], position, segment.id, rule["loop"], number)
    for position, segment in found:
        if segment.id in {"DTP", "DMG"}:
            number = 3 if segment.id == "DTP" else 2
            form = segment[2] if segment.id == "DTP" else segment[1]
            if form in {"D8", "RD8"} and not all(map(_is_date, segment[number].split("-"))):
                yield Flaw("ele", "8", SYNTAX["8"], position, segment.id, "", number)


def digest(interchange: Interchange, flaws: Sequence[Flaw], code: str) -> dict[str, Any]:
    """Return the 999 that refuses an interchange as the platform tells it."""
    group = interchange.group
    transactions = interchange.transactions
    first = transactions[0] if transactions else None
    whole = [flaw for flaw in flaws if flaw.level in {"isa", "gs", "st"}]
    rest = [flaw for flaw in flaws if flaw.level in {"seg", "ele"}]
    errors = list(dict.fromkeys([(flaw.code, flaw.text) for flaw in whole] or [("5", "Segments are in error.")]))
    told: dict[str, Any] = {
        "functional_group_acknowledge": VERDICTS["R"],
        "functional_group_acknowledge_code": "R",
        "functional_identifier_code": group.identifier or GROUPS[code],
        "number_of_transaction_sets_included": len(transactions),
        "number_of_received_transaction_sets": len(transactions),
        "number_of_accepted_transaction_sets": 0,
        "transaction_set_identifier_code": first.code if first else code,
        "transaction_set_acknowledgment": VERDICTS["R"],
        "transaction_set_acknowledgment_code": "R",
        "transaction_set_syntax_error_codes": [error for error, _ in errors],
        "transaction_set_syntax_errors": [text for _, text in errors],
    }
    if group.identifier:  # the answer goes back: its sender is the receiver of the request
        told |= {
            "application_sender_code": group.receiver,
            "application_receiver_code": group.sender,
            "group_control_number": group.control_number,
        }
    if first:
        told["transaction_set_control_number"] = first.control_number
    segments = [_segment_error(flaw) for flaw in rest]
    if segments:
        told["segment_errors"] = segments
    return told


def acknowledge(interchange: Interchange) -> list[list[str]]:
    """Return the segments of a 999 that accepts an interchange."""
    group, count = interchange.group, str(len(interchange.transactions))
    body = [["AK1", group.identifier, group.control_number, group.version]]
    for transaction in interchange.transactions:
        body += [["AK2", transaction.code, transaction.control_number, group.version], ["IK5", "A"]]
    return [*body, ["AK9", "A", count, count, count]]


def _segment_error(flaw: Flaw) -> dict[str, Any]:
    error: dict[str, Any] = {
        "segment_id_code": flaw.segment,
        "position_in_transaction_set": flaw.position,
        "loop_id_code": flaw.loop,
    }
    if flaw.level == "ele":
        numbers: Mapping[int, int] = sample("x12")["element_numbers"].get(flaw.segment, {})
        note: dict[str, Any] = {
            "position_in_segment": str(flaw.element),
            "data_element_syntax_error": flaw.text,
            "data_element_syntax_error_code": flaw.code,
        }
        if flaw.element in numbers:
            note["element_reference_number"] = numbers[flaw.element]
        error |= {
            "syntax_error": "The segment has elements in error.",
            "syntax_error_code": "8",
            "notes": [note],
        }
    else:
        error |= {"syntax_error": flaw.text, "syntax_error_code": flaw.code}
    return {key: value for key, value in error.items() if value not in {"", 0}} if not error.get("notes") else error


def _is_date(text: str) -> bool:
    """Tell whether a text is a day in X12's D8, such as 19840617; `date.fromisoformat` takes week dates too."""
    try:
        return re.fullmatch("[0-9]{8}", text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False
