"""`pokitdok claims`: submit one, ask how one stands."""

from collections.abc import Iterator
from typing import Any

import click

from pokitdok_api._operations import CHECK_CLAIM_STATUS, SUBMIT_CLAIM

from . import _exits
from ._activity import state_of
from ._commands import JSON_OPTION
from ._session import Session, pass_session, printable, read_object
from ._tables import show_rows


@click.group()
def claims() -> None:
    """Submit a claim, or ask a payer how one stands."""


@claims.command()
@click.argument("source", metavar="FILE")
@JSON_OPTION
@pass_session
def submit(session: Session, source: str, as_json: bool) -> int:
    """Submit the claim in FILE, a JSON request; - for the standard input (X12 837).

    It is sent once and never again by itself: if no answer comes, the claim may have been filed. Look for its activity
    before submitting it again.

    \b
    Examples:
      pokitdok claims submit claim.json
      pokitdok activity watch $(pokitdok claims submit claim.json --json | jq -r .meta.activity_id)
    """
    answer = session.ask(SUBMIT_CLAIM, body=read_object(source))
    if as_json:
        session.show_json(answer)
        return _exits.DONE
    activity_id = _within(answer, "meta", "activity_id") or _within(answer, "data", "id")
    session.out.print(printable(f"activity {activity_id}: {state_of(_within(answer, 'data'))}"), soft_wrap=True)
    session.note(f"follow it: pokitdok activity watch {activity_id}")
    return _exits.DONE


@claims.command()
@click.argument("source", metavar="FILE")
@JSON_OPTION
@pass_session
def status(session: Session, source: str, as_json: bool) -> int:
    """Ask how the claim described in FILE stands, a JSON request; - for the standard input (X12 276/277).

    \b
    Example:
      pokitdok claims status question.json
    \b
    question.json:
      {"trading_partner_id": "MOCKPAYER", "provider": {"npi": "1234567893"},
       "patient": {"id": "W000777001", "birth_date": "1984-06-17"}, "service_date": "2026-11-02"}
    """
    answer = session.ask(CHECK_CLAIM_STATUS, body=read_object(source))
    if as_json:
        session.show_json(answer)
        return _exits.DONE
    rows = list(_statuses(_within(answer, "data", "patient", "claims")))
    if not rows:
        session.out.print("The payer tells of no claim.")
        return _exits.NO
    show_rows(session.out, ("tracking id", "service date", "charged", "paid", "status"), rows)
    return _exits.DONE


def _statuses(found: Any) -> Iterator[tuple[Any, ...]]:
    for claim in found if isinstance(found, list) else ():
        entries: Any = _within(claim, "statuses") or ({},)
        for entry in entries:
            charged = _within(entry, "total_claim_amount") or _within(claim, "total_claim_amount")
            paid = _within(entry, "claim_payment_amount") or _within(claim, "claim_payment_amount")
            words = _within(entry, "status_category") or _within(entry, "status_code") or _within(claim, "status_code")
            yield _within(claim, "tracking_id"), _within(claim, "service_date"), _money(charged), _money(paid), words


def _money(value: Any) -> str:
    amount = _within(value, "amount")
    return "" if amount is None else f"{amount} {_within(value, 'currency') or ''}".strip()


def _within(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
